"""stack_cups: put the other two cups into the cup of the named colour."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Tuple

from harness.contracts.portable import TWO_PI, sincos
from images.tabletop.meshes import revolved, rounded_box
from images.tabletop.physics import World
from images.tabletop.scenes import (
    COLOURS,
    FREE,
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

IN_CUP_M, LEAST_RISE_M, MOST_RISE_M, UPRIGHT = 0.015, 0.01, 0.09, 0.95
"""A cup is in another where their axes are this near, it stands this much higher, and is this upright (a cosine)."""

_TALL_M, _BOTTOM_M, _TOP_M, _WALL_M = 0.09, 0.024, 0.036, 0.004
_PLANKS = 12
_SPACING = 16
_GRASP, _CARRY = layer(0.085), layer(0.225)
_RELEASE = (layer(0.125), layer(0.155))


class StackCups(Puzzle):
    """Three cups, and in every second variation one or two blocks that have nothing to do with it."""

    def __init__(self, name: SceneName) -> None:
        draws = name.draws(of_episode=False)
        blocks = name.variation % 3
        colours = drawn_colours(draws, 3 + blocks)
        self._colours = colours[:3]
        places = scattered(name.draws(of_episode=True), [_SPACING] * 3 + [_SPACING - 3] * blocks, (40, 26), (62, 74))
        self._places = places[:3]
        self._others = places[3:]
        self.things = (
            *(_cup(f"cup{index}", places[index], colours[index]) for index in range(3)),
            *(_block(f"block{index}", places[3 + index], colours[3 + index]) for index in range(blocks)),
        )
        self.words = f"stack the other cups on top of the {self._colours[0]} cup"

    def after(self, progress: Progress, world: World, gripper_open: bool) -> Progress:
        """Succeed where both cups are in the named one and the gripper lets them go."""
        stacked = gripper_open and all(self._stacked(world, name) for name in ("cup1", "cup2"))
        return replace(progress, succeeded=progress.succeeded or stacked)

    def distances(self, progress: Progress, world: World) -> Dict[str, float]:
        """Return the horizontal distances of both cups from the named one."""
        return {f"distance.{index}": apart(world.place(f"cup{index + 1}"), world.place("cup0")) for index in range(2)}

    def sub_goals(self) -> Tuple[SubGoal, ...]:
        """Grasp each cup below its rim, carry it above the stack, lower and release it."""
        goals: List[SubGoal] = []
        for place, release in zip(self._places[1:], _RELEASE):
            goals += _carry(place, self._places[0], release)
        return tuple(goals)

    def last_stage(self) -> Stage:
        """Put the second cup in, from where the open hand is above it.

        The others put it where the first one stood, or onto a block.
        """
        goals = self.sub_goals()
        others = tuple(_carry(self._places[2], place, _RELEASE[1])[1:] for place in (self._places[1], *self._others))
        return Stage(goals[:7], goals[7:], others, low=(0,), carried=(2, 3, 4), release=3)

    def _stacked(self, world: World, name: str) -> bool:
        here, below = world.place(name), world.place("cup0")
        rise = here[2] - below[2]
        upright = world.upright(name) >= UPRIGHT and world.upright("cup0") >= UPRIGHT
        return apart(here, below) <= IN_CUP_M and LEAST_RISE_M <= rise <= MOST_RISE_M and upright


def _carry(start: Voxel, end: Voxel, release: int) -> Tuple[SubGoal, ...]:
    return (
        SubGoal(*start, _CARRY, 0, True),
        SubGoal(*start, _GRASP, 0, False),
        SubGoal(*start, _CARRY, 0, False),
        SubGoal(*end, _CARRY, 0, False),
        SubGoal(*end, release, 0, True),
        SubGoal(*end, _CARRY, 0, True),
    )


def _cup(name: str, place: Voxel, colour: str) -> Thing:
    """Return a cup that widens upwards: planks around, and a bottom. Its frame lies in the middle of the bottom."""
    slope = (_TOP_M - _BOTTOM_M) / _TALL_M
    half = _WALL_M / 2.0
    middle = (_TOP_M + _BOTTOM_M) / 2.0 - half
    lean = (1.0, 0.0, slope / 2.0, 0.0)  # half the angle, whose tangent is nearly its sine; made a unit by MuJoCo
    solids = [Solid("cylinder", (_BOTTOM_M - half, half), (0.0, 0.0, half), mass=0.03)]
    sine, cosine = sincos(TWO_PI / (2.0 * _PLANKS))
    width = (middle + half) * sine / cosine
    for k in range(_PLANKS):
        around_sin, around_cos = sincos(TWO_PI * k / _PLANKS)
        half_sin, half_cos = sincos(TWO_PI * k / (2.0 * _PLANKS))
        turn = (half_cos * lean[0], -half_sin * lean[2], half_cos * lean[2], half_sin * lean[0])
        position = (middle * around_cos, middle * around_sin, _TALL_M / 2.0)
        solids.append(Solid("box", (half, width, _TALL_M / 2.0), position, turn, mass=0.003))
    inner_bottom, inner_top = _BOTTOM_M - _WALL_M, _TOP_M - _WALL_M
    lip = _TALL_M + 0.0008
    profile = [
        (0.0, 0.0), (_BOTTOM_M, 0.0), (_TOP_M, _TALL_M), (_TOP_M - 0.001, lip), (inner_top + 0.001, lip),
        (inner_top, _TALL_M), (inner_bottom, _WALL_M), (0.0, _WALL_M),
    ]  # fmt: skip
    return Thing(
        name, FREE, standing(place, 0.0005), 0.0, tuple(solids),
        (Look(revolved(profile), COLOURS[colour], gloss=0.6),), friction=0.7,
    )  # fmt: skip


def _block(name: str, place: Voxel, colour: str) -> Thing:
    half = (0.02, 0.02, 0.02)
    look = Look(rounded_box(half), COLOURS[colour])
    return Thing(name, FREE, standing(place, 0.02), 0.0, (Solid("box", half, mass=0.05),), (look,))
