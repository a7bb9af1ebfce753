"""TensorFlow and its checkpoints, for models whose code is written in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from official_code import OfficialCode

from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, ModelManifest

INDEX = ".index"
_SHOWN = 8


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


def check_restored(tensorflow: Any, prefix: str, root: str, model: Any) -> None:
    """Load checkpoint ``prefix`` into a model that has run once; Refusal names what it lacks or is foreign.

    ``root`` is what the checkpoint calls the model; what else it holds (optimizers, other networks) is not looked at.
    The official code asks whether everything was restored before Keras has made the variables, which it does at a
    layer's first call: one that the checkpoint does not hold would keep the random value that it was made with. Layers
    that never run, as those for training alone, have no variables here, and what is saved of them is not foreign.
    """
    saved = tensorflow.train.CheckpointView(prefix)
    top = saved.children(0)
    if root not in top:
        raise Refusal(f"{prefix} holds no {root!r}, only {', '.join(sorted(top)) or 'nothing'}.", "Give its own.")
    walk = _Walk(tensorflow, saved, {name for name, _ in tensorflow.train.list_variables(prefix)})
    walk.compare(top[root], model, root)
    lacking = [path for path, variable in walk.variables.items() if id(variable) not in walk.matched]
    if lacking or walk.foreign:
        parts = (("lacks", lacking), ("holds the foreign", walk.foreign))
        told = ", and ".join(f"{what} {_some(names)}" for what, names in parts if names)
        raise Refusal(f"{prefix} is not of this model: it {told}.", "Give its own checkpoint.")
    tensorflow.train.Checkpoint(**{root: model}).restore(prefix).assert_existing_objects_matched()


class _Walk:
    """Goes through a saved graph and a living one side by side; both name the parts of an object alike."""

    def __init__(self, tensorflow: Any, saved: Any, keys: set[str]) -> None:
        self._variable = tensorflow.Variable
        self._living = tensorflow.train.TrackableView
        self._saved = saved
        self._keys = keys
        self._seen: set[tuple[int | None, int]] = set()
        self.variables: dict[str, Any] = {}
        self.matched: set[int] = set()
        self.foreign: list[str] = []

    def compare(self, node: int | None, part: Any, path: str) -> None:
        """Note the variables of ``part``, and which of them the saved ``node`` holds (None: there is none)."""
        if (node, id(part)) in self._seen:
            return
        self._seen.add((node, id(part)))
        if isinstance(part, self._variable):
            self.variables[path] = part
            if node is not None:
                self.matched.add(id(part))
            return
        saved = {} if node is None else self._saved.children(node)
        living = self._living.children(part)
        for name, child in living.items():
            self.compare(saved.get(name), child, f"{path}/{name}")
        if getattr(part, "built", True):
            self.foreign += [f"{path}/{name}" for name in saved if name not in living and self._holds(f"{path}/{name}")]

    def _holds(self, path: str) -> bool:
        """Say whether something is saved below ``path``: Keras saves objects without values as well."""
        return any(key.startswith(f"{path}/") for key in self._keys)


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def signed_seed(seed: int) -> int:
    """Return the seed that TensorFlow gets for the uint64 seed of a request: it takes signed numbers."""
    return seed % 2**63
