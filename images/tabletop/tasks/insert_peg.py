"""insert_onto_square_peg: lift the square ring by its handle and let it down over the peg of the named colour."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Tuple

from images.tabletop.meshes import Mesh, joined, rounded_box
from images.tabletop.physics import World
from images.tabletop.scenes import (
    COLOURS,
    FIXED,
    FREE,
    TABLE_M,
    Look,
    SceneName,
    Solid,
    SubGoal,
    Thing,
    Voxel,
    drawn_colours,
    layer,
    scattered,
    standing,
)
from images.tabletop.tasks.puzzle import Progress, Puzzle, Stage, apart

OVER_M, DOWN_M = 0.012, 0.06
"""The ring is on the peg where it is this near to it, and its middle this low above the table."""

_HOLE_M, _OUTER_M, _TALL_M = 0.025, 0.045, 0.015
_PEG_M, _PEG_TALL_M = 0.016, 0.1
_HANDLE_HALF_M, _GRASP = 0.03, 8
_LOW, _CARRY, _RELEASE = layer(0.025), layer(0.165), layer(0.095)
_PEG_STEP = 13


class InsertPeg(Puzzle):
    """Three pegs in a row, and one ring with a handle."""

    def __init__(self, name: SceneName) -> None:
        draws = name.draws(of_episode=False)
        self._colours = drawn_colours(draws, 5)
        self._goal = name.variation % 3
        draws = name.draws(of_episode=True)
        away = bool(draws.integers(2))
        row = int(draws.integers(60, 65)) if away else int(draws.integers(40, 44))
        middle = int(draws.integers(47, 54))
        self._pegs: List[Voxel] = [(row, middle + step) for step in (-_PEG_STEP, 0, _PEG_STEP)]
        ring = scattered(draws, [1], (40, 36), (45, 64)) if away else scattered(draws, [1], (58, 36), (63, 64))
        self._ring = ring[0]
        self._side = int(draws.integers(4))
        self.things = (
            _ring(self._ring, 90.0 * self._side, self._colours[3]),
            _plate((row, middle)),
            *(_peg(index, place, self._colours[index]) for index, place in enumerate(self._pegs)),
        )
        self.words = f"put the ring on the {self._colours[self._goal]} peg"

    def after(self, progress: Progress, world: World, gripper_open: bool) -> Progress:
        """Succeed where the ring is on the peg and the gripper lets it go."""
        place = world.place("ring")
        on = self._far(world) <= OVER_M and place[2] - TABLE_M <= DOWN_M and gripper_open
        return replace(progress, succeeded=progress.succeeded or on)

    def distances(self, progress: Progress, world: World) -> Dict[str, float]:
        """Return the horizontal distance of the ring from its peg."""
        return {"distance.0": self._far(world)}

    def sub_goals(self) -> Tuple[SubGoal, ...]:
        """Grasp the handle, carry the ring above the peg, lower and release it."""
        return self._to_peg(self._goal)

    def last_stage(self) -> Stage:
        """Everything from where the open hand is above the handle; the others go to the other pegs."""
        above, *plan = self.sub_goals()
        others = tuple(self._to_peg(peg)[1:] for peg in range(len(self._pegs)) if peg != self._goal)
        return Stage((above,), tuple(plan), others, low=(0,), carried=(2, 3, 4), release=3)

    def _to_peg(self, peg: int) -> Tuple[SubGoal, ...]:
        dx, dy = ((_GRASP, 0), (0, _GRASP), (-_GRASP, 0), (0, -_GRASP))[self._side]
        heading = 30 if self._side % 2 else 0
        x, y = self._ring[0] + dx, self._ring[1] + dy
        peg_x, peg_y = self._pegs[peg]
        over = (peg_x + dx, peg_y + dy)
        return (
            SubGoal(x, y, _CARRY, heading, True),
            SubGoal(x, y, _LOW, heading, False),
            SubGoal(x, y, _CARRY, heading, False),
            SubGoal(*over, _CARRY, heading, False),
            SubGoal(*over, _RELEASE, heading, True),
            SubGoal(*over, _CARRY, heading, True),
        )

    def _far(self, world: World) -> float:
        return apart(world.place("ring"), standing(self._pegs[self._goal], 0.0))


def _ring(place: Voxel, heading_deg: float, colour: str) -> Thing:
    """Return a square ring: four bars, and a handle along its x axis."""
    bar = (_OUTER_M - _HOLE_M) / 2.0
    middle = _HOLE_M + bar
    boxes = [
        ((bar, _OUTER_M, _TALL_M), (middle, 0.0, 0.0)),
        ((bar, _OUTER_M, _TALL_M), (-middle, 0.0, 0.0)),
        ((_HOLE_M, bar, _TALL_M), (0.0, middle, 0.0)),
        ((_HOLE_M, bar, _TALL_M), (0.0, -middle, 0.0)),
        ((_HANDLE_HALF_M, 0.009, _TALL_M), (_OUTER_M + _HANDLE_HALF_M, 0.0, 0.0)),
    ]
    solids = tuple(Solid("box", size, position, mass=0.012) for size, position in boxes)
    mesh: Mesh = joined([rounded_box(size, 0.002).moved(position) for size, position in boxes])
    look = Look(mesh, COLOURS[colour])
    return Thing("ring", FREE, standing(place, _TALL_M), heading_deg, solids, (look,))


def _plate(place: Voxel) -> Thing:
    size = (0.04, 0.01 * _PEG_STEP + 0.04, 0.003)
    look = Look(rounded_box(size, 0.002).moved((0.0, 0.0, size[2])), (0.30, 0.17, 0.08), "wood", 0.2)
    return Thing("plate", FIXED, standing(place, 0.0), 0.0, (Solid("box", size, (0.0, 0.0, size[2])),), (look,))


def _peg(index: int, place: Voxel, colour: str) -> Thing:
    half = (_PEG_M, _PEG_M, _PEG_TALL_M / 2.0)
    look = Look(rounded_box(half, 0.003), COLOURS[colour])
    return Thing(
        f"peg{index}", FIXED, standing(place, _PEG_TALL_M / 2.0), 0.0, (Solid("box", half),), (look,), friction=0.4
    )
