"""Colour: trilinear textures times baked light, tone-mapped, for the triangle that each pixel sees.

Shading is deferred: each pixel is shaded once, from the edge functions that decided its visibility. Texels are
blended in integers, three 21-bit lanes in one word, with weights that sum to exactly 2^13: one multiplication
blends three channels, and no rounding depends on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
import numpy.typing as npt

from images.embedded.mesh import TEXTURE_SIZE, Home
from images.embedded.raster import compiled
from images.embedded.triangles import Triangles

BACKGROUND = (150, 190, 240)
"""sRGB of what lies behind everything (a clear sky)."""

_LEVELS = 9
_LANE_BITS = 21
_LANE_MASK = (1 << _LANE_BITS) - 1
_WEIGHT = 1 << 13
_LEAST_COSINE = 0.3
"""Grazing views are sharpened: a footprint is stretched by at most 1 / 0.3."""

_ALBEDO = 0.95 / (255.0 * 255.0 * _WEIGHT * _WEIGHT)
_SQUARE = TEXTURE_SIZE


@dataclass(frozen=True, eq=False)
class Materials:
    """What shading reads, in drawing order.

    ``attributes`` [F, 15] float32: uv and light of the first corner, then their differences to the second and third
    (u v, du dv, du dv, light, dlight, dlight). ``texels`` [T, N] packed mip pyramid; ``level_start`` [9] its offsets.
    ``density`` [F] texels a metre; ``normal_length`` [F] twice the area of the triangle.
    """

    attributes: npt.NDArray[np.float32]
    texture: npt.NDArray[np.int32]
    object_id: npt.NDArray[np.int32]
    density: npt.NDArray[np.float64]
    normal_length: npt.NDArray[np.float64]
    emissive: npt.NDArray[np.uint8]
    texels: npt.NDArray[np.int64]
    level_start: npt.NDArray[np.int64]


def prepare_materials(home: Home, triangles: Triangles) -> Materials:
    """Bring the surface data of ``home`` into the drawing order of ``triangles`` and build the mip pyramids."""
    faces = home.faces[triangles.order]
    uvs = home.uvs[faces]
    light = home.light[faces]
    attributes = np.concatenate(
        (
            uvs[:, 0] - np.floor(uvs[:, 0]),
            uvs[:, 1] - uvs[:, 0],
            uvs[:, 2] - uvs[:, 0],
            light[:, 0],
            light[:, 1] - light[:, 0],
            light[:, 2] - light[:, 0],
        ),
        axis=1,
    ).astype(np.float32)
    corners = triangles.corners.reshape(-1, 3, 3)
    metres = _length(corners[:, 1] - corners[:, 0]) + _length(corners[:, 2] - corners[:, 0])
    turns = _length((uvs[:, 1] - uvs[:, 0]).astype(np.float64)) + _length((uvs[:, 2] - uvs[:, 0]).astype(np.float64))
    texels, level_start = build_mips(home.textures)
    return Materials(
        attributes=np.ascontiguousarray(attributes),
        texture=home.face_texture[triangles.order],
        object_id=home.face_object[triangles.order],
        density=turns / np.maximum(metres, 1e-9) * TEXTURE_SIZE,
        normal_length=_length(triangles.planes[:, :3]),
        emissive=home.texture_emissive,
        texels=texels,
        level_start=level_start,
    )


def _length(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    squares = vectors * vectors
    total = squares[:, 0]
    for axis in range(1, vectors.shape[1]):
        total = total + squares[:, axis]
    lengths: npt.NDArray[np.float64] = np.sqrt(total)
    return lengths


@compiled
def pack_level(level, start, texels):  # type: ignore[no-untyped-def]
    """Write one mip level [T, S, S, 3] into the packed pyramids from ``start`` on."""
    size = level.shape[1]
    for texture in range(level.shape[0]):
        for y in range(size):
            for x in range(size):
                red, green, blue = level[texture, y, x]
                lanes = np.int64(red) | (np.int64(green) << _LANE_BITS) | (np.int64(blue) << (2 * _LANE_BITS))
                texels[texture, start + y * size + x] = lanes


@compiled
def halve_level(level, half):  # type: ignore[no-untyped-def]
    """Write the box-filtered next level, rounded half up."""
    for texture in range(half.shape[0]):
        for y in range(half.shape[1]):
            for x in range(half.shape[2]):
                for channel in range(3):
                    upper = int(level[texture, 2 * y, 2 * x, channel]) + int(level[texture, 2 * y, 2 * x + 1, channel])
                    y1 = 2 * y + 1
                    lower = int(level[texture, y1, 2 * x, channel]) + int(level[texture, y1, 2 * x + 1, channel])
                    half[texture, y, x, channel] = (upper + lower + 2) >> 2


def build_mips(textures: npt.NDArray[np.uint8]) -> Tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (texels [T, N], level_start [9]): box-filtered pyramids, each texel packed as three 21-bit lanes.

    Averages are taken in integers and rounded half up, so the bytes are the same everywhere.
    """
    sizes = [TEXTURE_SIZE >> level for level in range(_LEVELS)]
    starts = np.cumsum([0] + [size * size for size in sizes]).astype(np.int64)
    texels = np.empty((len(textures), int(starts[-1])), np.int64)
    level = np.ascontiguousarray(textures)
    for size, start in zip(sizes, starts):
        pack_level(level, start, texels)
        half = np.empty((len(textures), size // 2, size // 2, 3), np.uint8)
        halve_level(level, half)
        level = half
    return texels, starts[:-1].copy()


@compiled
def sample_level(texels, start, size, u, v, weight):  # type: ignore[no-untyped-def]
    """Return the bilinear blend of one mip level, its lanes scaled by ``weight`` (an integer up to 2^13)."""
    x = u * size - 0.5
    y = v * size - 0.5
    floor_x = np.floor(x)
    floor_y = np.floor(y)
    share_x = x - floor_x
    share_y = y - floor_y
    left = int(floor_x) & (size - 1)
    right = (left + 1) & (size - 1)
    upper = start + (int(floor_y) & (size - 1)) * size
    lower = start + ((int(floor_y) + 1) & (size - 1)) * size
    weight_10 = int(share_x * (1.0 - share_y) * weight)
    weight_01 = int((1.0 - share_x) * share_y * weight)
    weight_11 = int(share_x * share_y * weight)
    weight_00 = weight - weight_10 - weight_01 - weight_11
    return (
        texels[upper + left] * weight_00
        + texels[upper + right] * weight_10
        + texels[lower + left] * weight_01
        + texels[lower + right] * weight_11
    )


@compiled
def sample_texture(texels, level_start, u, v, footprint):  # type: ignore[no-untyped-def]
    """Return the trilinear sample of a pyramid as packed lanes, scaled by 2^13.

    ``footprint`` is the width of a pixel in texels. Between the powers of two that name the levels, the blend is
    linear in the footprint instead of in its logarithm: no libm, and no visible difference.
    """
    level = 0
    while footprint >= 2.0 and level < _LEVELS - 1:
        footprint *= 0.5
        level += 1
    size = _SQUARE >> level
    coarse = 0
    if footprint > 1.0 and level < _LEVELS - 1:
        coarse = int((footprint - 1.0) * _WEIGHT)
    lanes = sample_level(texels, level_start[level], size, u, v, _WEIGHT - coarse)
    if coarse > 0:
        lanes += sample_level(texels, level_start[level + 1], size >> 1, u, v, coarse)
    return lanes


@compiled
def tone_map(lane, light):  # type: ignore[no-untyped-def]
    """Return the display byte of a blended texel under ``light``: a soft shoulder keeps lamps from clipping."""
    linear = _ALBEDO * lane * lane * light
    return min(int(255.0 * np.sqrt(linear * (1.0 + 0.15 * linear) / (0.75 + linear)) + 0.5), 255)


@compiled
def shade(  # type: ignore[no-untyped-def]
    visible, edges, slot_face, column_x, column_z, row_y, row_footprint, row_distance,
    attributes, texture, object_id, density, normal_length, emissive, texels, level_start, rgb, depth, ids,
):  # fmt: skip
    """Colour every pixel of a visibility buffer; write depth and ids too where those arrays are not empty."""
    height, width = visible.shape
    for row in range(height):
        y = row_y[row]
        for column in range(width):
            slot = visible[row, column]
            if slot < 0:
                rgb[row, column, 0], rgb[row, column, 1], rgb[row, column, 2] = BACKGROUND
                if depth.size > 0:
                    depth[row, column] = 0.0
                if ids.size > 0:
                    ids[row, column] = 0
                continue
            x = column_x[column]
            z = column_z[column]
            edge = edges[slot]
            edge0 = edge[0] * x + edge[1] * z + edge[2] * y
            edge1 = edge[3] * x + edge[4] * z + edge[5] * y
            edge2 = edge[6] * x + edge[7] * z + edge[8] * y
            total = edge0 + edge1 + edge2
            inverse = 1.0 / total
            second = edge1 * inverse
            third = edge2 * inverse
            parameter = edge[9] * inverse
            face = slot_face[slot]
            cosine = total / (normal_length[face] * np.sqrt(x * x + y * y + z * z))
            footprint = parameter * row_footprint[row] * density[face] / max(cosine, _LEAST_COSINE)
            surface = attributes[face]
            u = surface[0] + second * surface[2] + third * surface[4]
            v = surface[1] + second * surface[3] + third * surface[5]
            skin = texture[face]
            lanes = sample_texture(texels[skin], level_start, u, v, footprint)
            red = lanes & _LANE_MASK
            green = (lanes >> _LANE_BITS) & _LANE_MASK
            blue = lanes >> (2 * _LANE_BITS)
            if emissive[skin] != 0:
                rgb[row, column, 0] = (red + _WEIGHT // 2) // _WEIGHT
                rgb[row, column, 1] = (green + _WEIGHT // 2) // _WEIGHT
                rgb[row, column, 2] = (blue + _WEIGHT // 2) // _WEIGHT
            else:
                rgb[row, column, 0] = tone_map(red, surface[6] + second * surface[9] + third * surface[12])
                rgb[row, column, 1] = tone_map(green, surface[7] + second * surface[10] + third * surface[13])
                rgb[row, column, 2] = tone_map(blue, surface[8] + second * surface[11] + third * surface[14])
            if depth.size > 0:
                depth[row, column] = parameter * row_distance[row]
            if ids.size > 0:
                ids[row, column] = object_id[face]
