"""Which options a resume of a run needs once more.

A run folder may come from anybody, and is read, never run: it is not believed about anything that is executed, that is
opened on this machine, or that costs money. What it is believed about is checked against the catalog and the suite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.contracts.folders import absolute
from harness.contracts.manifests import FROM_HUB, NETWORK, PLUGIN, RANDOM, ModelManifest
from harness.records.identity import RunRecord
from harness.running.services import Placement
from harness.worldmodels.authors_code import SETTING as CODE
from harness.worldmodels.conditioning import PLAN_ACTIONS
from harness.worldmodels.overrides import FACTS, PREFIX
from harness.worldmodels.prompts import SETTING as PROMPT_TEMPLATE

if TYPE_CHECKING:
    from harness.cli.options import RunOptions

ENV_PYTHON, WM_PYTHON, ENV_GPU, WM_GPU = "--env-python", "--wm-python", "--env-gpu", "--wm-gpu"
SCENES, WEIGHTS, PLUGINS = "--scenes", "--weights", "--plugins"
KNOWN = (ENV_PYTHON, WM_PYTHON, ENV_GPU, WM_GPU, SCENES, WEIGHTS, PLUGINS)


def words(
    options: RunOptions, environment: Placement, world_model: Placement, manifest: ModelManifest
) -> tuple[str, ...]:
    """Return what a resume of a run with these options needs, as ``--option=value``, with paths that hold anywhere."""
    given = {
        ENV_PYTHON: environment.python,
        WM_PYTHON: world_model.python,
        ENV_GPU: environment.gpu,
        WM_GPU: world_model.gpu,
        SCENES: str(absolute(options.scenes)) if options.scenes else "",
        WEIGHTS: manifest.weights if is_path(manifest.weights) else "",
    }
    found = [f"{option}={value}" for option, value in given.items() if value]
    found += [f"{PLUGINS}={absolute(folder)}" for folder in options.plugins]
    patience = {
        "--max-failures": options.patience.max_failures,
        "--timeout": options.patience.timeout_s,
        "--start-timeout": options.patience.start_s,
    }
    found += [f"{option}={value:g}" for option, value in patience.items() if value is not None]
    for assignment in options.choice.assignments:
        key, _, text = assignment.partition("=")
        short = key.strip().removeprefix(PREFIX)
        value = manifest.settings.get(short)
        if needs_word(short, value, manifest):
            found.append(f"--set={key}={value if short == CODE else text}")
    return tuple(found)


def is_path(weights: str) -> bool:
    """Say whether ``weights`` of a manifest are files of the user's own."""
    return weights not in ("", FROM_HUB, RANDOM)


def needs_word(key: str, value: object, manifest: ModelManifest) -> bool:
    """Say whether an override has to be given again: text may name a file, an address or code, and numbers of a model
    that asks others over the network are money. What the harness itself reads of a model is neither."""
    if manifest.kind != PLUGIN or key in (*FACTS, PROMPT_TEMPLATE, PLAN_ACTIONS):
        return False
    return isinstance(value, str) or isinstance(manifest.settings.get(key), str) or NETWORK in manifest.needs


def needed(record: RunRecord) -> frozenset[str]:
    """Return the options that a run was begun with and that have to be given again, whatever its version.

    The folder can only make more of them necessary, which does no harm.
    """
    execution = record.execution
    listed = execution.get("again")
    found = {option for option in KNOWN if isinstance(listed, list) and option in listed}
    for service, python, gpu in (("environment", ENV_PYTHON, ENV_GPU), ("world_model", WM_PYTHON, WM_GPU)):
        planned = _mapping(execution.get(service))  # of earlier versions, which kept how a service was started
        if planned.get("python"):
            found.add(python)
        if _mapping(planned.get("variables")).get("CUDA_VISIBLE_DEVICES"):
            found.add(gpu)
        if _mapping(planned.get("container")).get("gpu_uuid"):
            found.add(gpu)
    if is_path(str(record.identity.wm_manifest.get("weights", ""))):
        found.add(WEIGHTS)
    return frozenset(found)


def in_containers(record: RunRecord) -> bool:
    """Say whether a run was begun with ``--runtime docker``.

    The folder is believed about this word alone: which image then runs is the catalog's.
    """
    services = [_mapping(record.execution.get(kind)) for kind in ("environment", "world_model")]
    boxed = [bool(service.get("container")) for service in services if service]
    return all(boxed) and bool(boxed) if record.identity.wm_image is None else bool(services[0].get("container"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
