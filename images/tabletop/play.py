"""One scene being played: physics, gripper, progress and picture, saved and restored together.

What an action comes to depends on the moment alone in which it begins. It is kept, so that plans which begin alike are
simulated once as far as they do, and what was imagined is not simulated again when it is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

from images.rlbench.actions import GripperPose
from images.tabletop.control import Controller
from images.tabletop.physics import State, World
from images.tabletop.stage import Stage
from images.tabletop.tasks.all import make_puzzle
from images.tabletop.tasks.puzzle import Progress, Puzzle

_KEPT = 1024
"""Of how many actions the outcome is kept, the latest: each takes some kilobytes."""

_Beginning = Tuple[bytes, bool, Progress, GripperPose]


@dataclass(frozen=True, eq=False)
class Moment:
    """All that an episode's future depends on; ``blocked`` is what the last action came to."""

    state: State
    gripper_open: bool
    progress: Progress
    blocked: bool


class Play:
    """One scene being played."""

    def __init__(self, scene: str) -> None:
        self.scene = scene
        self.puzzle: Puzzle = make_puzzle(scene)
        self.world = World(self.puzzle.things)
        self.controller = Controller(self.world)
        self.stage = Stage(self.puzzle.things)
        self.progress = Progress()
        self.blocked = False
        self._outcomes: Dict[_Beginning, Moment] = {}
        self.beginning = self.save()

    def act(self, target: GripperPose) -> None:
        """Carry out one pose, and watch the task's progress on the way."""
        beginning = (self.world.key(), self.controller.gripper_open, self.progress, target)
        outcome = self._outcomes.get(beginning)
        if outcome is not None:
            self.restore(outcome)
            return
        self.blocked = not self.controller.carry_out(target, self._watch)
        if len(self._outcomes) >= _KEPT:
            self._outcomes.pop(next(iter(self._outcomes)))
        self._outcomes[beginning] = self.save()

    def forget(self) -> None:
        """Simulate and draw everything anew from here on, even what was done before."""
        self._outcomes.clear()
        self.stage.forget()

    def save(self) -> Moment:
        """Return the present moment."""
        return Moment(self.world.save(), self.controller.gripper_open, self.progress, self.blocked)

    def restore(self, moment: Moment) -> None:
        """Go back to a moment of this scene."""
        self.world.restore(moment.state)
        self.controller.gripper_open = moment.gripper_open
        self.progress, self.blocked = moment.progress, moment.blocked

    def _watch(self) -> None:
        self.progress = self.puzzle.after(self.progress, self.world, self.controller.gripper_open)
