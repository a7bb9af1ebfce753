"""Panoramas from cube faces: six pinhole images of one eye become one equirectangular image.

The faces are rendered one pixel wider on every side than the 90 degrees that they cover, so that interpolation never
has to look over an edge and no seam shows. The tables are built once a size by arithmetic that gives equal bits on
every CPU, and colours are blended in integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.observations import RGB, Depth, Ids
from harness.contracts.portable import PI, TWO_PI, atan2, sincos

BORDER = 1
"""Extra pixels on each side of a face."""

WEIGHT_BITS = 8
WEIGHT = 1 << WEIGHT_BITS
"""The four weights of a pixel add up to this: 255 * 256 and a half still fit a lane of 16 bits."""

_LANE = np.dtype("<u2")
_LANES = np.dtype("<u8")
"""A pixel's three channels in one word: one multiplication weighs them all."""

_HALVES = (WEIGHT // 2) * (1 + (1 << 16) + (1 << 32))

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Face:
    """One side of the cube: how its camera is turned on the body (degrees; yaw left positive, pitch up positive).

    ``right``, ``up`` and ``ahead`` are its axes in the body's frame (x right, y up, z back).
    """

    name: str
    yaw_deg: float
    pitch_deg: float
    right: Tuple[int, int, int]
    up: Tuple[int, int, int]
    ahead: Tuple[int, int, int]


FACES: Tuple[Face, ...] = (
    Face("front", 0.0, 0.0, (1, 0, 0), (0, 1, 0), (0, 0, -1)),
    Face("left", 90.0, 0.0, (0, 0, -1), (0, 1, 0), (-1, 0, 0)),
    Face("back", 180.0, 0.0, (-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    Face("right", -90.0, 0.0, (0, 0, 1), (0, 1, 0), (1, 0, 0)),
    Face("up", 0.0, 90.0, (1, 0, 0), (0, 0, 1), (0, 1, 0)),
    Face("down", 0.0, -90.0, (1, 0, 0), (0, 0, -1), (0, -1, 0)),
)


def face_size(pixels: int) -> int:
    """Return the side of a rendered face whose inner ``pixels`` cover 90 degrees."""
    return pixels + 2 * BORDER


def face_hfov_deg(pixels: int) -> float:
    """Return the field of view of a rendered face whose inner ``pixels`` cover 90 degrees."""
    return 2.0 * atan2(float(face_size(pixels)), float(pixels)) * 180.0 / PI


class CubeStitcher:
    """Joins six faces into a panorama uint8 [height, width, 3] with the heading in its centre and left at W/4.

    ``pixels`` is the inner side of a face. Faces come in the order of `FACES`, each [face_size, face_size, ...].
    """

    def __init__(self, height: int, width: int, pixels: int) -> None:
        self._shape = (height, width)
        self._side = face_size(pixels)
        directions = _directions(height, width)
        face, across, down, stretch = _cube_points(directions)
        x = across * (pixels * 0.5) + (self._side * 0.5 - 0.5)
        y = down * (pixels * 0.5) + (self._side * 0.5 - 0.5)
        self._stretch = stretch.astype(np.float32)
        start = face * (self._side * self._side)
        nearest_x, nearest_y = np.floor(x + 0.5).astype(np.intp), np.floor(y + 0.5).astype(np.intp)
        self._nearest = start + nearest_y * self._side + nearest_x
        self._corners, self._weights = self._blend(start, x, y)

    def rgb(self, faces: Sequence[npt.NDArray[np.uint8]]) -> RGB:
        """Return the panorama of six colour faces (further channels than three are dropped), blended bilinearly."""
        pixels = self._joined(faces)
        lanes = np.zeros((len(pixels), 4), _LANE)
        lanes[:, :3] = pixels[:, :3]
        packed = lanes.view(_LANES)[:, 0]
        total = np.full(len(self._nearest), _HALVES, _LANES)
        for corner, weight in zip(self._corners, self._weights):
            total += packed.take(corner) * weight
        panorama: RGB = (total.view(_LANE).reshape(-1, 4)[:, :3] >> WEIGHT_BITS).astype(np.uint8)
        return panorama.reshape(*self._shape, 3)

    def depth(self, faces: Sequence[npt.NDArray[np.float32]]) -> Depth:
        """Return the distance along each ray from the planar depths of six faces (nearest pixel; 0 stays 0)."""
        along: Depth = self._joined(faces)[self._nearest] * self._stretch
        return along.reshape(self._shape)

    def ids(self, faces: Sequence[Ids]) -> Ids:
        """Return the ids of the nearest face pixels."""
        found: Ids = self._joined(faces)[self._nearest]
        return found.reshape(self._shape)

    def _joined(self, faces: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        stacked = np.stack([np.asarray(face) for face in faces])
        return stacked.reshape(len(FACES) * self._side * self._side, *stacked.shape[3:])

    def _blend(
        self, start: npt.NDArray[np.intp], x: Floats, y: Floats
    ) -> Tuple[List[npt.NDArray[np.intp]], List[npt.NDArray[np.uint64]]]:
        """Return the four pixel numbers of each sample and their weights, which add up to `WEIGHT` exactly."""
        left, top = np.floor(x), np.floor(y)
        across, down = x - left, y - top
        first = start + top.astype(np.intp) * self._side + left.astype(np.intp)
        corners = [first, first + 1, first + self._side, first + self._side + 1]
        last_three = [
            np.floor(across * (1.0 - down) * WEIGHT),
            np.floor((1.0 - across) * down * WEIGHT),
            np.floor(across * down * WEIGHT),
        ]
        rest = WEIGHT - last_three[0] - last_three[1] - last_three[2]
        return corners, [weight.astype(_LANES) for weight in (rest, *last_three)]


def _directions(height: int, width: int) -> Floats:
    """Return the unit ray [H * W, 3] of each pixel in the body's frame."""
    around = np.array([sincos((0.5 - (i + 0.5) / width) * TWO_PI) for i in range(width)])
    upward = np.array([sincos((0.5 - (i + 0.5) / height) * PI) for i in range(height)])
    rays = np.empty((height, width, 3))
    rays[:, :, 0] = -upward[:, 1:] * around[:, 0]
    rays[:, :, 1] = upward[:, :1]
    rays[:, :, 2] = -upward[:, 1:] * around[:, 1]
    return rays.reshape(-1, 3)


def _cube_points(directions: Floats) -> Tuple[npt.NDArray[np.intp], Floats, Floats, Floats]:
    """Return for each unit ray its face, its (across, down) on that face in [-1, 1], and distance over planar depth."""
    axes = np.array([face.ahead for face in FACES], np.float64)
    ahead = _products(directions, axes)
    face = np.argmax(ahead, axis=1)
    planar = ahead[np.arange(len(directions)), face]
    right = np.array([side.right for side in FACES], np.float64)[face]
    up = np.array([side.up for side in FACES], np.float64)[face]
    across = _sum_of_three(directions * right) / planar
    down = -_sum_of_three(directions * up) / planar
    return face, across, down, 1.0 / planar


def _products(directions: Floats, axes: Floats) -> Floats:
    return np.stack([_sum_of_three(directions * axis) for axis in axes], axis=1)


def _sum_of_three(values: Floats) -> Floats:
    """Return the sum over the last axis in a fixed order (the axes are unit vectors: two of the terms are zero)."""
    total: Floats = values[:, 0] + values[:, 1] + values[:, 2]
    return total
