"""The networks of `mini_network` without torch: weights as arrays, run by `mini_kernels`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

import mini_kernels as kernels
import numpy as np
import numpy.typing as npt
from mini_shapes import FARTHEST_M, LEAST_LOG, MOST_LOG, NEAREST_M

from harness.contracts.portable import PI, sincos

Floats = npt.NDArray[np.float32]
Pose = Tuple[float, float, float]
"""Ahead and left in metres, yaw in radians (left positive)."""


class Weights:
    """Tensors by name, float32; `under` gives those of a part."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        self._tensors: Dict[str, Floats] = {
            name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()
        }

    def __getitem__(self, name: str) -> Floats:
        return self._tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def under(self, prefix: str) -> Weights:
        """Return the tensors whose names begin with ``prefix``, without it."""
        return Weights({name[len(prefix) :]: value for name, value in self._tensors.items() if name.startswith(prefix)})

    def count(self, prefix: str) -> int:
        """Return how many numbered parts there are under ``prefix``."""
        return len({name[len(prefix) :].split(".")[0] for name in self._tensors if name.startswith(prefix)})


def _convolved(x: Floats, weights: Weights, name: str, rectify: bool, round_sideways: bool = True) -> Floats:
    weight, bias = weights[f"{name}.convolution.weight"], weights[f"{name}.convolution.bias"]
    out: Floats = kernels.convolve(x, weight, bias, round_sideways, rectify)
    return out


def _mixed(x: Floats, weights: Weights, name: str) -> Floats:
    weight = weights[f"{name}.convolution.weight"]
    out: Floats = kernels.mix(x, weight.reshape(weight.shape[:2]), weights[f"{name}.convolution.bias"])
    return out


def _block(x: Floats, weights: Weights, name: str, round_sideways: bool = True) -> Floats:
    inner = _convolved(x, weights, f"{name}.first", True, round_sideways)
    return x + _convolved(inner, weights, f"{name}.second", True, round_sideways)


def hourglass(x: Floats, weights: Weights) -> Floats:
    """Return what `mini_network.Hourglass` makes of planes [C, H, W]: [outputs, H, W]."""
    x = _convolved(kernels.halved(x, False), weights, "stem", False)
    skips: List[Floats] = []
    for number in range(3):
        first_block = 0
        if number:
            x = _mixed(kernels.halved(x, False), weights, f"down.{number}.0")
            first_block = 1
        for block in range(first_block, weights.count(f"down.{number}.")):
            x = _block(x, weights, f"down.{number}.{block}")
        skips.append(x)
    x = _mixed(kernels.halved(x, False), weights, "bottom.0")
    for block in range(1, weights.count("bottom.")):
        x = _block(x, weights, f"bottom.{block}")
    for number in range(3):
        wide = skips.pop().copy()
        kernels.add_doubled(wide, _mixed(x, weights, f"up.{number}.0"))
        x = _block(wide, weights, f"up.{number}.1")
    spread: Floats = kernels.spread_out(_convolved(x, weights, "head", True))
    return spread


def step(floor: Floats, weights: Weights) -> Tuple[bool, float, float]:
    """Return whether a forward from the floor crop [C, 24, 24] is free, and how far (ahead, left) it gets if not, as
    parts of the whole step."""
    x = _convolved(floor, weights, "stem", False, False)
    for number in range(weights.count("layers.")):
        if f"layers.{number}.convolution.weight" in weights:
            x = _mixed(kernels.halved(x, True), weights, f"layers.{number}")
        else:
            x = _block(x, weights, f"layers.{number}", False)
    hidden = kernels.dense(x.ravel(), weights["hidden.weight"], weights["hidden.bias"], True)
    out = kernels.dense(hidden, weights["output.weight"], weights["output.bias"], True)
    return bool(out[0] > 0.0), float(min(max(out[1], -1.0), 1.0)), float(min(max(out[2], -1.0), 1.0))


@dataclass(frozen=True, eq=False)
class Seen:
    """What is made of a view: points float32 [3, N] around the camera, their weights [N] and values [N, C]."""

    points: Floats
    weights: Floats
    values: Floats


@functools.lru_cache(maxsize=4)
def row_sines(height: int, width: int) -> Floats:
    """Return the sine of every row's elevation as a plane [1, H, W]."""
    sines = [sincos((0.5 - (row + 0.5) / height) * PI)[0] for row in range(height)]
    return np.broadcast_to(np.array(sines, np.float32)[None, :, None], (1, height, width)).copy()


def depth_of(view: npt.NDArray[np.uint8], weights: Weights) -> Floats:
    """Return planes [2 + F, H, W] of a view uint8 [H, W, 3]: logarithm of distance, logit of weight, features."""
    colours = np.ascontiguousarray(view.transpose(2, 0, 1)).astype(np.float32) / np.float32(255.0) - np.float32(0.5)
    return hourglass(np.concatenate((colours, row_sines(*view.shape[:2]))), weights)


def seen(view: npt.NDArray[np.uint8], planes: Floats) -> Seen:
    """Return the points of a view uint8 [H, W, 3] from what `depth_of` gave for it."""
    metres = kernels.distances(np.ascontiguousarray(planes[0]), LEAST_LOG, MOST_LOG, NEAREST_M, FARTHEST_M)
    colours = view.reshape(-1, 3).astype(np.float32) / np.float32(255.0)
    features = planes[2:].reshape(planes.shape[0] - 2, -1).T
    values = np.ascontiguousarray(np.concatenate((colours, features), 1))
    return Seen(kernels.points(metres), kernels.sigmoid(np.ascontiguousarray(planes[1])).ravel(), values)


def finished(sums: Floats, cover: Floats, weights: Weights, sines: Floats) -> Tuple[npt.NDArray[np.uint8], Floats]:
    """Return (view uint8 [H, W, 3], logarithm of its expected error [H, W]) of splatted values."""
    base = kernels.filled(sums, cover)
    given = np.concatenate((base[:3] - np.float32(0.5), base[3:], np.minimum(cover, np.float32(1.0))[None], sines))
    out = hourglass(given, weights)
    colours = np.clip(base[:3] + out[:3], np.float32(0.0), np.float32(1.0))
    view = np.floor(colours * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
    return np.ascontiguousarray(view.transpose(1, 2, 0)), out[3]
