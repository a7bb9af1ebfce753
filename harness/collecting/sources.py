"""What a collection is recorded from: a suite's cameras, and the simulator on this machine."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Optional, Tuple

from harness.collecting.choosing import left_out_as_played
from harness.collecting.config import Question, make_plan, of_files
from harness.collecting.plan import CollectPlan
from harness.collecting.services import Machine
from harness.collecting.simulators import backend_of
from harness.contracts.cameras import Rig
from harness.contracts.errors import Refusal
from harness.contracts.folders import cache_root
from harness.contracts.names import nearest
from harness.contracts.published_rigs import COLLECTION_RIG
from harness.contracts.scene_names import list_scenes
from harness.running import run_images
from harness.running.cluster import Cluster
from harness.running.run_images import DOCKER, PROCESS
from harness.running.run_options import check_places, check_runtime, interpreter
from harness.running.scenes import choose_scenes
from harness.running.services import check_python, find_gpu
from harness.runtimes.environments import (
    DeclaredEnvironment,
    collection_of,
    declared_environments,
    demonstrates,
    environment_class,
    find_environment,
    titles_of,
)
from harness.runtimes.service import ENVIRONMENT, ServiceSpec
from tasks.suite import AT, Suite, load_suite

SUITE_RIG, PUBLISHED_RIG = "suite", "published"
FRONT = "front"


@dataclass(frozen=True)
class Source:
    """Whose cameras are recorded; ``loaded`` is None for an environment that no suite plays yet.

    ``scenes_of`` names the environment that the scenes are of: the suite's own, where another one plays it.
    """

    suite: str
    environment: str
    scenes_of: str
    rig: Rig
    loaded: Optional[Suite]


@dataclass(frozen=True)
class Given:
    """What the command line says of this machine."""

    scenes_dir: Optional[Path]
    python: str
    gpu: str
    runtime: str = PROCESS
    cluster: Optional[Cluster] = None


def find_source(name: str) -> Source:
    """Return the suite called ``name``, or the environment of that name whose arm demonstrates tasks of its own."""
    for environment in declared_environments():
        if environment.name == name and demonstrates(environment):
            rig = environment_class(collection_of(environment).entry_point)().describe().rig
            return Source(name, name, name, rig, None)
    chosen = load_suite(name)
    own = load_suite(chosen.name.partition(AT)[0])
    return Source(chosen.name, chosen.environment, own.environment, chosen.rig, chosen)


def choose_rig(source: Source, name: str) -> Source:
    """Return ``source`` with the rig of that name: the suite's, or that of the published collection."""
    if name not in (SUITE_RIG, PUBLISHED_RIG):
        raise Refusal(f"there is no rig {name!r}.", nearest(name, (SUITE_RIG, PUBLISHED_RIG)))
    return replace(source, rig=COLLECTION_RIG) if name == PUBLISHED_RIG else source


def default_camera(source: Source) -> str:
    """Return the camera that is recorded where none was named: ``front``, or the rig's only one."""
    names = [camera.name for camera in source.rig.cameras]
    return FRONT if FRONT in names else names[0]


def prepare(
    question: Question, source: Source, given: Given, say: Callable[[str], None] = print
) -> Tuple[Machine, CollectPlan]:
    """Return where things are and what to collect; a simulator that is no part of the harness is asked who it is.

    ``say`` gets what is left out, and each scene that is exported.
    """
    environment = find_environment(source.environment)
    profile = collection_of(environment)
    if given.cluster is not None:
        _check_cluster(environment, given, given.cluster)
    if question.recorded.keep_roofs and not _knows_roofs(environment):
        raise Refusal(f"--keep-roofs is for {titles_of(_knows_roofs)}.", "Leave it out.")
    if profile.in_process:
        question = _without_faces(question)
        plan = make_plan(question, "")  # refuses wrong words before it looks for a simulator
        machine = _own_machine(given)
        return machine, make_plan(question, _version(plan, machine))
    check_runtime(given.runtime, given.python)
    if source.loaded is None:
        plan = make_plan(question, "")
        machine = _machine(environment, None, given)
        return machine, make_plan(question, _version(plan, machine))
    question = replace(question, navmesh=dict(source.loaded.navmesh))
    homes = scenes_home(source.loaded, given)
    found = list_scenes(homes) if of_files(question) else ()
    if of_files(question) and not found:
        raise Refusal(f"there are no scenes below {homes}.", missing_scenes_step(homes))
    plan = make_plan(question, "", found)
    left_out = left_out_as_played(question.scenes, found)
    if left_out:
        say(f"{left_out} scenes of {question.scenes} are left out: a suite plays them.")
    machine = _machine(environment, source.loaded, given)
    if not of_files(question):
        from harness.collecting.in_process import export_scenes

        export_scenes(plan.scenes, machine.cache_dir, homes, say)
    return machine, make_plan(question, _version(plan, machine), found)


