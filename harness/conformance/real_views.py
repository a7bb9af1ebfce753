"""Real views from the embedded homes: what plugins are asked from, and what their answers are compared with.

The views come through the environment service, like those of an episode. Besides the view itself a place knows what
the camera really sees at many poses around it, so that an imagined frame can be located among them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Iterator, Optional, Sequence

from harness.contracts.cameras import Pose, Vec3, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.commands import FIRST_TASK
from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.folders import cache_root
from harness.contracts.observations import ViewRequest
from harness.contracts.portable import PI, sincos
from harness.running.services import Placement, plan_environment, start
from harness.wire.client import Deadlines, EnvironmentClient
from harness.worldmodels.probe import Place, RealView
from tasks.fresh_homes import TEST
from tasks.suite import load_suite

SUITE, TASK, TIER, SPLIT = "embedded", FIRST_TASK, "easy", "validation"
CAMERA, LARGE_CAMERA = "pano", "pano_large"

PLACES = 4
HOMES = 2
"""Loading a home takes longest; two of them keep a plugin from being judged by one home's walls."""

STEP_M = 0.1
NEAREST_M, FARTHEST_M = -0.2, 1.4
DIAGONALS: Sequence[tuple[float, float]] = ((0.3414, 0.1414), (0.3414, -0.1414))
"""Metres ahead and to the left after forward, two turns to one side, forward."""

APART_M = 1.0
START_S = 300.0
"""The first start compiles the renderer, and a home is built once."""


def collect_places(
    large: bool, log: Optional[Path] = None, count: int = PLACES, secret: bytes = b""
) -> tuple[Place, ...]:
    """Start the environment, walk through validation episodes and return ``count`` places with free floor ahead.

    ``large`` also renders each view with the large panorama, for models that work at more than the small one's size.
    With a ``secret`` the places are of test homes that it draws, which look as those of a run.
    """
    suite = load_suite(SUITE, TASK)
    suite.require_runnable()
    episodes = suite.episodes(TIER, TEST if secret else SPLIT)
    homes = _chosen(sorted({episode.scene for episode in episodes}), secret)
    chosen = [episode for episode in episodes if episode.scene in homes]
    known = suite.scene_digests()
    plan, _ = plan_environment(suite, cache_root(), {home: known[home] for home in homes}, Placement())
    with (
        tempfile.TemporaryDirectory(prefix="wiw-check-") as folder,
        start(plan, START_S, log or Path(folder) / "environment.log") as service,
    ):
        client = EnvironmentClient(service.socket, Deadlines(reset_s=START_S, step_s=START_S))
        try:
            places = [place for home in homes for place in _of_home(client, chosen, home, large, count // HOMES)]
        finally:
            client.close()
    if len(places) < 2:
        raise Refusal("fewer than two places with free floor ahead were found.", "Check the suite's episodes.")
    return tuple(places)


def _chosen(homes: Sequence[str], secret: bytes) -> list[str]:
    """Return the first homes, or those that a secret draws."""
    return sorted(homes, key=lambda home: digest([secret.hex(), home]) if secret else home)[:HOMES]


def _of_home(
    environment: EnvironmentClient, episodes: Sequence[Episode], home: str, large: bool, count: int
) -> Iterator[Place]:
    """Yield ``count`` places of one home, a metre apart."""
    taken: list[Vec3] = []
    for episode in episodes:
        position = episode.start.position
        if episode.scene != home or any(_near(position, other) for other in taken) or len(taken) == count:
            continue
        environment.reset(episode, 0, [])
        yaw_deg = _free_heading(environment, episode.start)
        if yaw_deg is not None:
            taken.append(position)
            yield _place(environment, episode, yaw_deg, large)


def _near(one: Vec3, other: Vec3) -> bool:
    return (one[0] - other[0]) ** 2 + (one[2] - other[2]) ** 2 < APART_M**2


def _positions() -> list[tuple[float, float]]:
    """Return where real views are taken: metres (ahead, left) along the path and at the ends of its turns."""
    steps = range(round(NEAREST_M / STEP_M), round(FARTHEST_M / STEP_M) + 1)
    return [(step * STEP_M, 0.0) for step in steps] + list(DIAGONALS)


def _at(position: Vec3, yaw_deg: float, ahead_m: float, left_m: float) -> Vec3:
    sine, cosine = sincos(yaw_deg * PI / 180.0)
    return (
        position[0] - ahead_m * sine - left_m * cosine,
        position[1],
        position[2] - ahead_m * cosine + left_m * sine,
    )


def _free_heading(environment: EnvironmentClient, start_pose: Pose) -> Optional[float]:
    """Return a heading with free floor at all positions, or None; every fourth of 16 headings is tried first."""
    base = quaternion_to_yaw(start_pose.rotation)
    for turn in sorted(range(16), key=lambda number: (number % 4, number)):
        yaw_deg = base + 22.5 * turn
        free = (_at(start_pose.position, yaw_deg, *offset) for offset in reversed(_positions()))
        if all(environment.is_navigable(position) for position in free):
            return yaw_deg
    return None


def _place(environment: EnvironmentClient, episode: Episode, yaw_deg: float, large: bool) -> Place:
    start = episode.start.position
    around = [(offset, _pose_at(start, yaw_deg, *offset)) for offset in _positions()]
    here = _pose_at(start, yaw_deg, 0.0, 0.0)
    views = environment.render([here, *(pose for _, pose in around)], [ViewRequest(CAMERA)])
    return Place(
        name=f"{episode.scene} at ({start[0]:.1f}, {start[2]:.1f})",
        view=views[0][CAMERA],
        large=environment.render([here], [ViewRequest(LARGE_CAMERA)])[0][LARGE_CAMERA] if large else None,
        around=tuple(RealView(*offset, seen[CAMERA].rgb) for (offset, _), seen in zip(around, views[1:], strict=True)),
    )


def _pose_at(start: Vec3, yaw_deg: float, ahead_m: float, left_m: float) -> Pose:
    """Return the pose at an offset from a place, with the heading of the place."""
    wrapped = (yaw_deg + 180.0) % 360.0 - 180.0
    return Pose(_at(start, yaw_deg, ahead_m, left_m), yaw_to_quaternion(wrapped))
