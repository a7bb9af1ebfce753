"""How the two services of a run are started: as processes, in containers, or one of each.

The environment's container sees one folder of the host, the homes cache. A world model's container sees its weights
and its authors' code, if any, and nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

from harness.contracts.actions import FORWARD, TURN_LEFT, ActionSpace
from harness.contracts.errors import Refusal
from harness.contracts.from_source import CHECKOUT
from harness.contracts.manifests import FROM_HUB, RANDOM, SERVED, ModelManifest
from harness.records.identity import ImageRecord
from harness.records.resuming import ENV_PYTHON, WM_PYTHON
from harness.running.plan import RUN_LOG_BYTES, RunPlan
from harness.running.run_images import find_image, image_with, own_image
from harness.runtimes.environments import MADE, DeclaredEnvironment, EnvironmentFacts
from harness.runtimes.interpreters import ONE_THREAD, SERVICE, check_interpreter
from harness.runtimes.process import BYTECODE
from harness.runtimes.service import (
    ENVIRONMENT,
    WORLD_MODEL,
    ContainerSpec,
    Mount,
    Service,
    ServiceLimits,
    ServiceSpec,
    start_service,
    unheard,
)
from harness.worldmodels.catalog import BUILT_IN, CatalogEntry
from harness.worldmodels.hub_cache import is_hub_id, repository_folder, weight_files
from harness.worldmodels.packages import imports_of
from harness.worldmodels.plugin_images import PLUGIN_FOLDER
from harness.worldmodels.strangers import bytecode_folder, is_strangers
from tasks.suite import Suite

CODE_IN_IMAGE = Path("/opt/wiw")
HOMES_IN_CONTAINER = "/var/cache/wiw"
SCENES_IN_CONTAINER = "/scenes"
COMPILED = "/tmp/numba"
"""Where a container keeps what it compiles, and what its image brings compiled: with the container it goes."""
HUB_IN_CONTAINER = "/weights/hub"


@dataclass(frozen=True)
class Placement:
    """Where one service runs: in a container or as a process of ``python`` ("" for this one), and on which GPU.

    ``gpu`` is a GPU's UUID. As a process, "" leaves the choice to the service; in a container it means no GPU.
    """

    container: bool = False
    python: str = ""
    gpu: str = ""


def find_gpus(wanted: str) -> Tuple[str, ...]:
    """Return the UUIDs of the GPUs that ``wanted`` names (index or UUID, commas between), in its order; none for "".

    One that is named twice has two replicas. Refusal lists those present.
    """
    if not wanted:
        return ()
    from harness.runtimes import gpus

    present = gpus.list_gpus()
    return tuple(gpus.find_gpu(word.strip(), present).uuid for word in wanted.split(","))


def find_gpu(wanted: str) -> str:
    """Return the UUID of the GPU that ``wanted`` (index or UUID) names, "" for none; Refusal lists those present."""
    if not wanted:
        return ""
    from harness.runtimes import gpus

    return gpus.find_gpu(wanted).uuid


def plan_environment(
    suite: Suite, scenes: Path, digests: Mapping[str, str], where: Placement
) -> Tuple[ServiceSpec, Optional[ImageRecord]]:
    """Return how to start the environment that plays a suite, and its image if it runs in a container.

    ``scenes`` is the folder of its scenes, made or read, and ``digests`` the SHA-256 that they must have (none: as
    they are). Raises Refusal where the interpreter lacks what the environment runs on.
    """
    environment, folder = suite.played_by, scenes.absolute()
    profile = environment.evaluation
    if profile is None:
        raise Refusal(f"{environment.title} plays no episodes.", "Choose another suite.")
    if not where.container:
        environment.require_module(where.python or sys.executable)
        options = profile.values(_facts(suite, str(folder), digests, where.gpu))
        return environment_service(environment, profile.entry_point, options, where), None
    image = find_image(own_image(profile.image))
    if environment.scenes == MADE:
        mount = Mount(str(_container_homes(folder)), HOMES_IN_CONTAINER, writable=True)
    else:
        mount = Mount(str(folder), SCENES_IN_CONTAINER)
    options = profile.values(_facts(suite, mount.target, digests, where.gpu))
    return environment_service(environment, profile.entry_point, options, where, image, (mount,)), image


def environment_service(
    environment: DeclaredEnvironment,
    entry_point: str,
    options: Mapping[str, Any],
    where: Placement,
    image: Optional[ImageRecord] = None,
    mounts: Tuple[Mount, ...] = (),
) -> ServiceSpec:
    """Return how to start an environment: in a container of ``image`` that sees ``mounts``, else as a process."""
    spec = ServiceSpec(ENVIRONMENT, environment.name, entry_point, options=dict(options))
    if image is None:
        return replace(spec, path=environment.path, python=where.python).on_gpu(where.gpu)
    box = ContainerSpec(image.reference, image.id, mounts, where.gpu)
    return replace(spec, environment_variables=_container_variables(), container=box)


def scenes_folder(plan: ServiceSpec, suite: Suite) -> Path:
    """Return the folder on this machine that the environment planned for ``suite`` has its scenes in."""
    if plan.container:
        return Path(plan.container.mounts[0].source)
    profile = suite.played_by.evaluation
    options = profile.options if profile else {}
    return Path(next(str(plan.options[option]) for option, fact in options.items() if fact == "scenes_folder"))


def _facts(suite: Suite, scenes: str, digests: Mapping[str, str], gpu: str) -> EnvironmentFacts:
    """Return what an environment is told of a suite; without a GPU the CPU renders."""
    return EnvironmentFacts(
        scenes_folder=scenes,
        scene_digests=dict(digests),
        walkable_digests=dict(suite.navmesh_digests()) or None,
        walkable_area=dict(suite.navmesh) or None,
        cameras=suite.rig.cameras,
        forward_m=_magnitude(suite.action_space, FORWARD),
        turn_deg=_magnitude(suite.action_space, TURN_LEFT),
        gpu_index=0 if gpu else -1,
    )


def _magnitude(space: ActionSpace, name: str) -> Optional[float]:
    return next((primitive.magnitude for primitive in space.primitives if primitive.name == name), None)


def plan_world_model(
    entry: CatalogEntry, image: Optional[ImageRecord], where: Placement, code: str = ""
) -> Tuple[Optional[ServiceSpec], Optional[ImageRecord]]:
    """Return how to start a world model or policy (None without a service) and its image if it runs in a container.

    ``image`` is the one that the model came from (``--wm-image``). A model of the catalog runs in the image that its
    plugin.toml names, and a family of the project that names none in the project's own, which holds its folder.
    ``code`` is the folder of the authors' code that the user chose ("" for none): a container sees it read-only, and
    never one that its own image names.
    """
    manifest = entry.manifest
    if manifest.kind not in SERVED:
        return None, None
    if image is None and not where.container:
        variables = {BYTECODE: str(bytecode_folder(entry))} if is_strangers(entry) else {}
        return replace(entry.service_spec(where.python), environment_variables=variables).on_gpu(where.gpu), None
    reference, folders = (image.reference, (PLUGIN_FOLDER, *entry.shared)) if image else _catalog_image(entry)
    found = image or find_image(reference)
    mounts, hub = _weights_mounts(manifest)
    plan = ServiceSpec(
        entry.service_kind,
        manifest.name,
        manifest.entry_point,
        tuple(str(folder) for folder in folders),
        manifest=asdict(manifest),
        environment_variables={**_container_variables(), **hub},
        container=ContainerSpec(found.reference, found.id, (*mounts, *_seen_as_here(code)), where.gpu),
        start_s=entry.start_s,
    )
    return plan, found


def _weights_mounts(manifest: ModelManifest) -> Tuple[Tuple[Mount, ...], Dict[str, str]]:
    """Return what a container sees of the weights, read-only, and the variables that say where the hub's are.

    A folder of the user's own keeps its path, since the manifest names it, and so does a file, with the data beside
    it where it is the index of a TensorFlow checkpoint. Of the hub's cache only the model's own repositories are
    shown, at a place of their own.
    """
    if manifest.weights in ("", RANDOM):
        return (), {}
    own = () if manifest.weights == FROM_HUB else _weights_of(Path(manifest.weights))
    sources = [manifest.checkpoint.source] if manifest.weights == FROM_HUB else []
    repositories = [repository_folder(s) for s in (*sources, manifest.base_checkpoint.source) if is_hub_id(s)]
    hub = tuple(Mount(str(r), f"{HUB_IN_CONTAINER}/{r.name}") for r in repositories if r.is_dir())
    return (*own, *hub), {"HF_HUB_CACHE": HUB_IN_CONTAINER, "HF_HUB_OFFLINE": "1"}


def _weights_of(chosen: Path) -> Tuple[Mount, ...]:
    files = (chosen,) if chosen.is_dir() else weight_files(chosen)
    return _seen_as_here(*map(str, files))


def _seen_as_here(*paths: str) -> Tuple[Mount, ...]:
    """Return read-only mounts of paths under their own names; "" is none."""
    return tuple(Mount(path, path) for path in paths if path)


def _catalog_image(entry: CatalogEntry) -> Tuple[str, Tuple[Path, ...]]:
    """Return the image that runs a family of the catalog, and the folders of its code in it."""
    if entry.manifest.image:
        return entry.manifest.image, (PLUGIN_FOLDER, *entry.shared)
    if entry.folder.parent == BUILT_IN:
        families = CODE_IN_IMAGE / BUILT_IN.name
        folders = tuple(families / folder.name for folder in (entry.folder, *entry.shared))
        return own_image(image_with(f"{BUILT_IN.name}/{entry.folder.name}")), folders
    raise Refusal(
        f"world model {entry.manifest.name!r} names no image to run in.",
        f'Build one from {entry.folder} and add image = "NAME" to its plugin.toml, or give it as --wm-image NAME.',
    )


def start(
    service: ServiceSpec,
    start_s: float,
    log: Path,
    log_bytes: int = RUN_LOG_BYTES,
    told: Callable[[str], None] = unheard,
    longest_start_s: float = 0.0,
) -> Service:
    """Start a planned service and return it when it is ready, at most ``start_s`` later; ``told`` gets what it says
    until then, and each time it has ``start_s`` again, up to ``longest_start_s`` in all.

    ``log`` gets its output, of a container at most ``log_bytes`` with what earlier starts left there.
    """
    if service.container is not None:
        _prepare_mounts(service.container)
    limits = ServiceLimits(start_s=start_s, log_bytes=log_bytes, longest_start_s=longest_start_s)
    return start_service(service, limits, log, told)


def _prepare_mounts(container: ContainerSpec) -> None:
    """Make the host folders that a container writes to; as root, give them to the user that containers run as."""
    from harness.runtimes.sandbox import container_user

    for mount in container.mounts:
        if mount.writable:
            Path(mount.source).mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                os.chown(mount.source, *container_user(container))


def _container_homes(homes: Path) -> Path:
    """Return the host folder that containers keep homes in.

    Containers run as the harness's user and share its folder, but never as root: then they have one of their own.
    """
    return homes if os.geteuid() != 0 else homes / "containers"


def _container_variables() -> Dict[str, str]:
    """Return what a container does not inherit: one thread a library, as every process gets, and numba's folder."""
    return {**dict.fromkeys(ONE_THREAD, "1"), "NUMBA_CACHE_DIR": COMPILED}


def check_interpreters(plan: RunPlan) -> None:
    """Raise Refusal, once for all that is missing, where an interpreter that the user named cannot run its service."""
    for service in (plan.environment, plan.world_model, plan.policy):
        if service is not None:
            check_python(service)


def check_python(service: ServiceSpec) -> None:
    """Raise Refusal where the interpreter of one service lacks packages; that of the harness is not looked at."""
    if service.python:
        folders = (*map(Path, service.path), CHECKOUT)
        found = imports_of(service.entry_point.partition(":")[0], folders)
        option = WM_PYTHON if service.kind == WORLD_MODEL else ENV_PYTHON
        check_interpreter(service.python, option, _others(found.first), _others(found.later), service.path)


def _others(packages: Mapping[str, str]) -> dict[str, str]:
    """Return what is not known already as what every service needs."""
    known = {name.partition(".")[0] for name in SERVICE}
    return {name: package for name, package in packages.items() if name not in known}
