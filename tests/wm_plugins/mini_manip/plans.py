"""Plans of a hand, smooth random views and manifests for the tests of `FTmini-manip`."""

from __future__ import annotations

from typing import Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import DISCRETE7, Action, Candidate, Vector
from harness.contracts.cameras import PINHOLE, Camera
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import RolloutRequest
from harness.worldmodels.catalog import load_catalog

CAMERA = Camera("front", PINHOLE, 128, 128, 40.0, 0.0)
HOME = (35, 50, 70, 1)
CARRY = ((50, 40, 17, 0), (50, 40, 31, 0), (50, 60, 31, 0), (50, 60, 24, 1), (50, 60, 31, 1), HOME)
"""Take, lift, carry 20 cm to the left, lower and let go, lift, go home."""
PUSH = ((45, 50, 29, 1), (45, 50, 18, 1), (60, 50, 18, 1), (45, 50, 29, 1), HOME, HOME)
"""Go down behind a thing, push it 15 cm away, go back, go home."""


def actions(plan: Sequence[Tuple[int, ...]]) -> Tuple[Action, ...]:
    return tuple(Vector(DISCRETE7, (*map(float, goal[:3]), 120.0, 60.0, 60.0, float(goal[3]))) for goal in plan)


def manifest(name: str = "FTmini-manip", **fields: object) -> ModelManifest:
    found = load_catalog().find(name).manifest
    values = {field: getattr(found, field) for field in found.__dataclass_fields__}
    return ModelManifest(**{**values, "weights": "random", **fields})  # type: ignore[arg-type]


def view(seed: int = 0) -> npt.NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(0, 256, (16, 16, 3))
    return np.ascontiguousarray(np.kron(small, np.ones((8, 8, 1))).astype(np.uint8))


def request(
    plan: Sequence[Tuple[int, ...]], frames: Sequence[int], seen: npt.NDArray[np.uint8], camera: Camera = CAMERA
) -> RolloutRequest:
    return RolloutRequest(1, 0, seen, camera, Candidate(actions(plan)), tuple(frames))
