"""RLBench as a teacher: an episode is a demonstration that the simulator makes itself, and `follow` walks through it.

RLBench plans and executes a whole demonstration at once, so a reset records it and steps show it, one observation after
the other. What the arm is told is the pose that it has in the next observation, absolute, in ``ee_pose8``: RLBench
itself plans in joint angles, which no world model here is told.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.actions import FOLLOW, Action, Primitive, demonstration_space
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError, Refusal
from harness.contracts.observations import EnvironmentSpec, Observation, ViewRequest
from images.rlbench.demos import StoredStart
from images.rlbench.environment import RLBenchEnvironment, drawn_seed
from images.rlbench.simulator import ActionResult, Channels

_NEXT = Primitive(FOLLOW, 0.0)
_SCENE = re.compile(r"([a-z][a-z0-9_]*)(?:/variation(\d{1,4})(/episode\d{1,4})?)?")
_WORD_DIGITS = 8
_LEAST = 2
"""A demonstration of fewer observations holds no action."""


class RLBenchDemonstrations(RLBenchEnvironment):
    """Demonstrates scenes that the seed draws: of a variation (``push_buttons/variation3``) or of any."""

    def __init__(self, **options: Any) -> None:
        """Take the options of `RLBenchEnvironment`."""
        super().__init__(**options)
        self._seen: List[Any] = []
        self._wanted: Dict[str, Channels] = {}
        self._place = 0

    def describe(self) -> EnvironmentSpec:
        """Return cameras and the one action, without starting the simulator."""
        return replace(super().describe(), action_spaces=(demonstration_space(),))

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Demonstrate in a scene that seed and episode draw; return its first observation.

        The info of that one also holds ``moments`` (how many observations there are), ``variation``, ``placements``
        and, as eight words of 32 bits, the digest of the scene's start. EpisodeError: it was not done in this scene.
        """
        self._playing, self._seen = False, []
        task, variation = demonstrated_parts(episode.scene)
        self._wanted = self._channels(views)
        self._simulator.load(task)
        self._check_cameras()
        if variation is None:
            variation = drawn_seed(seed, f"{episode.id}/variation") % self._simulator.variation_count()
        start, seen = self._simulator.demonstrate(variation, drawn_seed(seed, episode.id), self._wanted)
        if len(seen) < _LEAST:
            raise EpisodeError(f"{episode.scene}: the demonstration has {len(seen)} observations.")
        self._seen, self._place, self._playing = seen, 0, True
        observation = self._shown(True)
        info = {**observation.info, "moments": float(len(seen)), **_start_numbers(task, start)}
        return replace(observation, info=info)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Return the next observation for each ``follow``; after the last one it is repeated, with ``executed`` 0.

        The views are those of the reset: what was not rendered while it happened cannot be shown later.
        """
        self._require_playing()
        wrong = [action for action in actions if action != _NEXT]
        if wrong:
            raise Refusal(f"action {wrong[0]} cannot change a demonstration.", f"The only action is {FOLLOW}.")
        if self._channels(views) != self._wanted:
            raise Refusal("a demonstration shows the views that its reset asked for.", "Ask for the same views.")
        observations: List[Observation] = []
        for _ in actions:
            over = self._place == len(self._seen) - 1
            self._place += not over
            observations.append(self._shown(not over))
        return observations

    def close(self) -> None:
        """Forget the demonstration and shut the simulator down."""
        self._seen = []
        super().close()

    def _shown(self, executed: bool) -> Observation:
        """Return the present moment; the last one is where RLBench found the task to be done."""
        last = self._place == len(self._seen) - 1
        self._result = ActionResult("", succeeded=last, over=last)
        return self._observation(self._seen[self._place], self._wanted, executed)


def demonstrated_parts(scene: str) -> Tuple[str, Optional[int]]:
    """Return (task, variation or None for any) of ``push_buttons/variation3`` or ``push_buttons``.

    Refusal for a stored demo (``push_buttons/variation3/episode7``): those are what is tested with.
    """
    found = _SCENE.fullmatch(scene)
    if not found:
        raise Refusal(f"{scene!r} is no task of RLBench.", "Name it like push_buttons or push_buttons/variation3.")
    task, variation, stored = found.groups()
    if stored:
        raise Refusal(
            f"{scene} is a stored demo, which evaluation plays.", f"Name {task} or {task}/variation{variation}."
        )
    return task, None if variation is None else int(variation)


def _start_numbers(task: str, start: StoredStart) -> Mapping[str, float]:
    """Return what is known of a start as numbers: an observation's info holds nothing else."""
    digest = start.digest(task)
    words = [digest[place : place + _WORD_DIGITS] for place in range(0, len(digest), _WORD_DIGITS)]
    numbers = {f"start.{index}": float(int(word, 16)) for index, word in enumerate(words)}
    return {**numbers, "variation": float(start.variation), "placements": float(start.attempts or 0)}
