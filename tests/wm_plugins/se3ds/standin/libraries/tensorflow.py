"""Stands for TensorFlow: the few calls that the plugins make, on numpy arrays.

A checkpoint is one file, ``PREFIX.index``: objects in objects as JSON, with a number for each variable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

float32, int32 = np.float32, np.int32
seeds: list[int] = []
"""What the global seed was set to."""


def constant(value: Any, dtype: Any = None) -> Any:
    return np.asarray(value, dtype)


def zeros(shape: Any, dtype: Any = np.float32) -> Any:
    return np.zeros(shape, dtype)


keras = SimpleNamespace(utils=SimpleNamespace(set_random_seed=seeds.append))
random = SimpleNamespace(set_seed=seeds.append)
config = SimpleNamespace(
    list_physical_devices=lambda kind: [],
    experimental=SimpleNamespace(set_memory_growth=lambda device, on: None),
)


class Variable:
    """A number that is saved."""

    def __init__(self, value: float) -> None:
        self.value = value


class Layer:
    """Makes its variable at its first call, as Keras does."""

    built = False

    def __call__(self) -> float:
        if not self.built:
            self.kernel, self.built = Variable(0.5), True
        return self.kernel.value


class Net:
    """Two layers that run, one of them under two names, and one that only training runs."""

    built = True

    def __init__(self) -> None:
        self.first, self.second, self.for_training = Layer(), Layer(), Layer()
        self.again = self.second

    def __call__(self) -> float:
        return self.first() + self.second()


def _tree(prefix: str) -> Any:
    file = Path(f"{prefix}.index")
    if not file.is_file():
        raise AssertionError(f"no checkpoint {prefix}")
    return json.loads(file.read_text())


def _children(part: Any) -> dict[str, Any]:
    return {name: child for name, child in vars(part).items() if isinstance(child, (Variable, Layer, Net))}


class CheckpointView:
    """The saved graph: nodes by number, the root is 0."""

    def __init__(self, prefix: str) -> None:
        self._nodes = [_tree(prefix)]

    def children(self, node_id: int) -> dict[str, int]:
        found = {}
        for name, child in (self._nodes[node_id] if isinstance(self._nodes[node_id], dict) else {}).items():
            self._nodes.append(child)
            found[name] = len(self._nodes) - 1
        return found


def _list_variables(prefix: str) -> list[tuple[str, list[int]]]:
    def below(tree: Any, path: str) -> Iterator[str]:
        for name, child in tree.items():
            yield from (
                below(child, f"{path}{name}/") if isinstance(child, dict) else [f"{path}{name}/.ATTRIBUTES/VALUE"]
            )

    return [(name, []) for name in below(_tree(prefix), "")]


class Checkpoint:
    """Restores the variables that exist, and says nothing of those that are made later."""

    def __init__(self, **roots: Any) -> None:
        self._roots = roots
        self._living: dict[int, str] = {}
        self._matched: set[int] = set()

    def restore(self, prefix: str) -> Checkpoint:
        tree = _tree(prefix)
        for name, part in self._roots.items():
            self._restore(part, tree.get(name, {}), name)
        return self

    def assert_existing_objects_matched(self) -> None:
        left = [path for number, path in self._living.items() if number not in self._matched]
        if left:
            raise AssertionError(f"Found Python objects that were not bound to checkpointed values: {left}")

    def _restore(self, part: Any, tree: Any, path: str) -> None:
        for name, child in _children(part).items():
            if not isinstance(child, Variable):
                self._restore(child, tree.get(name, {}), f"{path}/{name}")
                continue
            self._living[id(child)] = f"{path}/{name}"
            if name in tree:
                child.value = tree[name]
                self._matched.add(id(child))


train = SimpleNamespace(
    Checkpoint=Checkpoint,
    CheckpointView=CheckpointView,
    TrackableView=SimpleNamespace(children=_children),
    list_variables=_list_variables,
)
