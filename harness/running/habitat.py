"""How Habitat is started for a suite, and what must be there before it can be.

Kept apart from the other services because its scenes are files of the user's: licensed ones, or embedded homes that
were exported for it.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from harness.contracts.actions import FORWARD, TURN_LEFT, ActionSpace
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ENVIRONMENT
from harness.records.identity import ImageRecord
from harness.records.resuming import ENV_PYTHON
from harness.running.images import find_image, own_image
from harness.running.plan import ServicePlan
from harness.running.services import Placement
from harness.running.worker_process import ONE_THREAD
from harness.runtimes.interpreters import check_interpreter
from harness.runtimes.specs import ContainerSpec, Mount
from tasks.suite import HABITAT, Suite

ENTRY_POINT = "images.habitat_eval.environment:HabitatEvalEnvironment"
IMAGE = "wiw-bench/habitat_eval"
MODULE = "habitat_sim"
SCENES_IN_CONTAINER = "/scenes"

_REMEDY = (
    "Give the Python of an environment with habitat-sim 0.2.5 as --env-python (docs/habitat.md says how to make one), "
    "or use --runtime docker with its image."
)
_IMPORT_S = 30.0


def plan_habitat(
    suite: Suite, scenes: Path, digests: Mapping[str, str], where: Placement
) -> Tuple[ServicePlan, Optional[ImageRecord]]:
    """Return how to start Habitat with a suite's cameras, steps and walkable area, and its image in a container.

    ``scenes`` is the folder of the scenes, which a container sees read-only, ``digests`` the SHA-256 that their files
    must have (none: as they are). Without a GPU the CPU renders.
    """
    folder = scenes.absolute()
    if not where.container:
        require_module(where.python or sys.executable)
        variables = {"CUDA_VISIBLE_DEVICES": where.gpu} if where.gpu else {}
        options = habitat_options(suite, str(folder), digests, where.gpu)
        return ServicePlan(ENVIRONMENT, HABITAT, ENTRY_POINT, (), where.python, options, variables=variables), None
    image = find_image(own_image(IMAGE))
    plan = ServicePlan(
        ENVIRONMENT,
        HABITAT,
        ENTRY_POINT,
        options=habitat_options(suite, SCENES_IN_CONTAINER, digests, where.gpu),
        variables=dict.fromkeys(ONE_THREAD, "1"),
        container=ContainerSpec(image.reference, image.id, (Mount(str(folder), SCENES_IN_CONTAINER),), where.gpu),
    )
    return plan, image


def habitat_options(suite: Suite, scenes: str, digests: Mapping[str, str], gpu: str) -> Dict[str, Any]:
    """Return the options of the environment."""
    navmeshes = suite.navmesh_digests()
    options: Dict[str, Any] = {
        **({"navmesh_digests": dict(navmeshes)} if navmeshes else {}),
        "rig": [asdict(camera) for camera in suite.rig.cameras],
        "scenes_dir": scenes,
        "scene_digests": dict(digests),
        "forward_m": _magnitude(suite.action_space, FORWARD),
        "turn_deg": _magnitude(suite.action_space, TURN_LEFT),
        "gpu_device_id": 0 if gpu else -1,
    }
    return {**options, "navmesh": dict(suite.navmesh)} if suite.navmesh else options


def has_module(python: str, module: str = MODULE) -> bool:
    """Say whether an interpreter ("" for this one) finds a simulator; it is not imported, which takes seconds."""
    if python in ("", sys.executable):
        return find_spec(module) is not None
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=_IMPORT_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def require_module(python: str, module: str = MODULE, remedy: str = _REMEDY) -> None:
    """Raise Refusal unless the interpreter finds a simulator; where it could run no service at all, that is said."""
    if has_module(python, module):
        return
    if python != sys.executable:
        try:
            check_interpreter(python, ENV_PYTHON, {})
        except Refusal as refusal:
            raise Refusal(refusal.what, remedy) from refusal
    raise Refusal(f"{python} has no {module}.", remedy)


def scenes_folder(plan: ServicePlan) -> Path:
    """Return the folder on this machine that a planned Habitat reads its scenes from."""
    return Path(plan.container.mounts[0].source if plan.container else str(plan.options["scenes_dir"]))


def _magnitude(space: ActionSpace, name: str) -> float:
    return next(primitive.magnitude for primitive in space.primitives if primitive.name == name)
