"""push_buttons: press the named buttons in their order. Pressing any other one spoils the episode."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Tuple

from images.tabletop.meshes import revolved, rounded_box
from images.tabletop.physics import PRESSED_M, World
from images.tabletop.scenes import (
    BUTTON,
    COLOURS,
    FIXED,
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
from images.tabletop.tasks.puzzle import Progress, Puzzle, Stage

_SPACING = 13
_CAP_M, _CAP_RADIUS_M = 0.031, 0.024
_CAP_HALF_M = 0.008
_ABOVE, _PRESS = layer(0.145), layer(0.045)


class PushButtons(Puzzle):
    """One to three buttons to press among three to five."""

    def __init__(self, name: SceneName) -> None:
        draws = name.draws(of_episode=False)
        self._wanted = 1 + name.variation % 3
        count = max(3, self._wanted + name.variation // 3 % 3)
        self._colours = drawn_colours(draws, count)
        self._places = scattered(name.draws(of_episode=True), [_SPACING] * count)
        self.things = tuple(
            thing
            for index, (colour, place) in enumerate(zip(self._colours, self._places))
            for thing in _button(index, colour, place)
        )
        self.words = "push the " + ", then the ".join(f"{c} button" for c in self._colours[: self._wanted])

    def after(self, progress: Progress, world: World, gripper_open: bool) -> Progress:
        """Count a button when it goes down."""
        down = frozenset(name for name in self._caps() if world.pressed(name))
        for name in sorted(down - progress.down):
            right = progress.met < self._wanted and name == _cap(progress.met)
            if right and not progress.spoiled:
                progress = replace(progress, met=progress.met + 1)
            elif not progress.succeeded:
                progress = replace(progress, spoiled=True)
        succeeded = progress.succeeded or progress.met == self._wanted
        return replace(progress, down=down, succeeded=succeeded)

    def distances(self, progress: Progress, world: World) -> Dict[str, float]:
        """Return how far each wanted button has still to go down."""
        return {
            f"distance.{index}": 0.0 if index < progress.met else max(PRESSED_M - world.depth(_cap(index)), 0.0)
            for index in range(self._wanted)
        }

    def sub_goals(self) -> Tuple[SubGoal, ...]:
        """Go above each wanted button, press it, and go up again."""
        goals: List[SubGoal] = []
        for place in self._places[: self._wanted]:
            goals += [*_press(place), SubGoal(*place, _ABOVE, 0, False)]
        return tuple(goals)

    def last_stage(self) -> Stage:
        """Press the last button; once it is let go it looks as before."""
        last = self._wanted - 1
        others = tuple(_press(place) for index, place in enumerate(self._places) if index != last)
        before = self.sub_goals()[: 3 * last]
        return Stage(before, _press(self._places[last]), others, low=(1,), carried=(0, 1), shows=False)

    def _caps(self) -> Tuple[str, ...]:
        return tuple(_cap(index) for index in range(len(self._colours)))


def _press(place: Voxel) -> Tuple[SubGoal, ...]:
    return tuple(SubGoal(*place, z, 0, False) for z in (_ABOVE, _PRESS))


def _cap(index: int) -> str:
    return f"button{index}"


def _button(index: int, colour: str, place: Voxel) -> Tuple[Thing, Thing]:
    base = Thing(
        f"base{index}", FIXED, standing(place, 0.0), 0.0,
        (Solid("box", (0.042, 0.042, 0.006), (0.0, 0.0, 0.006)),),
        (
            Look(rounded_box((0.042, 0.042, 0.0105), 0.004).moved((0.0, 0.0, 0.0105)), (0.34, 0.34, 0.36)),
            Look(revolved([(0.031, 0.02), (0.031, 0.024), (0.027, 0.025)]), (0.06, 0.06, 0.065)),
        ),
    )  # fmt: skip
    profile = [(_CAP_RADIUS_M, -_CAP_HALF_M), (_CAP_RADIUS_M, 0.005), (0.022, 0.0074), (0.019, 0.008), (0.0, 0.008)]
    cap = Thing(
        _cap(index), BUTTON, standing(place, _CAP_M), 0.0,
        (Solid("cylinder", (_CAP_RADIUS_M, _CAP_HALF_M), mass=0.02),),
        (Look(revolved(profile), COLOURS[colour], gloss=0.6),),
    )  # fmt: skip
    return base, cap
