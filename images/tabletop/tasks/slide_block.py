"""slide_block_to_color_target: push the block onto the square of the named colour."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Tuple

from harness.contracts.portable import PI, sincos
from images.tabletop.meshes import rounded_box
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
    Vec3,
    drawn_colours,
    layer,
    nearest_voxel,
    standing,
)
from images.tabletop.tasks.puzzle import Progress, Puzzle, Stage, apart

ON_TARGET_M = 0.025
"""The block is on its target where their middles are this near."""

_HALF_M, _TALL_M = 0.06, 0.03
_BEHIND_M, _FINGER_M = 0.115, 0.018
_LOW, _HIGH = layer(0.035), layer(0.145)


class SlideBlock(Puzzle):
    """A block in the middle of two to four squares, one on each side."""

    def __init__(self, name: SceneName) -> None:
        draws = name.draws(of_episode=False)
        count = 2 + name.variation % 3
        self._colours = drawn_colours(draws, count + 1)
        sides = [int(side) for side in draws.permutation(4)[:count]]
        draws = name.draws(of_episode=True)
        place = (int(draws.integers(49, 56)), int(draws.integers(45, 56)))
        heading = 3.0 * int(draws.integers(-7, 8))
        self._block = standing(place, _TALL_M)
        self._pushes = [heading + 90.0 * side for side in sides]
        self._reach = [0.01 * int(draws.integers(16, 21)) for _ in sides]
        self._targets = [_along(self._block, angle, reach) for angle, reach in zip(self._pushes, self._reach)]
        half = (_HALF_M, _HALF_M, _TALL_M)
        block = Thing(
            "block", FREE, self._block, heading, (Solid("box", half, mass=0.25),),
            (Look(rounded_box(half, 0.005), COLOURS[self._colours[-1]], "wood", 0.25),), friction=0.3,
        )  # fmt: skip
        squares = [
            Thing(
                f"target{index}", FIXED, (x, y, TABLE_M), heading, (),
                (Look(rounded_box((0.065, 0.065, 0.001), 0.0005), COLOURS[self._colours[index]], gloss=0.1),),
            )
            for index, (x, y, _) in enumerate(self._targets)
        ]  # fmt: skip
        self.things = (block, *squares)
        self.words = f"slide the block to the {self._colours[0]} target"

    def after(self, progress: Progress, world: World, gripper_open: bool) -> Progress:
        """Succeed where the block lies on its target."""
        return replace(progress, succeeded=progress.succeeded or self._far(world) <= ON_TARGET_M)

    def distances(self, progress: Progress, world: World) -> Dict[str, float]:
        """Return the distance of the block from its target."""
        return {"distance.0": self._far(world)}

    def sub_goals(self) -> Tuple[SubGoal, ...]:
        """Go behind the block with open fingers, and push it by both of them."""
        return self._push(0)

    def last_stage(self) -> Stage:
        """Push the block; the others push it to the other squares."""
        others = tuple(self._push(index) for index in range(1, len(self._targets)))
        return Stage((), self._push(0), others, low=(1, 2), carried=(2,))

    def _push(self, target: int) -> Tuple[SubGoal, ...]:
        angle = self._pushes[target]
        bins = round(angle / 3.0) % 60
        heading = bins - 60 if bins > 30 else bins
        behind = nearest_voxel(_along(self._block, angle, -_BEHIND_M))
        end = nearest_voxel(_along(self._targets[target], angle, -(_HALF_M + _FINGER_M)))
        return (
            SubGoal(*behind, _HIGH, heading, True),
            SubGoal(*behind, _LOW, heading, True),
            SubGoal(*end, _LOW, heading, True),
            SubGoal(*behind, _HIGH, heading, True),
        )

    def _far(self, world: World) -> float:
        return apart(world.place("block"), self._targets[0])


def _along(place: Vec3, angle_deg: float, metres: float) -> Vec3:
    sine, cosine = sincos(angle_deg * (PI / 180.0))
    return (place[0] + metres * cosine, place[1] + metres * sine, place[2])
