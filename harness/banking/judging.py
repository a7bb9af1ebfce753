"""What a recorded choice in a frozen state is worth, worked out again from its bank: no written number is believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from harness.banking.measures import is_best, measures
from harness.banking.plan import state_episodes
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.judgements import Judge, Judgement
from harness.contracts.results import DecisionRecord
from harness.contracts.trajectories import Trajectory
from harness.planning.agent import Choice
from harness.planning.revisers import Reviser, Stay
from harness.planning.seeding import EpisodeSeeds
from harness.records.banks import BANK_HASH
from harness.records.damage import Damage, Findings
from harness.records.folder import RECORD
from harness.records.identity import RunIdentity
from tasks.bank_files import BankedState, bank_path, read_bank
from tasks.registry import load_task
from tasks.suite import load_suite


@dataclass(frozen=True)
class _KnownState:
    """What a choice is judged by: the true distances after each end and here, in metres."""

    end_distances_m: Tuple[float, ...]
    distance_m: float
    ends: Tuple[int, ...]


def bank_judge(identity: RunIdentity, path: Optional[Path] = None) -> Tuple[Optional[Judge], Findings]:
    """Return how rows of a measurement are judged, and where its rows are not the bank's states.

    ``path`` is the bank's file (default: the suite's). None and the reason where that bank is not here.
    """
    wanted = str(identity.specs.get(BANK_HASH, ""))
    try:
        suite = load_suite(identity.suite, identity.task)
        tier = suite.tier(identity.tier)
        bank = read_bank(suite, tier, path or bank_path(suite))
    except Refusal as refusal:
        return None, Findings((), (f"the choices were not judged again: {refusal.what}",))
    if bank.hash != wanted:
        sentence = f"it was asked on the states {wanted[:12]}, the bank here holds {bank.hash[:12]}"
        return None, Findings((), (f"{sentence}: the choices were not judged again.",))
    states = {state.id: state for state in bank.states}
    reviser = load_task(identity.task).parts.make_reviser(tier.loop_for(identity.wm).reviser)

    def judge(episode: Episode, trajectory: Trajectory) -> Judgement:
        return _judge(states.get(episode.id), reviser, trajectory)

    planned = identity.episodes == state_episodes(suite, identity.tier, bank)
    return judge, Findings(() if planned else (Damage(RECORD, "its rows are not the states of its bank"),))


def _judge(state: Optional[BankedState], reviser: Reviser, trajectory: Trajectory) -> Judgement:
    if state is None or len(trajectory.decisions) != 1:
        return Judgement({}, ("its trajectory is not one choice in a state of the bank",))
    decision = trajectory.decisions[0]
    known = _KnownState(state.end_distances_m, state.distance_m, tuple(range(len(state.end_distances_m))))
    if not 0 <= decision.chosen < len(known.ends) or len(decision.scores) not in (0, len(known.ends)):
        return Judgement({}, (f"it chose {decision.chosen} of {len(known.ends)} ends",))
    forced = _choice(decision, decision.chosen)
    stay = Stay(True, decision.stay_score)
    seeds = EpisodeSeeds(trajectory.seed, state.episode)
    free = reviser.choose(len(known.ends), decision.scores, stay, state.decision, seeds)
    return Judgement(
        measures(known, forced, _choice(decision, free)), tuple(_contradictions(known, forced, trajectory))
    )


def _choice(decision: DecisionRecord, index: int) -> Choice:
    return Choice(
        end=None,
        index=index,
        actions=(),
        candidates=decision.candidates,
        ends=decision.ends,
        scores=decision.scores,
        stay_score=decision.stay_score,
        imagined={},
        rollouts=decision.rollouts,
    )


def _contradictions(state: _KnownState, forced: Choice, trajectory: Trajectory) -> List[str]:
    claimed: Dict[str, object] = {
        "ends": trajectory.decisions[0].ends,
        "distance here": trajectory.decisions[0].distance_m,
        "distance after it": trajectory.final_distance_m,
        "solved": trajectory.solved,
    }
    true: Mapping[str, object] = {
        "ends": len(state.ends),
        "distance here": state.distance_m,
        "distance after it": state.end_distances_m[forced.index],
        "solved": is_best(state, forced),
    }
    return [f"{name} is {claimed[name]}, the bank's {true[name]}" for name in true if claimed[name] != true[name]]
