"""The network of the learnt score, run without torch: goal view and panorama in, predicted metres out.

Two encoders (stride 8) see the goal, 64 x 64, and the band of a panorama within 45 degrees of the horizon, 64 x 256. At
each of 16 headings the window of the panorama's features is compared with the goal's; attention joins the headings,
so the goal's heading need not be known. The answer is a distribution over 24 distances, of which the mean counts.
`harness.studies.learnt_score.network` is the same network as it is trained; batch norms are folded into convolutions
when it is exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal
from tasks.ignav.scores import learnt_kernels as kernels
from tasks.ignav.scores.learnt_kernels import EDGE, WINDOW, WRAP

Floats = npt.NDArray[np.float32]

GOAL_SIZE = 64
BAND_HEIGHT, BAND_WIDTH = 64, 256
"""Pixels that the encoders see; the band is the middle half of a panorama of 128 x 256."""
STRIDES = (2, 2, 1, 2, 1, 1)
"""Of the encoders' convolutions; the first is 5 x 5, the others 3 x 3, and those of stride 1 add to their input."""
IMAGE_CHANNELS = 4
"""Red, green, blue and an empty one: kernels take inputs in pairs."""

Layers = Tuple[Tuple[Floats, Floats], ...]
"""(weights [size * size * I, O], bias [O]) of convolutions in a row."""


@dataclass(frozen=True, eq=False)
class Network:
    """All weights, arranged for the kernels."""

    panorama: Layers
    goal: Layers
    window_from_panorama: Floats
    window_from_goal: Floats
    window_from_product: Floats
    window_bias: Floats
    window_convolutions: Layers
    heading: Tuple[Floats, Floats]
    attention: Tuple[Floats, Floats]
    goal_summary: Tuple[Floats, Floats]
    panorama_summary: Tuple[Floats, Floats]
    hidden: Tuple[Floats, Floats]
    output: Tuple[Floats, Floats]
    distances_m: Floats

    def goal_features(self, image: Floats) -> GoalFeatures:
        """Return what is kept of a goal view float32 [64, 64, 3] in 0..255."""
        features = _encode(_prepared(image), self.goal, EDGE)
        window = kernels.filled(WINDOW, WINDOW, self.window_bias)
        kernels.convolve(features, 1, 1, self.window_from_goal, window)
        mean, _ = kernels.mean_and_maximum(features)
        return GoalFeatures(features, window, kernels.dense(mean, *self.goal_summary))

    def distance_m(self, goal: GoalFeatures, band: Floats) -> float:
        """Return the predicted geodesic distance from where ``band`` float32 [64, 256, 3] was seen to the goal."""
        features = _encode(_prepared(band), self.panorama, WRAP)
        mapped = np.zeros((*features.shape[:2], self.window_bias.shape[0]), np.float32)
        kernels.convolve(features, 1, 1, self.window_from_panorama, mapped)
        headings = kernels.compare_headings(
            features, mapped, goal.features, goal.window, self.window_from_product,
            self.window_convolutions, *self.heading, *self.attention,
        )  # fmt: skip
        mean, highest = kernels.mean_and_maximum(features)
        here = kernels.dense(np.concatenate((mean, highest)), *self.panorama_summary)
        joined = np.concatenate((headings, goal.summary, here, goal.summary * here))
        hidden = kernels.dense(joined, *self.hidden)
        kernels.rectify(hidden)
        return float(kernels.expected(kernels.dense(hidden, *self.output), self.distances_m))


@dataclass(frozen=True, eq=False)
class GoalFeatures:
    """A goal as it enters every comparison: ``features`` [8, 8, C], its part of the windows [8, 8, J], summary."""

    features: Floats
    window: Floats
    summary: Floats


def network_from(tensors: Mapping[str, npt.NDArray[Any]]) -> Network:
    """Arrange exported tensors for the kernels; Refusal names a tensor that is missing or not finite."""
    taken = _Tensors(tensors)
    return Network(
        panorama=taken.layers("panorama", len(STRIDES), IMAGE_CHANNELS),
        goal=taken.layers("goal", len(STRIDES), IMAGE_CHANNELS),
        window_from_panorama=_rows(taken["window_from_panorama.weight"]),
        window_from_goal=_rows(taken["window_from_goal.weight"]),
        window_from_product=_rows(taken["window_from_product.weight"]),
        window_bias=taken["window_from_goal.bias"],
        window_convolutions=taken.layers("window_convolutions", 2),
        heading=taken.after_convolution("heading"),
        attention=taken.dense("attention"),
        goal_summary=taken.dense("goal_summary"),
        panorama_summary=taken.dense("panorama_summary"),
        hidden=taken.dense("hidden"),
        output=taken.dense("output"),
        distances_m=taken["distances_m"],
    )


class _Tensors:
    """The exported tensors, as float32."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        self._tensors: Dict[str, npt.NDArray[Any]] = dict(tensors)

    def __getitem__(self, name: str) -> Floats:
        if name not in self._tensors:
            raise Refusal(f"the weights of the learnt score lack {name!r}.", "Use a file made by the training command.")
        tensor = np.ascontiguousarray(self._tensors[name], np.float32)
        if not np.isfinite(tensor).all():
            raise Refusal(f"the weights of the learnt score are not finite in {name!r}.", "Train again.")
        return tensor

    def layers(self, name: str, count: int, first_inputs: int = 0) -> Layers:
        """Return the convolutions ``name.0`` ...; inputs of the first are filled up to ``first_inputs`` with zeros."""
        found = []
        for number in range(count):
            weight = self[f"{name}.{number}.weight"]
            if number == 0 and first_inputs:
                weight = np.pad(weight, ((0, 0), (0, first_inputs - weight.shape[1]), (0, 0), (0, 0)))
            found.append((_rows(weight), self[f"{name}.{number}.bias"]))
        return tuple(found)

    def dense(self, name: str) -> Tuple[Floats, Floats]:
        """Return a dense layer's weights [I, O] and bias."""
        return np.ascontiguousarray(self[f"{name}.weight"].T), self[f"{name}.bias"]

    def after_convolution(self, name: str) -> Tuple[Floats, Floats]:
        """Return a dense layer on [C, 2, 2] features, its inputs reordered to the kernels' [2, 2, C]."""
        weight = self[f"{name}.weight"]
        reordered = weight.reshape(weight.shape[0], -1, 2, 2).transpose(2, 3, 1, 0)
        return np.ascontiguousarray(reordered.reshape(weight.shape[1], weight.shape[0])), self[f"{name}.bias"]


def _rows(weight: Floats) -> Floats:
    """Return a convolution's weights [O, I, size, size] as rows [size * size * I, O]."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, weight.shape[0]))


def _prepared(image: Floats) -> Floats:
    """Return an image in -0.5..0.5 with its empty fourth channel."""
    prepared = np.zeros((*image.shape[:2], IMAGE_CHANNELS), np.float32)
    prepared[:, :, :3] = image / np.float32(255.0) - np.float32(0.5)
    return prepared


def _encode(image: Floats, layers: Layers, mode: int) -> Floats:
    features = image
    for number, (stride, (weights, bias)) in enumerate(zip(STRIDES, layers)):
        features = kernels.layer(features, 3 if number else 5, stride, weights, bias, mode)
    return features
