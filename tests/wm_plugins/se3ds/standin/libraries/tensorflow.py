"""Stands for TensorFlow: the few calls that the plugins make, on numpy arrays."""

from __future__ import annotations

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
