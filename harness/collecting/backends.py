"""Starts the simulator that a plan names."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from harness.collecting.frames import Backend, Demonstrator
from harness.collecting.machine import Machine
from harness.collecting.plan import PLAIN, RLBENCH, CollectPlan, Recorded
from harness.contracts.cameras import Camera

EMBEDDED, HABITAT = "embedded", "habitat"


def make_backend(
    environment: str, camera: Camera, machine: Machine, log: Path, how: Recorded = PLAIN
) -> Union[Backend, Demonstrator]:
    """Return the simulator of ``environment``; what a service says goes to ``log``."""
    if environment == EMBEDDED:
        from harness.collecting.embedded import EmbeddedBackend

        return EmbeddedBackend(machine.cache_dir, camera, how.depth)
    if environment == RLBENCH:
        from harness.collecting.rlbench import RLBenchDemonstrator

        return RLBenchDemonstrator(camera, machine, log)
    from harness.collecting.habitat import HabitatBackend

    return HabitatBackend(camera, machine, log, how)


def backend_of(plan: CollectPlan, machine: Machine, log: Path) -> Union[Backend, Demonstrator]:
    """Return the simulator of a plan."""
    return make_backend(plan.environment, plan.camera, machine, log, plan.recorded)
