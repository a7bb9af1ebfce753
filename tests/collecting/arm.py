"""An arm for tests that shows drawn tasks in microseconds, as long as their seeds say; some not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.collecting.plan import WHOLE, CollectPlan
from harness.collecting.simulators import Demonstration, Moment
from harness.contracts.digest import digest
from harness.contracts.errors import EpisodeError
from tests.collecting.toy import CAMERA, PLAN

ARM_PLAN: CollectPlan = replace(
    PLAN,
    name="arm",
    suite="rlbench",
    environment="rlbench",
    scenes=("push_buttons", "stack_cups/variation3"),
    policies=("demonstration",),
    clips=5,
    clip_frames=WHOLE,
    clips_per_trajectory=1,
    fps=20,
    simulator="a drawn arm",
)


class ToyArm:
    """Moves and turns its gripper steadily and closes it half of the way; ``undone`` scenes are not done in turn."""

    def __init__(self, undone: int = 0) -> None:
        self.camera = CAMERA
        self.simulator = "a drawn arm"
        self.undone = undone
        self.digests: dict[int, str] = {}
        self.asked: list[tuple[str, int]] = []

    def demonstrate(self, scene: str, seed: int) -> Demonstration:
        self.asked.append((scene, seed))
        if self.undone:
            self.undone -= 1
            raise EpisodeError(f"{scene}: not done.")
        count = 20 + seed % 13
        moments = tuple(self._moment(step, count, seed % 97) for step in range(count))
        known = self.digests.get(len(self.asked) - 1, digest([scene, seed]))
        return Demonstration(known, int(scene.partition("variation")[2] or seed % 4), 1 + seed % 3, moments)

    def close(self) -> None:
        self.asked.clear()

    def _moment(self, step: int, count: int, shade: int) -> Moment:
        angle = np.radians(2.0 * step)
        pose = (0.3 + 0.01 * step, 0.01 * (shade % 10), 1.2 - 0.01 * step, np.cos(angle), 0.0, np.sin(angle), 0.0)
        rgb = np.full((self.camera.height, self.camera.width, 3), (40 + shade, 5 * step, 90), np.uint8)
        return Moment(rgb, (*(float(value) for value in pose), float(step < count // 2)))
