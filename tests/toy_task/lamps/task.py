"""Lamps: stop at the lamp of the shade that is shown. What a task is, in one small file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from lamps.environment import picture

from harness.contracts.actions import FORWARD, TURN_LEFT, Action, ActionSpace, Candidate
from harness.contracts.episodes import Episode
from harness.contracts.judgements import Judgement
from harness.contracts.metrics import HIGHER, OVER_PLANNED, SHARE, MetricSpec
from harness.contracts.observations import Observation, View, ViewRequest
from harness.contracts.trajectories import Trajectory
from harness.planning.config import LoopConfig
from harness.planning.episode_start import Begun
from harness.planning.evidence import EndScores
from harness.planning.parts import PartCatalog, ProposerPart, ScorePart
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds
from harness.wire.sdk import Environment
from tasks.task import Task, payload_of


@dataclass(frozen=True)
class LampWanted:
    """The payload: which lamp is asked for, and how many away it is."""

    lamp: int
    lamps_away: int


@dataclass(frozen=True)
class NoConstants:
    """A tier has none of its own."""


class BothWays:
    """Proposes a step ahead, and a step back."""

    def __init__(self, space: ActionSpace) -> None:
        known = {primitive.name: primitive for primitive in space.primitives}
        self._ahead, self._turn = known[FORWARD], known[TURN_LEFT]

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return the two candidates, each with its one end."""
        candidates = (Candidate((self._ahead,)), Candidate((self._turn, self._ahead)))
        return Proposal(candidates, tuple(End(i, (len(c.actions),), len(c.actions)) for i, c in enumerate(candidates)))


class Shade:
    """Scores a view by how little its shade differs from the prompt's."""

    def against(self, prompt: View) -> _SameShade:
        """Return the comparer of one prompt."""
        return _SameShade(prompt)


class _SameShade:
    def __init__(self, prompt: View) -> None:
        self._shade = int(prompt.rgb[0, 0, 2])

    def __call__(self, views: Sequence[View]) -> float:
        return -float(abs(int(views[-1].rgb[0, 0, 2]) - self._shade))


class LampsAway:
    """The truth: how many lamps away the wanted one is."""

    def __init__(self, lamp: int, start: Observation) -> None:
        self._lamp, self._seen = lamp, start

    def distance(self, seen: Observation) -> float:
        """Return the number of lamps from where the body stands."""
        self._seen = seen
        return abs(seen.pose.position[2] - self._lamp)

    def is_solved(self, distance: float) -> bool:
        """Say whether this is the lamp."""
        return distance == 0.0

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        """Return minus the distances after the steps ahead and back."""
        here, ahead = self._seen.pose.position[2], 1.0 if self._seen.pose.rotation[0] > 0.5 else -1.0
        after = {0: here + ahead, 1: here - ahead}
        return EndScores(tuple(-abs(after[end.candidate] - self._lamp) for end in ends), -abs(here - self._lamp))


def begin(
    environment: Environment, episode: Episode, seed: int, views: Sequence[ViewRequest], config: LoopConfig
) -> Begun:
    """Show the wanted lamp."""
    lamp = payload_of(LampWanted, episode).lamp
    seen = environment.reset(episode, seed, views)
    return Begun(seen, picture(lamp, 1), LampsAway(lamp, seen))


def judge(episode: Episode, trajectory: Trajectory) -> Judgement:
    """Return success and the share of steps that were needed, by arithmetic alone."""
    wanted = payload_of(LampWanted, episode)
    steps = sum(len(decision.steps) for decision in trajectory.decisions)
    metrics = {
        "success": float(trajectory.solved),
        "thrift": trajectory.solved * min(wanted.lamps_away / max(steps, 1), 1.0),
    }
    wrong = () if trajectory.solved == (trajectory.final_distance_m == 0.0) else ("it is solved at another lamp",)
    return Judgement(metrics, wrong)


TASK = Task(
    name="lamps",
    summary="Lamps: stop at the lamp of the shade that is shown.",
    payload=LampWanted,
    constants=NoConstants,
    parts=PartCatalog({"both-ways": ProposerPart("lamps.task:BothWays")}, {"shade": ScorePart("lamps.task:Shade")}),
    begin=begin,
    judge=judge,
    own_metrics=(MetricSpec("thrift", "Thrift", "Needed steps over taken ones.", "", 2, HIGHER, OVER_PLANNED, SHARE),),
    needs=(),
    length="lamps_away",
)
