"""Small panoramas, actions and requests for the tests of `mini`."""

from __future__ import annotations

from typing import Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Action, Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, Camera, Pose, yaw_to_quaternion
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import ContextView, RolloutRequest
from harness.worldmodels.catalog import load_catalog

AHEAD, LEFT, RIGHT = Primitive(FORWARD, 0.2), Primitive(TURN_LEFT, 22.5), Primitive(TURN_RIGHT, 22.5)
HEIGHT, WIDTH = 128, 256
CAMERA = Camera("pano", EQUIRECT, HEIGHT, WIDTH, 360.0, 1.25)


def manifest(name: str = "FTmini", **fields: object) -> ModelManifest:
    """Return the manifest of a model of the family."""
    found = load_catalog().find(name).manifest
    values = {field: getattr(found, field) for field in found.__dataclass_fields__}
    return ModelManifest(**{**values, "weights": "random", **fields})  # type: ignore[arg-type]


def view(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.uint8]:
    """Return a smooth random panorama."""
    draws = np.random.default_rng(seed)
    small = draws.integers(0, 256, (height // 8, width // 8, 3))
    return np.ascontiguousarray(np.kron(small, np.ones((8, 8, 1))).astype(np.uint8))


def request(
    actions: Sequence[Action],
    frames: Sequence[int],
    seen: npt.NDArray[np.uint8],
    context: Sequence[Tuple[npt.NDArray[np.uint8], float]] = (),
) -> RolloutRequest:
    """Return a request; ``context`` holds earlier views and how far behind (metres) they are said to have been."""
    earlier = tuple(ContextView(rgb, Pose((0.0, 0.0, behind), yaw_to_quaternion(0.0))) for rgb, behind in context)
    return RolloutRequest(1, 0, seen, CAMERA, Candidate(tuple(actions)), tuple(frames), context=earlier)
