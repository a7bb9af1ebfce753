"""What a task is: everything that only it knows, in one object of its folder's ``task.py``.

The harness plays any task by the same loop. A task says what its episodes hold, how one begins, what is true of it,
which parts its suites can name, what it measures, and how a record is judged; it knows nothing of runs, services or
reports.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, Type, TypeVar

from harness.contracts import wrong_fields
from harness.contracts.digest import array_digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.judgements import Judge
from harness.contracts.metrics import MetricSpec, check_metrics, in_order
from harness.contracts.observations import ViewRequest
from harness.contracts.search import WHOLE, Search
from harness.contracts.trajectories import PlayedEpisode, Trajectory
from harness.planning import common_metrics, gap, loop
from harness.planning.agent import Agent
from harness.planning.episode_start import Begin
from harness.planning.evidence import TRUTH
from harness.planning.parts import PartCatalog, Parts
from harness.planning.policy_proposer import ChosenPolicy, PolicyUse
from harness.planning.seeding import EpisodeSeeds
from harness.wire.sdk import Environment
from harness.worldmodels.imaginer import Imaginer

if TYPE_CHECKING:
    from tasks.suite import Suite, Tier

Payload = TypeVar("Payload")

DrawFresh = Callable[["Suite", "Tier", str, int], Tuple[Sequence[Episode], Mapping[str, str]]]
"""Makes the episodes of a fresh split of a tier, as many as its test split has, and the digests of their scenes, with
so many processes."""

_RESTORE = "Fix the file, or restore it from the repository."


@dataclass(frozen=True)
class NoConstants:
    """The constants of tiers that have none of their own."""


@dataclass(frozen=True)
class Task:
    """A task.

    ``name`` is its folder's; ``summary`` one line of what is asked; ``needs`` are the capabilities that an environment
    must have (`harness.wire.sdk.CAPABILITIES`), ``oracle_needs`` those that its truth needs beside them to tell what
    follows each end. ``payload`` is the frozen dataclass of what its
    episodes hold beside what every episode has, ``constants`` that of what its tiers do. ``length`` is the number of
    the payload that says how long an episode is (its metres), by which subsets are spread. ``draw_fresh`` makes the
    episodes of a fresh split (`tasks.fresh`), where the task can. ``policy_use`` says how a policy is asked in the
    place of a tier's own proposer (None: none is), and ``judge_policy`` judges what came of it where ``judge`` holds
    a record to the plans of the suite's own.
    """

    name: str
    summary: str
    payload: Type[Any]
    parts: PartCatalog
    begin: Begin
    judge: Judge
    length: str
    own_metrics: Tuple[MetricSpec, ...] = ()
    needs: Tuple[str, ...] = ()
    oracle_needs: Tuple[str, ...] = ()
    constants: Type[Any] = NoConstants
    draw_fresh: Optional[DrawFresh] = None
    policy_use: Optional[PolicyUse] = None
    judge_policy: Optional[Judge] = None

    def __post_init__(self) -> None:
        """Check the metrics' names."""
        check_metrics(self.metrics)

    @property
    def metrics(self) -> Tuple[MetricSpec, ...]:
        """Return what is measured: the task's own metrics and those that every task has, in their order."""
        return in_order((*self.own_metrics, *common_metrics.METRICS))

    def parts_of(self, tier: Tier, wm: str) -> Parts:
        """Return the parts of the loop that ``wm`` is played with on a tier."""
        return self.parts.make(tier.loop_for(wm), tier.action_space)

    def judge_of(self, policy: str) -> Judge:
        """Return what judges the records of a run in which the policy of this name proposed ("": the tier's own)."""
        return self.judge_policy if policy and self.judge_policy is not None else self.judge

    def require_policy_use(self) -> PolicyUse:
        """Return how a policy is asked; Refusal where the task asks none."""
        if self.policy_use is None:
            raise Refusal(f"task {self.name} asks no policy: its suites propose.", "Leave out --proposer.")
        return self.policy_use

    def play_episode(
        self,
        environment: Environment,
        imaginer: Optional[Imaginer],
        episode: Episode,
        tier: Tier,
        seed: int,
        wm: str,
        stop: str,
        search: Search = WHOLE,
        policy: Optional[ChosenPolicy] = None,
    ) -> PlayedEpisode:
        """Play one episode and return its trajectory, metrics and images.

        ``imaginer`` is None for references that imagine nothing. Only this function sees the truth: the agent gets the
        prompt, and the loop asks for the record and the oracle stop. The reference `oracle` alone is handed the truth
        of its choices. ``search`` is what the run limits of the tier's search, ``policy`` what proposes in the place of
        the tier's own proposer.
        """
        tier.check_stop(stop)
        made = self.parts_of(tier, wm)
        proposer = None if policy is None else policy.of(episode, self.require_policy_use(), tier.action_space)
        parts = made.of(episode) if proposer is None else replace(made, proposer=proposer)
        timings: Dict[str, float] = {}
        started = time.perf_counter()
        further = None if imaginer is None else imaginer.further_view
        request = ViewRequest(parts.config.agent_camera)
        first = loop.views_of(request, further, () if proposer is None else proposer.views)
        begun = self.begin(environment, episode, seed, first, parts.config)
        timings["reset"] = time.perf_counter() - started
        truth = begun.truth if parts.reviser.evidence == TRUTH else None
        agent = Agent(parts, begun.prompt, imaginer, stop, EpisodeSeeds(seed, episode.id), timings, truth, search)
        played = loop.play(agent, environment, begun.observation, begun.truth)
        trajectory = Trajectory(
            episode=episode.id,
            seed=seed,
            wm=wm,
            stop=stop,
            start=begun.observation.pose,
            goal_digest=array_digest(begun.prompt.rgb),
            decisions=played.decisions,
            stopped=played.stopped,
            final_distance_m=played.distances[-1],
            solved=begun.truth.is_solved(played.distances[-1]),
        )
        metrics = self.judge(episode, trajectory).metrics
        asked = () if proposer is None else tuple(proposer.records)
        notes = gap.notes()
        return PlayedEpisode(trajectory, metrics, begun.prompt.rgb, played.frames, begun.map, timings, notes, asked)


def payload_of(kind: Type[Payload], episode: Episode) -> Payload:
    """Return what ``episode`` holds as its task's own class; Refusal names the field that does not fit."""
    return checked(kind, episode.payload, f"episode {episode.id!r}: ")


def checked(kind: Type[Payload], plain: Mapping[str, Any], where: str) -> Payload:
    """Return plain data as an instance of a task's own dataclass.

    Refusal, which begins with ``where``, names the fields that do not fit or are not known.
    """
    return wrong_fields.checked(kind, plain, where, _RESTORE)
