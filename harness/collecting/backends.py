"""Starts the simulator that a plan names. What differs between machines is here and never in the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Union

from harness.collecting.frames import Backend, Demonstrator
from harness.collecting.plan import RLBENCH, CollectPlan
from harness.contracts.cameras import Camera

EMBEDDED, HABITAT = "embedded", "habitat"


@dataclass(frozen=True)
class Machine:
    """Where things are on this machine: baked homes; for other simulators the interpreter; for Habitat its scenes, GPU
    and walkable area."""

    cache_dir: str
    python: str = ""
    scenes_dir: str = ""
    gpu: str = ""
    navmesh: Mapping[str, Any] = field(default_factory=dict)


def make_backend(environment: str, camera: Camera, machine: Machine, log: Path) -> Union[Backend, Demonstrator]:
    """Return the simulator of ``environment``; what a service says goes to ``log``."""
    if environment == EMBEDDED:
        from harness.collecting.embedded import EmbeddedBackend

        return EmbeddedBackend(machine.cache_dir, camera)
    if environment == RLBENCH:
        from harness.collecting.rlbench import RLBenchDemonstrator

        return RLBenchDemonstrator(camera, machine, log)
    from harness.collecting.habitat import HabitatBackend

    return HabitatBackend(camera, machine, log)


def backend_of(plan: CollectPlan, machine: Machine, log: Path) -> Union[Backend, Demonstrator]:
    """Return the simulator of a plan."""
    return make_backend(plan.environment, plan.camera, machine, log)
