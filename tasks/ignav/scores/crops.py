"""Pinhole crops out of a panorama, and exact box reduction: the pixels that scores read.

Scores decide outcomes, so this is scalar arithmetic with exactly rounded operations only; trigonometry comes from
`harness.contracts.portable`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.contracts import portable
from harness.contracts.errors import Refusal
from harness.contracts.kernels import compiled
from harness.contracts.observations import RGB

Image = npt.NDArray[np.float32]
"""float32 [H, W, 3] in 0..255."""

_atan2 = compiled(portable.atan2)
_sincos = compiled(portable.sincos)


@dataclass(frozen=True, eq=False)
class CropMap:
    """For each pixel of a crop [C, C]: the left column and upper row in the panorama, and the way to the next ones.

    The crop looks along the agent's heading; other headings shift ``column`` by whole pixels.
    """

    column: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    right: npt.NDArray[np.float32]
    down: npt.NDArray[np.float32]


def crop_map(height: int, width: int, size: int, hfov_deg: float) -> CropMap:
    """Return the map of a square pinhole crop of ``size`` pixels from a ``height`` x ``width`` equirect panorama.

    The panorama covers 360 x 180 degrees whatever its aspect (the published one is 16:9), with the heading in its
    centre column. A pixel (u, v) of the crop looks along azimuth atan(u) and elevation atan(v / sqrt(1 + u^2)).
    """
    shape = (size, size)
    result = CropMap(
        np.empty(shape, np.int32), np.empty(shape, np.int32), np.empty(shape, np.float32), np.empty(shape, np.float32)
    )
    sine, cosine = portable.sincos(hfov_deg * portable.PI / 360.0)
    _fill_map(height, width, sine / cosine, result.column, result.row, result.right, result.down)
    return result


@compiled
def _fill_map(height, width, half_extent, column, row, right, down):  # type: ignore[no-untyped-def]
    size = column.shape[0]
    for y in range(size):
        v = (1.0 - (y + 0.5) * 2.0 / size) * half_extent
        for x in range(size):
            u = ((x + 0.5) * 2.0 / size - 1.0) * half_extent
            azimuth = _atan2(u, 1.0)
            elevation = _atan2(v, math.sqrt(1.0 + u * u))
            at_column = width * 0.5 + azimuth / portable.TWO_PI * width - 0.5
            at_row = height * 0.5 - elevation / portable.PI * height - 0.5
            at_row = min(max(at_row, 0.0), height - 1.001)
            column[y, x] = math.floor(at_column)
            row[y, x] = math.floor(at_row)
            right[y, x] = at_column - math.floor(at_column)
            down[y, x] = at_row - math.floor(at_row)


@compiled
def crop_into(panorama, column, row, right, down, shift, image):  # type: ignore[no-untyped-def]
    """Fill ``image`` float32 [C, C, 3] with the crop whose map is moved ``shift`` columns to the right.

    Bilinear; columns wrap around, and ``shift`` lies in (-W, W).
    """
    width = panorama.shape[1]
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            left = column[y, x] + shift
            if left < 0:
                left += width
            elif left >= width:
                left -= width
            next_column = left + 1 if left + 1 < width else 0
            upper = row[y, x]
            a = right[y, x]
            b = down[y, x]
            for channel in range(3):
                top = panorama[upper, left, channel] * (np.float32(1.0) - a) + panorama[upper, next_column, channel] * a
                low_left = np.float32(panorama[upper + 1, left, channel])
                low_right = np.float32(panorama[upper + 1, next_column, channel])
                bottom = low_left * (np.float32(1.0) - a) + low_right * a
                image[y, x, channel] = top * (np.float32(1.0) - b) + bottom * b


def reduce_to(rgb: RGB, height: int, width: int) -> Image:
    """Return ``rgb`` averaged over equal boxes down to ``height`` x ``width``; sizes must divide, else Refusal.

    Sums of bytes are integers, so the means are the same on every machine.
    """
    rows, columns = rgb.shape[0] // height, rgb.shape[1] // width
    if rows < 1 or columns < 1 or rows * height != rgb.shape[0] or columns * width != rgb.shape[1]:
        raise Refusal(
            f"an image of {rgb.shape[0]} x {rgb.shape[1]} pixels cannot be reduced to {height} x {width}.",
            "Choose sizes that divide each other in the suite's rig and score.",
        )
    boxes = rgb.reshape(height, rows, width, columns, 3).astype(np.int64)
    total = boxes.sum(axis=(1, 3))
    return np.ascontiguousarray((total / (rows * columns)).astype(np.float32))
