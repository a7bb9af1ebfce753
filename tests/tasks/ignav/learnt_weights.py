"""Weights of the learnt score drawn at random: enough to test how it is computed, useless to navigate with.

Run as a module it prints the bits of some scores: ``python -m tests.tasks.ignav.learnt_weights``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import Camera
from harness.contracts.observations import RGB, View
from tasks.ignav.scores.learnt import GoalComparer
from tasks.ignav.scores.learnt_file import write_tensors
from tasks.ignav.scores.learnt_network import network_from

PANO = Camera("pano", "equirect", 128, 256, 360.0, 1.25)
FRONT = Camera("front", "pinhole", 128, 128, 90.0, 1.25)

_WIDTHS = (3, 24, 48, 48, 64, 64, 64)


def random_tensors(seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Return tensors of the network's shapes, scaled so that signals neither die nor grow."""
    generator = np.random.default_rng(seed)

    def drawn(*shape: int) -> npt.NDArray[Any]:
        inputs = int(np.prod(shape[1:])) if len(shape) > 1 else 100
        values: npt.NDArray[Any] = (generator.random(shape) - 0.5) * np.sqrt(16.0 / inputs)
        return values.astype(np.float32)

    tensors = {"distances_m": (9.0 * (np.arange(24) / 23.0) ** 1.5).astype(np.float32)}
    for encoder in ("panorama", "goal"):
        for number, (inputs, outputs) in enumerate(zip(_WIDTHS, _WIDTHS[1:])):
            size = 3 if number else 5
            tensors[f"{encoder}.{number}.weight"] = drawn(outputs, inputs, size, size)
            tensors[f"{encoder}.{number}.bias"] = drawn(outputs)
    for part in ("panorama", "goal", "product"):
        tensors[f"window_from_{part}.weight"] = drawn(64, 64, 1, 1)
    tensors["window_from_goal.bias"] = drawn(64)
    for number in range(2):
        tensors[f"window_convolutions.{number}.weight"] = drawn(64, 64, 3, 3)
        tensors[f"window_convolutions.{number}.bias"] = drawn(64)
    dense = {"heading": (128, 256), "attention": (4, 128), "goal_summary": (64, 64), "panorama_summary": (64, 128),
             "hidden": (256, 832), "output": (24, 256)}  # fmt: skip
    for name, (outputs, inputs) in dense.items():
        tensors[f"{name}.weight"] = drawn(outputs, inputs)
        tensors[f"{name}.bias"] = drawn(outputs)
    return tensors


def write_weights(folder: Path, name: str = "random", seed: int = 0) -> str:
    """Write random weights; return the file's SHA-256."""
    return write_tensors(folder / f"{name}.safetensors", random_tensors(seed), {"score": "learnt"})


def picture(seed: int, width: int = 256) -> RGB:
    """Return coloured blocks."""
    small = np.random.default_rng(seed).integers(0, 256, (16, width // 8, 3))
    return np.kron(small, np.ones((8, 8, 1), np.int64)).astype(np.uint8)


def scores(count: int = 4) -> list[str]:
    """Return the exact bits of some scores."""
    compare = GoalComparer(network_from(random_tensors()), View(FRONT, picture(100, 128)))
    return [float(compare([View(PANO, picture(seed))])).hex() for seed in range(count)]


if __name__ == "__main__":
    print(json.dumps(scores()))
