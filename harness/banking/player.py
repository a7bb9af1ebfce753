"""The player of a measurement: puts the world model into one frozen state after another and lets it choose."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Optional

from harness.banking.measures import is_best, measures
from harness.banking.plan import BANK_PATH, needs_environment
from harness.banking.states import frozen_state
from harness.contracts.digest import array_digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.observations import View, ViewRequest
from harness.contracts.results import DecisionRecord
from harness.contracts.trajectories import PlayedEpisode, Trajectory
from harness.planning.agent import Choice
from harness.planning.bank_states import DecisionState, choose, may_stay
from harness.planning.config import ORACLE
from harness.planning.loop import BUDGET, views_of
from harness.records.banks import BANK_HASH
from harness.running.episode_runner import PlanServices
from harness.running.plan import RunPlan
from harness.running.player import Starting, unheard
from harness.wire.sdk import Environment
from tasks.bank_files import SPLIT, BankedState, make_command, read_bank
from tasks.registry import load_task
from tasks.suite import load_suite


class BankPlayer:
    """Starts the services that a measurement needs and asks in one state at a time.

    Raises SpecMismatch where the bank is not the one that the measurement was planned with.
    """

    def __init__(self, plan: RunPlan, logs: Path, starting: Starting = unheard) -> None:
        identity = plan.identity
        suite = load_suite(identity.suite, identity.task)
        tier = suite.tier(identity.tier)
        self._identity = identity
        self._suite = suite
        self._bank = read_bank(suite, tier, Path(str(plan.options[BANK_PATH])))
        if self._bank.hash != identity.specs[BANK_HASH]:
            raise SpecMismatch(
                f"{self._bank.path} holds the states {self._bank.hash}, but the measurement began with "
                f"{identity.specs[BANK_HASH]}.",
                f"Start a new one, or make that bank again: {make_command(suite)}",
            )
        self._kept = {state.id: state for state in self._bank.states}
        self._origins = {episode.id: episode for episode in suite.episodes(tier.name, SPLIT)}
        self._parts = load_task(identity.task).parts_of(tier, identity.wm)
        self._services = PlanServices(plan, suite, logs, starting)
        try:
            wanted = needs_environment(identity, suite)
            self._environment: Optional[Environment] = self._services.environment() if wanted else None
            self._imaginer = self._services.imaginer(self._environment)
        except BaseException:
            self._services.close()
            raise

    def play(self, episode: Episode, seed: int) -> PlayedEpisode:
        """Ask in the state called ``episode.id``; a played row is solved where the choice is a truly best end."""
        kept = self._kept.get(episode.id)
        if kept is None:
            raise Refusal(f"{self._bank.path} has no state {episode.id!r}.", "Start a new measurement.")
        with self._services.causes_told():
            began = time.perf_counter()
            state = frozen_state(self._bank, kept, self._parts, self._suite)
            further = self._stand_in(kept) if self._environment is not None else None
            ready = time.perf_counter()
            forced = choose(state, self._parts, self._imaginer, seed, ORACLE, further)
        free = may_stay(state, self._parts, forced, seed)
        timings = {"reset": ready - began, "decide": time.perf_counter() - ready}
        trajectory = self._trajectory(episode, seed, state, forced)
        return PlayedEpisode(trajectory, measures(state, forced, free), state.prompt.rgb, (), None, timings)

    def close(self) -> None:
        """Stop the services."""
        self._services.close()

    def _stand_in(self, kept: BankedState) -> Optional[View]:
        """Put the environment into a state, and return the further view that the imaginer wants there.

        The body walks there from the start of its episode, as it did when the bank was made: a pose holds headings in
        other numbers than a body does, and the view has to be the bank's to the last bit.
        """
        assert self._environment is not None
        further = None if self._imaginer is None else self._imaginer.further_view
        look = views_of(ViewRequest(self._parts.config.agent_camera), further)
        actions = [action for executed in kept.executed for action in executed]
        origin = self._origins[kept.episode]
        observation = self._environment.reset(origin, self._identity.seeds[0], [] if actions else look)
        if len(actions) > 1:
            self._environment.step(actions[:-1], [])
        if actions:
            observation = self._environment.step(actions[-1:], look)[-1]
        seen = observation.views[self._parts.config.agent_camera]
        if array_digest(seen.rgb) != kept.view:
            raise SpecMismatch(
                f"the environment shows other pixels in state {kept.id} than the bank holds.",
                f"Make the bank again with this environment: {make_command(self._suite)}",
            )
        return None if further is None else observation.views[further.camera]

    def _trajectory(self, episode: Episode, seed: int, state: DecisionState, forced: Choice) -> Trajectory:
        assert forced.end is not None
        final = forced.imagined.get(forced.end.execute)
        decision = DecisionRecord(
            index=state.decision,
            candidates=forced.candidates,
            ends=forced.ends,
            chosen=forced.index,
            scores=forced.scores,
            stay_score=forced.stay_score,
            imagined_digest="" if final is None else array_digest(final.rgb),
            distance_m=state.distance_m,
            rollouts=forced.rollouts,
            steps=(),
        )
        return Trajectory(
            episode=episode.id,
            seed=seed,
            wm=self._identity.wm,
            stop=ORACLE,
            start=state.pose,
            goal_digest=array_digest(state.prompt.rgb),
            decisions=(decision,),
            stopped=BUDGET,
            final_distance_m=state.end_distances_m[forced.index],
            solved=is_best(state, forced),
        )
