"""TensorFlow and its checkpoints, for models whose code is written in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from official_code import OfficialCode

from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, ModelManifest

INDEX = ".index"


def import_tensorflow(code: OfficialCode) -> ModuleType:
    """Return TensorFlow, which takes memory as it needs it; Refusal says how to get it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    tensorflow = code.import_module("tensorflow")
    for device in tensorflow.config.list_physical_devices("GPU"):
        tensorflow.config.experimental.set_memory_growth(device, True)
    return tensorflow


def checkpoint_prefix(manifest: ModelManifest, name: str) -> str:
    """Return what TensorFlow calls a checkpoint: the path of its files without their endings.

    The chosen weights are a folder that holds checkpoint ``name`` or just one, or the ``.index`` file of one.
    """
    if manifest.weights in ("", FROM_HUB):
        raise Refusal(
            f"the weights of {manifest.name!r} are not here: {manifest.checkpoint.source} ({manifest.licence}).",
            "Fetch and unpack them; then --weights /path/to/the/checkpoint.index.",
        )
    path = Path(manifest.weights)
    files = sorted(path.rglob(f"*{INDEX}")) if path.is_dir() else [path]
    named = [file for file in files if file.name == f"{name}{INDEX}"] or (files if len(files) == 1 else [])
    if not named or named[0].suffix != INDEX:
        found = ", ".join(file.name for file in files) or "none"
        raise Refusal(
            f"{path} holds no TensorFlow checkpoint {name!r}; there: {found}.",
            "Give the .index file of one, or name it: --set checkpoint_file=NAME.",
        )
    return str(named[0])[: -len(INDEX)]


@contextmanager
def tensorflow_refusals(name: str, checkpoint: object) -> Iterator[None]:
    """Turn what TensorFlow says of a checkpoint that is not one, or of another model, into a Refusal."""
    try:
        yield
    except Refusal:
        raise
    except Exception as error:  # TensorFlow has many classes for this, AssertionError among them
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Refusal(
            f"{name!r} cannot be made from {checkpoint or 'random weights'}: {first}", "Give its own checkpoint."
        ) from error


def signed_seed(seed: int) -> int:
    """Return the seed that TensorFlow gets for the uint64 seed of a request: it takes signed numbers."""
    return seed % 2**63
