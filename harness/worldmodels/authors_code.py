"""Code of a model's authors that the user supplies: looked for before anything starts.

Such code is no part of a plugin: its licence may forbid to pass it on. A plugin that runs it declares the setting
``code``, the folder of a checkout, and its plugin.toml says how to get one (``code_from``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.contracts.folders import absolute
from harness.contracts.manifests import ModelManifest
from harness.worldmodels.weights import Lack

SETTING = "code"
IN_IMAGE = Path("/code")
"""Where the code lies in an image that was built with it: what an empty setting means."""


def with_chosen_code(manifest: ModelManifest) -> ModelManifest:
    """Return the manifest with the folder that the user chose as an absolute path: a service starts elsewhere."""
    folder = str(manifest.settings[SETTING])
    whole = str(absolute(folder)) if folder else ""
    return replace(manifest, settings={**manifest.settings, SETTING: whole})


def code_lacks(manifest: ModelManifest, container: bool, chosen: bool, code_from: str) -> tuple[Lack, ...]:
    """Return what a model lacks of its authors' code; () where nothing can be said before it starts.

    ``chosen`` says that the folder comes from the user. Any other path is one of the ``container`` that the model
    runs in, if it does.
    """
    if SETTING not in manifest.settings or (container and not chosen):
        return ()
    folder = str(manifest.settings[SETTING])
    if (Path(folder) if folder else IN_IMAGE).is_dir():
        return ()
    why = f"{folder} is no folder" if folder else f"the setting {SETTING} is empty"
    get = code_from or f"get it from its authors (the README of {manifest.family!r})"
    return (
        Lack(
            f"the authors' own code, which {manifest.name} runs and which is not part of it: {why}",
            (get, f"then --set {SETTING}=/path/to/the/checkout"),
            learnt=False,
        ),
    )
