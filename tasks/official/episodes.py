"""Published image-goal episodes in the harness's own form, for the suite ``wiw-v1``.

The published file has no distance from start to goal, which SPL in metres needs. Only a simulator with the scene can
tell it, so it is measured once, when a suite's data are made, and is then part of the suite's hash.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from harness.contracts.cameras import Pose, Quaternion
from harness.contracts.digest import to_plain
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.walkable import Walkable, read_walkable
from harness.wire.sdk import Environment, Navigation, require
from tasks.ignav.episodes import ImageGoal
from tasks.official.files import OfficialFile
from tasks.official.records import UNIT_TOLERANCE, IGNavItem
from tasks.official.scenes import HM3D_VAL
from tasks.task import payload_of

TASK = "ignav"
_DIGITS = 6


def ignav_episodes(official: OfficialFile[IGNavItem], tier: str, split: str) -> Tuple[Episode, ...]:
    """Return the episodes of the published file, in its order.

    ``geodesic_m`` is the straight distance until `measure_distances` replaces it: no way is shorter. The unit of
    clustering is the scene's folder, the building. The tag ``datum:<id>`` finds the published goal image. An item
    that is no episode of a standing body is left out (`refused_items`); Refusal where nothing is left.
    """
    episodes, refused = _converted(official, tier, split)
    if not episodes:
        raise refused[0]
    return episodes


def refused_items(official: OfficialFile[IGNavItem], tier: str, split: str) -> Tuple[str, ...]:
    """Return what is wrong with each item that `ignav_episodes` leaves out, after those that the reader refused."""
    return (*official.refused, *(refusal.what for refusal in _converted(official, tier, split)[1]))


def _converted(
    official: OfficialFile[IGNavItem], tier: str, split: str
) -> Tuple[Tuple[Episode, ...], Tuple[Refusal, ...]]:
    episodes: List[Episode] = []
    refused: List[Refusal] = []
    for number, item in enumerate(official.items):
        try:
            episodes.append(_episode(official, number, item, tier, split))
        except Refusal as refusal:
            refused.append(refusal)
    return tuple(episodes), tuple(refused)


def measure_distances(
    episodes: Sequence[Episode], environment: Environment, grounds: Optional[Dict[str, Walkable]] = None
) -> Iterator[Episode]:
    """Yield each episode with the environment's walkable distance from start to goal.

    Raises Refusal where there is no way: such an episode cannot be solved here, and the scene or its navigation mesh
    is another than the published one. ``grounds`` is filled with what the environment tells of each scene.
    """
    navigation = require(environment, Navigation)
    for episode in episodes:
        walkable = read_walkable(environment.reset(episode, 0, []).info)
        if walkable is not None and grounds is not None:
            grounds[episode.scene] = walkable
        goal = payload_of(ImageGoal, episode)
        distance = navigation.geodesic_distance(episode.start.position, goal.goal.position)
        if not math.isfinite(distance) or distance <= 0.0:
            raise Refusal(
                f"episode {episode.id}: the walkable distance from start to goal is {distance} m in scene "
                f"{episode.scene}.",
                "Check the scene's version and its navigation mesh.",
            )
        yield replace(episode, payload=to_plain(replace(goal, geodesic_m=round(distance, _DIGITS))))


def _episode(official: OfficialFile[IGNavItem], number: int, item: IGNavItem, tier: str, split: str) -> Episode:
    where = f"{official.path}: item {number} (datum_id {item.datum_id!r})"
    building, _, rest = item.scene_relpath.partition("/")
    if not rest.endswith(".glb"):
        raise Refusal(
            f"{where}: field scene_relpath: found {item.scene_relpath!r}, expected <building>/<scene>.glb.",
            "Fetch the file again.",
        )
    return Episode(
        id=f"{building}-E{item.episode_id:03d}",
        task=TASK,
        tier=tier,
        split=split,
        scene=f"{HM3D_VAL}/{item.scene_relpath}",
        home=building,
        start=Pose(item.start_position, _upright(item.start_rotation, f"{where}: field start_rotation")),
        reference_actions=item.step_to_goal,
        payload=to_plain(
            ImageGoal(
                goal=Pose(item.goal_position, _upright(item.goal_rotation, f"{where}: field goal_rotation")),
                radius_m=item.goal_radius,
                geodesic_m=round(max(math.dist(item.start_position, item.goal_position), 10.0**-_DIGITS), _DIGITS),
            )
        ),
        tags=(f"datum:{item.datum_id}",),
    )


def _upright(rotation: Quaternion, where: str) -> Quaternion:
    """Return the rotation about y, of length 1: a body stands upright, and the file's decimals are rounded."""
    w, x, y, z = rotation
    if abs(x) > UNIT_TOLERANCE or abs(z) > UNIT_TOLERANCE:
        raise Refusal(f"{where}: found {rotation}, expected a rotation about y (w, 0, y, 0).", "Fetch the file again.")
    length = math.sqrt(w * w + y * y)
    return (w / length, 0.0, y / length, 0.0)
