"""What of a command line a resume of its run needs once more (`harness.records.resuming`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.contracts.folders import absolute
from harness.contracts.manifests import NETWORK, PLUGIN, ModelManifest
from harness.records.resuming import (
    CALL_TIMEOUT,
    ENV_GPU,
    ENV_PYTHON,
    MAX_FAILURES,
    PLUGINS,
    SCENES,
    START_TIMEOUT,
    WEIGHTS,
    WM_GPU,
    WM_PYTHON,
    is_path,
)
from harness.running.services import Placement
from harness.worldmodels.authors_code import SETTING as CODE
from harness.worldmodels.conditioning import PLAN_ACTIONS
from harness.worldmodels.overrides import FACTS, PREFIX
from harness.worldmodels.prompts import SETTING as PROMPT_TEMPLATE

if TYPE_CHECKING:
    from harness.cli.options import RunOptions


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
        MAX_FAILURES: options.patience.max_failures,
        CALL_TIMEOUT: options.patience.timeout_s,
        START_TIMEOUT: options.patience.start_s,
    }
    found += [f"{option}={value:g}" for option, value in patience.items() if value is not None]
    for assignment in options.choice.assignments:
        key, _, text = assignment.partition("=")
        short = key.strip().removeprefix(PREFIX)
        value = manifest.settings.get(short)
        if needs_word(short, value, manifest):
            found.append(f"--set={key}={value if short == CODE else text}")
    return tuple(found)


def needs_word(key: str, value: object, manifest: ModelManifest) -> bool:
    """Say whether an override has to be given again: text may name a file, an address or code, and numbers of a model
    that asks others over the network are money. What the harness itself reads of a model is neither."""
    if manifest.kind != PLUGIN or key in (*FACTS, PROMPT_TEMPLATE, PLAN_ACTIONS):
        return False
    return isinstance(value, str) or isinstance(manifest.settings.get(key), str) or NETWORK in manifest.needs
