"""What a collection is recorded from: a suite's cameras, and the simulator on this machine."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

from harness.cli.console import note
from harness.contracts.cameras import Rig
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from harness.collecting.asking import Question
    from harness.collecting.machine import Machine
    from harness.collecting.plan import CollectPlan
    from tasks.suite import Suite


@dataclass(frozen=True)
class Source:
    """Whose cameras are recorded; ``loaded`` is None for RLBench, which no suite plays yet."""

    suite: str
    environment: str
    rig: Rig
    loaded: Optional[Suite]


@dataclass(frozen=True)
class Given:
    """What the command line says of this machine."""

    scenes_dir: Optional[Path]
    python: str
    gpu: str


def find_source(name: str) -> Source:
    """Return the suite called ``name``, or RLBench."""
    from harness.collecting.plan import RLBENCH

    if name == RLBENCH:
        from harness.collecting.arms import arm_rig

        return Source(RLBENCH, RLBENCH, arm_rig(), None)
    from tasks.suite import load_suite

    chosen = load_suite(name)
    return Source(chosen.name, chosen.environment, chosen.rig, chosen)


def prepare(question: Question, source: Source, given: Given) -> Tuple[Machine, CollectPlan]:
    """Return where things are and what to collect; a simulator that is no part of the harness is asked who it is."""
    from harness.collecting.asking import make_plan
    from harness.collecting.backends import EMBEDDED
    from harness.collecting.homes import SIMULATOR

    if source.environment == EMBEDDED:
        return _embedded_machine(given), make_plan(question, SIMULATOR)
    if source.loaded is None:
        plan = make_plan(question, "")  # refuses wrong words before it looks for an interpreter
        machine = _arm_machine(given)
        return machine, make_plan(question, _version(plan, machine))
    machine = _habitat_machine(source.loaded, given)
    homes = Path(machine.scenes_dir)
    of_embedded = question.suite.startswith(EMBEDDED)
    found = () if of_embedded else tuple(sorted(path.stem for path in homes.glob("*.glb")))
    plan = make_plan(question, "", found)
    if of_embedded:
        from harness.collecting.embedded import export_scenes

        export_scenes(plan.scenes, machine.cache_dir, homes, note)
    return machine, make_plan(question, _version(plan, machine), found)


def _version(plan: CollectPlan, machine: Machine) -> str:
    """Start the plan's simulator and return what it calls itself."""
    from harness.collecting.backends import backend_of

    with tempfile.TemporaryDirectory() as logs:
        backend = backend_of(plan, machine, Path(logs) / "simulator.log")
        try:
            return backend.simulator
        finally:
            backend.close()


def _embedded_machine(given: Given) -> Machine:
    from harness.cli.paths import cache_root
    from harness.collecting.machine import Machine

    if given.scenes_dir or given.python or given.gpu:
        raise Refusal(
            "--scenes-dir, --env-python and --env-gpu are for Habitat, --env-python for RLBench too.", "Leave them out."
        )
    return Machine(str(cache_root()))


def _arm_machine(given: Given) -> Machine:
    from harness.cli.paths import cache_root
    from harness.collecting.arms import MODULE
    from harness.collecting.machine import Machine
    from harness.running.habitat import has_module

    if given.scenes_dir or given.gpu:
        raise Refusal(
            "--scenes-dir and --env-gpu are for Habitat.",
            "Leave them out: CoppeliaSim draws on the display of DISPLAY.",
        )
    interpreter = given.python or sys.executable
    if not has_module(interpreter, MODULE):
        raise Refusal(
            f"{interpreter} has no {MODULE}.",
            "Give the Python of an environment with RLBench and PyRep as --env-python (images/rlbench/README.md).",
        )
    return Machine(str(cache_root()), interpreter)


def _habitat_machine(suite: Suite, given: Given) -> Machine:
    from harness.cli.paths import cache_root
    from harness.cli.scenes import choose_scenes
    from harness.collecting.machine import Machine
    from harness.running.habitat import require_module

    interpreter = given.python or sys.executable
    require_module(interpreter)
    folder = choose_scenes(str(given.scenes_dir or ""), suite)
    return Machine(str(cache_root()), interpreter, str(folder.absolute()), given.gpu, dict(suite.navmesh))
