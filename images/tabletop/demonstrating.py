"""The tabletop as a teacher: an episode is a plan that is carried out sub-goal by sub-goal, right or with mistakes.

A world model has to know what a wrong plan leads to, so most plans here are not the one that solves the scene: another
thing, a place missed, a hand too high, two sub-goals exchanged, and some noise on every number. A reset carries one
out, and steps show it, one moment a sub-goal. Suites play the variations before `PLAYED_VARIATIONS`; these are others.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from harness.contracts import seeds
from harness.contracts.actions import FOLLOW, Action, Primitive, demonstration_space
from harness.contracts.arm_poses import LAST_VOXEL
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.observations import EnvironmentSpec, Observation, ViewRequest
from images.rlbench.actions import discrete_target
from images.tabletop.environment import TabletopEnvironment
from images.tabletop.scenes import HOME, PLAYED_VARIATIONS, TASKS, VARIATIONS, SubGoal
from images.tabletop.tasks.all import make_puzzle, scene_digest
from images.tabletop.tasks.puzzle import Stage

SHOWN = 6
"""Sub-goals of a demonstration; one that is shorter ends with the hand at home, where it stays."""

Plan = Tuple[SubGoal, ...]

_NEXT = Primitive(FOLLOW, 0.0)
_SCENE = re.compile(r"([a-z_]+)/variation(\d{1,4})")
_EPISODES = range(10_000, 1_000_000)
_WORD_DIGITS = 8
_BESIDE, _HIGHER, _DROPPED = 10, 6, 14
"""How far, in voxels, a place is missed at most, a hand is too high, and a thing is let go too high."""


class TabletopDemonstrations(TabletopEnvironment):
    """Carries out plans in scenes that the seed draws of a variation (``push_buttons/variation60``)."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: List[Observation] = []
        self._place = 0

    def describe(self) -> EnvironmentSpec:
        """Return cameras and the one action."""
        return replace(super().describe(), action_spaces=(demonstration_space(),))

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Carry out a plan that ``seed`` draws, in a scene that it draws; return what is seen before it.

        The info of that one also holds ``moments`` (how many observations there are), ``variation``, ``placements``
        and, as eight words of 32 bits, the digest of the scene. The others say as ``told.0`` ... ``told.6`` which
        sub-goal led to them.
        """
        task, variation = demonstrated_parts(episode.scene)
        draws = seeds.generator(seed, episode.scene, -1, -1, "demonstrated")
        scene = f"{task}/variation{variation}/episode{int(draws.integers(_EPISODES.start, _EPISODES.stop))}"
        stage = make_puzzle(scene).last_stage()
        first = super().reset(replace(episode, scene=scene), seed, () if stage.before else views)
        play = self._playing()
        for goal in stage.before:
            play.act(discrete_target(goal.values()))
        first = super()._observe(play, {request.camera: (False, False) for request in views})
        digest = scene_digest(play.puzzle)
        words = [int(digest[at : at + _WORD_DIGITS], 16) for at in range(0, len(digest), _WORD_DIGITS)]
        facts = {"moments": float(SHOWN + 1), "variation": float(variation), "placements": 1.0}
        facts.update({f"start.{index}": float(word) for index, word in enumerate(words)})
        self._shown, self._place = [replace(first, info={**first.info, **facts})], 0
        for goal in drawn_plan(stage, draws):
            play.act(discrete_target(goal.values()))
            seen = super()._observe(play, {request.camera: (False, False) for request in views})
            self._shown.append(replace(seen, info={**seen.info, **_told(goal)}))
        return self._shown[0]

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Return the next observation for each ``follow``, seen as the reset asked; the last one is repeated."""
        wrong = [action for action in actions if action != _NEXT]
        if wrong:
            raise Refusal(f"action {wrong[0]} cannot change a demonstration.", f"The only action is {FOLLOW}.")
        if not self._shown:
            raise Refusal("nothing is being demonstrated.", "Call reset first.")
        if {request.camera for request in views} != set(self._shown[0].views):
            raise Refusal("a demonstration shows the views that its reset asked for.", "Ask for the same views.")
        found = []
        for _ in actions:
            self._place = min(self._place + 1, len(self._shown) - 1)
            found.append(self._shown[self._place])
        return found

    def close(self) -> None:
        """Forget the demonstration."""
        self._shown = []
        super().close()


