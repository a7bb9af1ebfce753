"""Statistics of features, exact: sums of whole numbers for images, correctly rounded sums for the rest.

Exact sums have no order, so statistics do not depend on how the data were divided among processes.
"""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.contracts.observations import RGB

Stats = Dict[str, Any]
"""min, max, mean, std and count of a feature; of an image each channel as [[[value]]], in 0 to 1."""


def image_stats(frames: RGB) -> Stats:
    """Return the statistics of frames uint8 [T, H, W, 3], channels scaled to 0..1."""
    histograms = [np.bincount(frames[..., channel].ravel(), minlength=256).tolist() for channel in range(3)]
    seen = [[value for value, count in enumerate(histogram) if count] for histogram in histograms]
    count = frames.size // 3
    means = [sum(v * n for v, n in enumerate(histogram)) / count for histogram in histograms]
    squares = [sum(v * v * n for v, n in enumerate(histogram)) / count for histogram in histograms]
    deviations = [math.sqrt(max(0.0, s - m * m)) for s, m in zip(squares, means, strict=True)]
    return {
        "min": _channels([values[0] / 255.0 for values in seen]),
        "max": _channels([values[-1] / 255.0 for values in seen]),
        "mean": _channels([mean / 255.0 for mean in means]),
        "std": _channels([deviation / 255.0 for deviation in deviations]),
        "count": [len(frames)],
    }


def column_stats(values: npt.NDArray[Any]) -> Stats:
    """Return the statistics of a feature [T] or [T, n]."""
    columns = [[float(value) for value in column] for column in np.atleast_2d(values.T)]
    means = [math.fsum(column) / len(column) for column in columns]
    variances = [
        math.fsum((value - mean) * (value - mean) for value in column) / len(column)
        for column, mean in zip(columns, means, strict=True)
    ]
    return {
        "min": [min(column) for column in columns],
        "max": [max(column) for column in columns],
        "mean": means,
        "std": [math.sqrt(variance) for variance in variances],
        "count": [len(values)],
    }


def merged(parts: Sequence[Mapping[str, Stats]]) -> Dict[str, Stats]:
    """Return the statistics of all clips together from those of each."""
    return {feature: _merged([part[feature] for part in parts]) for feature in parts[0]}


def _merged(parts: Sequence[Stats]) -> Stats:
    counts = [part["count"][0] for part in parts]
    total = sum(counts)
    shape = np.shape(parts[0]["mean"])
    found: Dict[str, List[float]] = {"min": [], "max": [], "mean": [], "std": []}
    for place in range(int(np.prod(shape))):
        means = [float(np.ravel(part["mean"])[place]) for part in parts]
        deviations = [float(np.ravel(part["std"])[place]) for part in parts]
        mean = math.fsum(m * n for m, n in zip(means, counts, strict=True)) / total
        spread = math.fsum(
            (d * d + (m - mean) * (m - mean)) * n for d, m, n in zip(deviations, means, counts, strict=True)
        )
        found["min"].append(min(float(np.ravel(part["min"])[place]) for part in parts))
        found["max"].append(max(float(np.ravel(part["max"])[place]) for part in parts))
        found["mean"].append(mean)
        found["std"].append(math.sqrt(spread / total))
    stats: Stats = {name: np.reshape(values, shape).tolist() for name, values in found.items()}
    return {**stats, "count": [total]}


def _channels(values: Sequence[float]) -> List[List[List[float]]]:
    return [[[value]] for value in values]
