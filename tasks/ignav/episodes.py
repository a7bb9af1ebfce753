"""What image-goal navigation knows of an episode and of a tier beside what every task does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Tuple

from pydantic import Field

from harness.contracts.cameras import Pose

Metres = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
AtLeastZero = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


@dataclass(frozen=True)
class ImageGoal:
    """The payload of an episode: solved within ``radius_m`` of geodesic distance to ``goal``.

    ``geodesic_m`` is the shortest walkable distance from start to goal in metres.
    """

    goal: Pose
    radius_m: Metres
    geodesic_m: Metres


@dataclass(frozen=True)
class TierConstants:
    """What the episodes of a tier are drawn by.

    ``geodesic_m`` is the band of true distances from start to goal, ``radius_m`` the distance that counts as reached.
    Every start lies at least ``least_detour`` times as far from its goal on foot as in a straight line. ``homes`` goes
    before the split in the names of the homes that its episodes are drawn from (``ood-``).
    """

    geodesic_m: Tuple[AtLeastZero, AtLeastZero]
    radius_m: Metres
    least_detour: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.0
    homes: str = ""