def demonstrated_parts(scene: str) -> Tuple[str, int]:
    """Return (task, variation) of ``push_buttons/variation60``; Refusal for what suites play, and for other names."""
    found = _SCENE.fullmatch(scene)
    if found is None or found[1] not in TASKS:
        raise Refusal(
            f"{scene!r} is nothing that the tabletop demonstrates.",
            f"Name it like {TASKS[0]}/variation{PLAYED_VARIATIONS}; tasks: {', '.join(TASKS)}.",
        )
    if not PLAYED_VARIATIONS <= int(found[2]) < VARIATIONS:
        raise Refusal(
            f"{scene}: suites play the variations 0 to {PLAYED_VARIATIONS - 1}, and there are {VARIATIONS}.",
            f"Choose among {PLAYED_VARIATIONS} to {VARIATIONS - 1}.",
        )
    return found[1], int(found[2])


def drawn_plan(stage: Stage, draws: np.random.Generator) -> Plan:
    """Return the sub-goals of a demonstration: a plan for a stage, drawn right or with mistakes, and the way home.

    Where a stage's end shows only while the hand is there, as of a button that is let go, two plans follow each other.
    """
    home = SubGoal(*HOME, 0, stage.plan[-1].open)
    if stage.shows:
        return (*_with_mistakes(stage, draws), *[home] * SHOWN)[:SHOWN]
    first, second = (_with_mistakes(stage, draws) for _ in range(2))
    return (*first, first[0], *second, *[home] * SHOWN)[:SHOWN]


def _with_mistakes(stage: Stage, draws: np.random.Generator) -> Plan:
    """Return a plan of the stage, or of another thing, with what goes wrong drawn for it."""
    plan = stage.plan
    if stage.others and _happens(draws, 0.4):
        plan = stage.others[int(draws.integers(len(stage.others)))]
    every = tuple(range(len(plan)))
    if _happens(draws, 0.4):
        plan = _moved(plan, stage.carried, _level(draws, _BESIDE))
    elif _happens(draws, 0.2):
        plan = _moved(plan, stage.low, (0, 0, int(draws.integers(1, _HIGHER + 1))))
    elif stage.release < 0 and len(stage.low) > 1 and _happens(draws, 0.3):
        plan = _moved(plan, every, _level(draws, _BESIDE))
    elif stage.release >= 0 and _happens(draws, 0.3):
        plan = _moved(plan, (stage.release,), (0, 0, int(draws.integers(1, _DROPPED + 1))))
    if len(plan) > 2 and _happens(draws, 0.12):
        at = int(draws.integers(len(plan) - 1))
        plan = (*plan[:at], plan[at + 1], plan[at], *plan[at + 2 :])
    if _happens(draws, 0.3):
        plan = _moved(plan, every, _level(draws, 1))
    return plan


def _happens(draws: np.random.Generator, share: float) -> bool:
    return bool(draws.random() < share)


def _level(draws: np.random.Generator, most: int) -> Tuple[int, int, int]:
    """Return a move along the table, in half of the draws along one of its axes."""
    x, y = (int(draws.integers(-most, most + 1)) for _ in range(2))
    along = int(draws.integers(4))
    return (x if along != 0 else 0, y if along != 1 else 0, 0)


def _moved(plan: Plan, numbers: Sequence[int], voxels: Tuple[int, int, int]) -> Plan:
    x, y, z = voxels
    return tuple(
        replace(goal, x=_on_grid(goal.x + x), y=_on_grid(goal.y + y), z=_on_grid(goal.z + z))
        if number in numbers
        else goal
        for number, goal in enumerate(plan)
    )


def _on_grid(voxel: int) -> int:
    return min(max(voxel, 0), LAST_VOXEL)


def _told(goal: SubGoal) -> Mapping[str, float]:
    numbers: Dict[str, float] = {f"told.{index}": float(value) for index, value in enumerate(goal.values())}
    return numbers