def _check_cluster(environment: DeclaredEnvironment, given: Given, cluster: Cluster) -> None:
    """Raise Refusal for what is of one machine alone, and for GPUs that nothing would use."""
    check_places(cluster, {"--env-gpu": given.gpu}, given.runtime == DOCKER)
    if cluster.gpus and not environment.draws_on_gpu:
        raise Refusal(f"--gpus {cluster.gpus:g}: nothing of {environment.title} uses a GPU.", "Leave it out.")


def _knows_roofs(environment: DeclaredEnvironment) -> bool:
    return environment.collection is not None and "without_roofs" in environment.collection.options.values()


def _is_service(environment: DeclaredEnvironment) -> bool:
    return environment.collection is not None and not environment.collection.in_process


def _version(plan: CollectPlan, machine: Machine) -> str:
    """Start the plan's simulator and return what it calls itself; its log stays where it does not start."""
    logs = Path(tempfile.mkdtemp(prefix="wiw-collect-"))
    backend = backend_of(plan, machine, logs / "simulator.log")
    try:
        version = backend.simulator
    finally:
        backend.close()
    shutil.rmtree(logs, ignore_errors=True)
    return version


def _own_machine(given: Given) -> Machine:
    """Return where homes are that the collecting processes draw themselves."""
    if given.scenes_dir or given.python or given.gpu or given.runtime != PROCESS:
        raise Refusal(
            f"--scenes-dir, --env-python, --env-gpu and --runtime are for {titles_of(_is_service)}: the collecting "
            "processes draw the homes of this suite themselves.",
            "Leave them out.",
        )
    return Machine(str(cache_root()))


def scenes_home(suite: Suite, given: Given) -> Path:
    """Return the folder of all scenes."""
    return choose_scenes(str(given.scenes_dir or ""), suite).absolute()


def _machine(environment: DeclaredEnvironment, suite: Optional[Suite], given: Given) -> Machine:
    """Return where a simulator and the scenes of a suite are; without a suite its scenes are tasks of its own."""
    if suite is None and (given.scenes_dir or given.gpu):
        raise Refusal(
            f"--scenes-dir and --env-gpu are not for {environment.title}: its scenes are tasks of its own, and "
            "it draws on the CPU, or on the display of DISPLAY.",
            "Leave them out.",
        )
    scenes, navmesh = ("", {}) if suite is None else (str(scenes_home(suite, given)), dict(suite.navmesh))
    cache, gpu, profile = str(cache_root()), find_gpu(given.gpu), collection_of(environment)
    if given.runtime == DOCKER:
        image = run_images.find_image(run_images.own_image(profile.image))
        return Machine(cache, "", scenes, gpu, navmesh, image.reference, image.id)
    python = interpreter(given.python, "--env-python") or sys.executable
    environment.require_module(python)
    named = "" if python == sys.executable else python
    check_python(ServiceSpec(ENVIRONMENT, environment.name, profile.entry_point, python=named))
    return Machine(cache, python, scenes, gpu, navmesh)


def _without_faces(question: Question) -> Question:
    """Return a question about a simulator that draws panoramas itself, without the faces of a cube."""
    return replace(question, recorded=replace(question.recorded, face_pixels=0))


def missing_scenes_step(folder: Path) -> str:
    """Return how scenes get below ``folder``."""
    return f"`python benchmark.py datasets` lists the data sets with the steps to get them into {folder}."
