"""Episodes of image-goal navigation in one home: seeded draws, kept by geometry and by what the goal shows.

Nothing here knows how an agent fares: filtering by outcomes would choose the episodes that the benchmark can solve.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from harness.contracts import seeds
from harness.contracts.cameras import Camera, Pose, Vec3, yaw_to_quaternion
from harness.contracts.digest import to_plain
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError
from harness.contracts.observations import View
from images.embedded.cameras import HEADING_STEP_DEG, HEADINGS
from images.embedded.environment import RIG, Scene

_SEED_ALONE = -1


@dataclass(frozen=True)
class TierConstants:
    """What an episode of a tier must be like.

    Geodesic distances and the radius are in metres; ``least_detour`` is the least geodesic over straight distance.
    A goal view must show ``least_instances`` objects of at least ``instance_share`` of its pixels each, have a median
    depth above ``least_median_m``, and fewer than ``most_near_share`` of its pixels nearer than ``near_m``. A goal is
    given up after ``starts_per_goal`` starts that do not fit, a home after ``attempts`` goals.
    ``prefix`` begins the ids of the episodes.
    """

    task: str
    tier: str
    split: str
    geodesic_low_m: float
    geodesic_high_m: float
    radius_m: float
    least_detour: float = 1.0
    least_instances: int = 6
    instance_share: float = 0.01
    least_median_m: float = 1.2
    near_m: float = 0.5
    most_near_share: float = 0.1
    goal_camera: str = "front"
    prefix: str = ""
    starts_per_goal: int = 20
    attempts: int = 400


@dataclass(frozen=True)
class SamplingStatistics:
    """How many draws met which end, by name (``goal drawn``, ``goal few instances``, ``goal kept``, ``start drawn``).

    Every drawn goal or start is counted once more under what it failed, or as kept.
    """

    counts: Dict[str, int]


def sample_episodes(
    scene: Scene, constants: TierConstants, count: int, seed: int = 0
) -> Tuple[List[Episode], SamplingStatistics]:
    """Return ``count`` episodes in ``scene`` and the statistics of their draws.

    Each attempt has its own keyed generators, so the episodes depend on the home, the constants and the seed alone.
    Raises EpisodeError where the home does not offer enough.
    """
    camera = RIG.camera(constants.goal_camera)
    counts: Counter[str] = Counter()
    episodes: List[Episode] = []
    for attempt in range(constants.attempts):
        if len(episodes) == count:
            break
        goal = _draw_goal(scene, constants, camera, seed, attempt, counts)
        if goal is None:
            continue
        start = _draw_start(scene, constants, goal[0], seed, attempt, counts)
        if start is not None:
            episodes.append(
                _episode(scene, constants, f"{constants.prefix}{scene.name}-{len(episodes):02d}", start, goal)
            )
    if len(episodes) < count:
        found = f"{len(episodes)} of {count} episodes in {constants.attempts} attempts"
        raise EpisodeError(
            f"home {scene.name} gave {found}: {dict(counts)}.",
            "Loosen the constants of the tier or leave the home out.",
        )
    return episodes, SamplingStatistics(dict(sorted(counts.items())))


_Stand = Tuple[Vec3, int]


def _draw_stand(scene: Scene, generator: np.random.Generator) -> _Stand:
    return scene.navigator.sample(generator), int(generator.integers(HEADINGS))


def _draw_goal(
    scene: Scene, constants: TierConstants, camera: Camera, seed: int, attempt: int, counts: Counter[str]
) -> Optional[_Stand]:
    position, heading = _draw_stand(scene, seeds.generator(seed, scene.name, _SEED_ALONE, attempt, "goal"))
    view = scene.renderer.render(camera, position, heading * HEADING_STEP_DEG, depth=True, ids=True)
    counts["goal drawn"] += 1
    flaw = view_flaw(view, constants)
    counts[f"goal {flaw or 'kept'}"] += 1
    return None if flaw else (position, heading)


def view_flaw(view: View, constants: TierConstants) -> str:
    """Return why a view shows too little to be a goal, or ''. Judged by depth and instance ids alone."""
    assert view.depth is not None and view.ids is not None
    pixels = view.ids.size
    instances = np.bincount(view.ids.ravel())[1:]
    if int((instances >= constants.instance_share * pixels).sum()) < constants.least_instances:
        return "few instances"
    distances = np.where(view.depth > 0.0, view.depth, np.inf).ravel()
    if np.sort(distances)[pixels // 2] <= constants.least_median_m:
        return "shallow"
    if int((distances < constants.near_m).sum()) >= constants.most_near_share * pixels:
        return "near"
    return ""


def _draw_start(
    scene: Scene, constants: TierConstants, goal: Vec3, seed: int, attempt: int, counts: Counter[str]
) -> Optional[_Stand]:
    generator = seeds.generator(seed, scene.name, _SEED_ALONE, attempt, "start")
    for _ in range(constants.starts_per_goal):
        position, heading = _draw_stand(scene, generator)
        counts["start drawn"] += 1
        geodesic = scene.navigator.geodesic_distance(position, goal)
        if not constants.geodesic_low_m <= geodesic <= constants.geodesic_high_m:
            counts["start out of band"] += 1
            continue
        dx, dz = position[0] - goal[0], position[2] - goal[2]
        if geodesic < constants.least_detour * float(np.sqrt(dx * dx + dz * dz)):
            counts["start straight"] += 1
            continue
        counts["start kept"] += 1
        return position, heading
    return None


def _episode(scene: Scene, constants: TierConstants, name: str, start: _Stand, goal: _Stand) -> Episode:
    yaw = start[1] * HEADING_STEP_DEG
    return Episode(
        id=name,
        task=constants.task,
        tier=constants.tier,
        split=constants.split,
        scene=scene.name,
        home=scene.name,
        start=Pose(start[0], yaw_to_quaternion(yaw)),
        reference_actions=scene.navigator.reference_actions(start[0], yaw, goal[0], constants.radius_m),
        payload={
            "goal": to_plain(Pose(goal[0], yaw_to_quaternion(goal[1] * HEADING_STEP_DEG))),
            "radius_m": constants.radius_m,
            "geodesic_m": scene.navigator.geodesic_distance(start[0], goal[0]),
        },
    )
