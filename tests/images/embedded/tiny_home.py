"""A hand-made home of two box rooms with a doorway, small enough for fast tests and with known measures.

Floor x 0..8, z 0..4, height 2.6; a wall 0.1 thick at x = 4 with a gap from z = 1.5 to 2.5; some textured boxes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import List, Tuple

import numpy as np
import numpy.typing as npt

from images.embedded.mesh import TEXTURE_SIZE, Home, HomeObject, Room

Box = Tuple[float, float, float, float, float, float]

LENGTH, DEPTH, HEIGHT = 8.0, 4.0, 2.6
WALL_X = (3.95, 4.05)
GAP_Z = (1.5, 2.5)

BOXES: Tuple[Tuple[str, str, int, Box], ...] = (
    ("wall", "white", -1, (WALL_X[0], 0.0, 0.0, WALL_X[1], HEIGHT, GAP_Z[0])),
    ("wall", "white", -1, (WALL_X[0], 0.0, GAP_Z[1], WALL_X[1], HEIGHT, DEPTH)),
    ("cabinet", "red", 0, (0.0, 0.0, 1.0, 0.5, 1.2, 2.0)),
    ("table", "green", 0, (1.5, 0.6, 0.0, 2.6, 0.7, 0.7)),
    ("lamp", "blue", 0, (0.2, 0.0, 3.4, 0.5, 1.6, 3.8)),
    ("sofa", "yellow", 1, (6.0, 0.0, 3.2, 7.6, 0.8, 4.0)),
    ("shelf", "brown", 1, (7.6, 0.0, 0.5, 8.0, 2.0, 1.8)),
    ("rug", "grey", 1, (5.0, 0.0, 1.0, 6.5, 0.02, 2.4)),
    ("picture", "purple", 0, (0.0, 1.3, 2.4, 0.03, 1.9, 3.2)),
    ("crate", "orange", 1, (4.6, 0.0, 3.5, 5.0, 0.9, 3.95)),
)
"""(category, colour, room, box) of every object beside the shell, whose parts have the ids 1 to 6."""

SHELL_OBJECTS = 6


class _Builder:
    def __init__(self) -> None:
        self.positions: List[npt.NDArray[np.float64]] = []
        self.uvs: List[npt.NDArray[np.float64]] = []
        self.faces: List[Tuple[int, int, int]] = []
        self.textures: List[int] = []
        self.objects: List[int] = []

    def quad(self, corner: npt.NDArray[np.float64], along: npt.NDArray[np.float64], up: npt.NDArray[np.float64],
             object_id: int, texture: int, step: float = 0.5) -> None:  # fmt: skip
        """Add a subdivided rectangle that faces along x up."""
        lengths = [float(np.abs(side).sum()) for side in (along, up)]
        counts = [max(1, int(np.ceil(length / step))) for length in lengths]
        base = len(self.positions)
        for j in range(counts[1] + 1):
            for i in range(counts[0] + 1):
                a, b = i / counts[0], j / counts[1]
                self.positions.append(corner + a * along + b * up)
                self.uvs.append(np.array((a * lengths[0], -b * lengths[1])))
        for j in range(counts[1]):
            for i in range(counts[0]):
                first = base + j * (counts[0] + 1) + i
                above = first + counts[0] + 1
                self.faces += [(first, first + 1, above + 1), (first, above + 1, above)]
                self.textures += [texture, texture]
                self.objects += [object_id, object_id]

    def box(self, box: Box, object_id: int, texture: int) -> None:
        """Add the six outer faces of a box."""
        low, high = np.array(box[:3]), np.array(box[3:])
        x, y, z = np.diag(high - low)
        self.quad(low + z, x, y, object_id, texture)
        self.quad(low + x, -x, y, object_id, texture)
        self.quad(low + x + z, -z, y, object_id, texture)
        self.quad(low, z, y, object_id, texture)
        self.quad(low + y + z, x, -z, object_id, texture)
        self.quad(low, x, z, object_id, texture)


def _textures(count: int) -> npt.NDArray[np.uint8]:
    """Return smooth coloured checks: enough structure for comparisons, little aliasing."""
    generator = np.random.default_rng(5)
    grid = np.arange(TEXTURE_SIZE)
    wave = np.abs((grid % 128) - 64) / 64.0
    pattern = np.abs(wave[:, None] - wave[None, :])
    base = generator.integers(60, 160, (count, 1, 1, 3))
    swing = generator.integers(30, 90, (count, 1, 1, 3))
    return (base + swing * pattern[None, :, :, None]).astype(np.uint8)


@lru_cache(maxsize=1)
def tiny_home() -> Home:
    """Return the home; the same object on every call."""
    builder = _Builder()
    x, y, z = np.diag((LENGTH, HEIGHT, DEPTH))
    zero = np.zeros(3)
    builder.quad(z, x, -z, 1, 0)
    builder.quad(y, x, z, 2, 1)
    builder.quad(zero, x, y, 3, 2)
    builder.quad(x + z, -x, y, 4, 3)
    builder.quad(z, -z, y, 5, 4)
    builder.quad(x, z, y, 6, 5)
    for index, (_, _, _, box) in enumerate(BOXES):
        builder.box(box, SHELL_OBJECTS + 1 + index, 6 + index)
    shell_names = ("floor", "ceiling", "wall", "wall", "wall", "wall")
    whole = (0.0, 0.0, 0.0, LENGTH, HEIGHT, DEPTH)
    shell = tuple(HomeObject(1 + k, name, "white", -1, whole) for k, name in enumerate(shell_names))
    boxes = tuple(
        HomeObject(SHELL_OBJECTS + 1 + k, category, colour, room, box)
        for k, (category, colour, room, box) in enumerate(BOXES)
    )
    positions = np.array(builder.positions, np.float32)
    shades = 0.5 + 0.3 * positions[:, 1:2] / HEIGHT + 0.2 * positions[:, 0:1] / LENGTH
    textures = _textures(6 + len(BOXES))
    return Home(
        seed=-1,
        positions=positions,
        faces=np.array(builder.faces, np.int32),
        uvs=np.array(builder.uvs, np.float32),
        light=np.repeat(shades, 3, axis=1).astype(np.float32),
        face_texture=np.array(builder.textures, np.int32),
        face_object=np.array(builder.objects, np.int32),
        face_double_sided=np.zeros(len(builder.faces), np.uint8),
        textures=textures,
        texture_emissive=np.zeros(len(textures), np.uint8),
        objects=shell + boxes,
        rooms=(
            Room(0, "living room", (0.0, 0.0, WALL_X[0], DEPTH)),
            Room(1, "bedroom", (WALL_X[1], 0.0, LENGTH, DEPTH)),
        ),
    )
