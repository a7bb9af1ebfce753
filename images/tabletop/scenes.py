"""What lies on the table: things as plain data, and what the names of scenes mean.

The frame is the robot's as published policies know it: metres, x away from the robot, y left, z up; the table's top is
at z = 0.75. A scene is made of its name alone (``push_buttons/variation3/episode7``): the variation draws colours,
counts and order, the episode draws where things are. Places are centres of the published voxels and headings are whole
bins, so that an action of ``discrete7`` can name where a thing stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Mapping, Sequence, Tuple

import numpy as np

from harness.contracts import seeds
from harness.contracts.arm_poses import BOUNDS_HIGH, BOUNDS_LOW, VOXELS
from harness.contracts.errors import Refusal
from images.tabletop.meshes import Mesh

TABLE_M = 0.75
VARIATIONS = 300
"""The first 60 are for suites to play, the others to learn from (`images.tabletop.demonstrating`)."""

PLAYED_VARIATIONS = 60
FIXED, FREE, BUTTON = "fixed", "free", "button"

TASKS = ("push_buttons", "slide_block_to_color_target", "insert_onto_square_peg", "stack_cups")

HOME = (35, 50, 70)
"""The voxel that the hand goes to when it is done."""

Vec3 = Tuple[float, float, float]
Voxel = Tuple[int, int]

COLOURS: Mapping[str, Vec3] = {
    "red": (0.70, 0.03, 0.03), "maroon": (0.22, 0.02, 0.03), "lime": (0.25, 0.75, 0.06),
    "green": (0.03, 0.30, 0.06), "blue": (0.03, 0.09, 0.62), "navy": (0.02, 0.03, 0.20),
    "yellow": (0.85, 0.68, 0.03), "cyan": (0.05, 0.62, 0.70), "magenta": (0.70, 0.04, 0.50),
    "silver": (0.50, 0.51, 0.54), "gray": (0.17, 0.17, 0.18), "orange": (0.85, 0.27, 0.02),
    "olive": (0.23, 0.23, 0.03), "purple": (0.22, 0.04, 0.33), "teal": (0.02, 0.26, 0.26),
    "azure": (0.05, 0.32, 0.80), "violet": (0.45, 0.22, 0.75), "rose": (0.80, 0.10, 0.25),
    "black": (0.02, 0.02, 0.02), "white": (0.86, 0.86, 0.86),
}  # fmt: skip
"""The colours that the published tasks name, as linear RGB."""


@dataclass(frozen=True)
class Solid:
    """What collides: a box (half edges) or a cylinder (radius, half height), in the thing's frame. Mass in kg.

    ``quaternion`` is w, x, y, z.
    """

    kind: str
    size: Tuple[float, ...]
    position: Vec3 = (0.0, 0.0, 0.0)
    quaternion: Tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    mass: float = 0.02


@dataclass(frozen=True, eq=False)
class Look:
    """What is drawn: a mesh in the thing's frame, its tint (linear RGB), texture, and how much it shines."""

    mesh: Mesh
    tint: Vec3
    texture: str = "plastic"
    gloss: float = 0.4


@dataclass(frozen=True, eq=False)
class Thing:
    """One thing on the table. ``kind`` is FIXED, FREE or BUTTON (slides down on a spring), ``heading_deg`` about z."""

    name: str
    kind: str
    position: Vec3
    heading_deg: float
    solids: Tuple[Solid, ...]
    looks: Tuple[Look, ...]
    friction: float = 1.0


@dataclass(frozen=True)
class SubGoal:
    """An end-effector pose with the tip pointing down: voxels, a heading in bins of 3 degrees, and the gripper."""

    x: int
    y: int
    z: int
    heading: int
    open: bool

    def values(self) -> Tuple[float, ...]:
        """Return the numbers of a ``discrete7`` action."""
        return (self.x, self.y, self.z, 120.0, 60.0, 60.0 + self.heading, float(self.open))


@dataclass(frozen=True)
class SceneName:
    """The parts of a scene's name."""

    task: str
    variation: int
    episode: int

    def draws(self, of_episode: bool) -> np.random.Generator:
        """Return a fresh generator for what the variation, or this episode of it, draws."""
        key = f"tabletop/{self.task}/{self.variation}"
        return seeds.generator(0, key, self.episode if of_episode else -1, -1, "scene")


def parse_scene(scene: str) -> SceneName:
    """Return the parts of ``push_buttons/variation3/episode7``; Refusal for any other name."""
    found = re.fullmatch(r"([a-z_]+)/variation(\d{1,4})/episode(\d{1,6})", scene)
    if found is None or found[1] not in TASKS:
        raise Refusal(
            f"{scene!r} is no scene of the tabletop.",
            f"Name it like {TASKS[0]}/variation3/episode7; tasks: {', '.join(TASKS)}.",
        )
    if int(found[2]) >= VARIATIONS:
        raise Refusal(f"{scene}: there are variations 0..{VARIATIONS - 1}.", "Choose one of them.")
    return SceneName(found[1], int(found[2]), int(found[3]))


def centre(voxel: Sequence[int]) -> Tuple[float, ...]:
    """Return the middle of a voxel (x, y or x, y, z) in metres."""
    sizes = [(high - low) / VOXELS for low, high in zip(BOUNDS_LOW, BOUNDS_HIGH)]
    return tuple(low + (index + 0.5) * size for low, index, size in zip(BOUNDS_LOW, voxel, sizes))


def nearest_voxel(place: Sequence[float]) -> Voxel:
    """Return the column of voxels whose middle is nearest to a place."""
    x, y = (round((value - low) * 100.0 - 0.5) for value, low in zip(place[:2], BOUNDS_LOW))
    return (x, y)


def layer(height_m: float) -> int:
    """Return the voxel layer whose middle is nearest to a height above the table."""
    return round((TABLE_M + height_m - BOUNDS_LOW[2]) * 100.0 - 0.5)


def standing(voxel: Voxel, height_m: float) -> Vec3:
    """Return a place above the middle of a voxel's column, ``height_m`` above the table."""
    x, y = centre(voxel)
    return (x, y, TABLE_M + height_m)


def scattered(
    generator: np.random.Generator, spacings: Sequence[int], low: Voxel = (38, 26), high: Voxel = (66, 74)
) -> List[Voxel]:
    """Return places on the table, each at least its own spacing (in voxels) from those before."""
    for _ in range(200):
        places: List[Voxel] = []
        for spacing in spacings:
            for _ in range(60):
                place = (int(generator.integers(low[0], high[0])), int(generator.integers(low[1], high[1])))
                if all((place[0] - x) ** 2 + (place[1] - y) ** 2 >= spacing**2 for x, y in places):
                    places.append(place)
                    break
        if len(places) == len(spacings):
            return places
    raise Refusal(f"{len(spacings)} things do not fit on the table.", "Ask for fewer.")


def drawn_colours(generator: np.random.Generator, count: int) -> List[str]:
    """Return ``count`` different colours."""
    names = list(COLOURS)
    return [names[int(index)] for index in generator.permutation(len(names))[:count]]
