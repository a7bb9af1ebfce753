"""Panoramas of a ring of coloured posts: a turn is a roll of the picture, so actions can be learnt from few of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.collecting.plan import CollectPlan, Recorded
from harness.collecting.simulators import Frame
from harness.contracts.cameras import EQUIRECT, Camera, quaternion_to_yaw
from tests.collecting.toy import PLAN, ToyBackend, make_data

CAMERA = Camera("pano", EQUIRECT, 16, 32, 360.0, 1.25)
TOY = Path(__file__).parent / "toy"


class Ring(ToyBackend):
    """Sixteen posts of colours that the scene decides, all around whoever looks."""

    def __init__(self) -> None:
        super().__init__(camera=CAMERA)

    def _frame(self, collided: bool) -> Frame:
        colours = np.random.default_rng(sum(self._scene.encode())).integers(0, 256, (16, 3), dtype=np.uint8)
        turned = round(quaternion_to_yaw(self._pose.rotation) / 22.5)
        row = np.repeat(np.roll(colours, turned, axis=0), CAMERA.width // 16, axis=0)
        rgb = np.ascontiguousarray(np.broadcast_to(row, (CAMERA.height, CAMERA.width, 3)))
        depth = np.full((CAMERA.height, CAMERA.width), 2.5, np.float32)
        depth[0] = 0.0
        return Frame(rgb, self._pose, collided, depth)


WALKS = replace(
    PLAN, name="walks", camera=CAMERA, scenes=tuple(f"train-{n}" for n in range(9000, 9006)), policies=("random",),
    clips=18, clip_frames=6, layout="folders", recorded=Recorded(depth=True),
)  # fmt: skip
HELD_OUT = replace(
    WALKS, name="held-out", split="validation", scenes=tuple(f"validation-{n}" for n in range(9000, 9006))
)


def make_walks(folder: Path, plan: CollectPlan = WALKS) -> Path:
    """Return the folder of a data set that the real collector wrote, in this world."""
    return make_data(folder, plan, Ring())
