"""What is known of RLBench without starting it; light, so that a wrong name is refused at once."""

from __future__ import annotations

from harness.contracts.cameras import Rig
from images.rlbench.demonstrating import RLBenchDemonstrations, demonstrated_parts

MODULE = "rlbench"
"""What an interpreter has to have."""

STEPS_PER_S = 20
"""RLBench shows every step of its simulation, which is 0.05 s long."""


def arm_rig() -> Rig:
    """Return the cameras that evaluation sees the arm with."""
    return RLBenchDemonstrations().describe().rig


def check_arm_scene(scene: str) -> None:
    """Raise Refusal for a name that cannot be demonstrated; whether RLBench has the task shows when it is asked."""
    demonstrated_parts(scene)
