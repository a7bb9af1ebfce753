"""Episodes of image-goal navigation in tests: their payload read, made and changed."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Tuple

from harness.contracts.cameras import Pose
from harness.contracts.digest import to_plain
from harness.contracts.episodes import Episode
from tasks.ignav.episodes import ImageGoal
from tasks.task import payload_of

_OWN = {field.name for field in fields(ImageGoal)}


def goal_of(episode: Episode) -> ImageGoal:
    """Return what an episode asks for."""
    return payload_of(ImageGoal, episode)


def changed(episode: Episode, **changes: Any) -> Episode:
    """Return an episode with other fields, its own or its payload's."""
    own = {name: to_plain(value) for name, value in changes.items() if name in _OWN}
    common = {name: value for name, value in changes.items() if name not in _OWN}
    return replace(episode, **common, payload={**episode.payload, **own})


def image_goal_episode(
    id: str,
    task: str,
    tier: str,
    split: str,
    scene: str,
    home: str,
    start: Pose,
    goal: Pose,
    radius_m: float,
    geodesic_m: float,
    reference_actions: int,
    tags: Tuple[str, ...] = (),
) -> Episode:
    """Return an episode of these fields, its own and its payload's."""
    payload = to_plain(ImageGoal(goal, radius_m, geodesic_m))
    return Episode(id, task, tier, split, scene, home, start, reference_actions, payload, tags)
