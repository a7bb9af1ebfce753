"""Starts the simulator that a plan names."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from harness.collecting.placement import Machine
from harness.collecting.plan import PLAIN, CollectPlan, Recorded
from harness.collecting.simulators import Backend, Demonstrator
from harness.contracts.cameras import Camera
from harness.runtimes.environments import (
    DEMONSTRATIONS,
    EnvironmentFacts,
    collection_of,
    environment_class,
    find_environment,
)


def make_backend(
    name: str, camera: Camera, machine: Machine, log: Path, how: Recorded = PLAIN
) -> Union[Backend, Demonstrator]:
    """Return the simulator of the environment called ``name``; what a service says goes to ``log``."""
    environment = find_environment(name)
    profile = collection_of(environment)
    if profile.in_process:
        from harness.collecting.in_process import InProcessWalks

        facts = EnvironmentFacts(scenes_folder=machine.cache_dir)
        simulator = environment_class(profile.entry_point)(**profile.values(facts)).describe().simulator
        return InProcessWalks(simulator, machine.cache_dir, camera, how.depth)
    if profile.data == DEMONSTRATIONS:
        from harness.collecting.demonstration_service import DemonstrationService

        return DemonstrationService(environment, camera, machine, log)
    from harness.collecting.walk_service import WalkService

    return WalkService(environment, camera, machine, log, how)


def backend_of(plan: CollectPlan, machine: Machine, log: Path) -> Union[Backend, Demonstrator]:
    """Return the simulator of a plan."""
    return make_backend(plan.environment, plan.camera, machine, log, plan.recorded)
