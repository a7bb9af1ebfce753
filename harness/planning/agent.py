"""The agent: everything that decides, and nothing that knows the answer.

It is given views, its own commanded actions and seeds. The answer, the true pose, distances and the environment itself
stay with the caller, so no part can use them even by mistake.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Deque, Dict, List, Optional, Sequence, Set, Tuple

from harness.contracts.actions import Action
from harness.contracts.digest import array_digest
from harness.contracts.errors import EpisodeError, Refusal
from harness.contracts.observations import Observation, View, ViewRequest
from harness.contracts.search import WHOLE, Search
from harness.planning.config import SELF
from harness.planning.evidence import IMAGINED, TRUTH, EndScorer
from harness.planning.parts import Parts
from harness.planning.policy_proposer import SeeingProposer, Seen
from harness.planning.proposals import End, Proposal
from harness.planning.revisers import STAY, Stay, Uniform
from harness.planning.score_protocol import DIGITS, Comparer
from harness.planning.seeding import EpisodeSeeds
from harness.worldmodels.imaginer import EarlierView, Imagined, Imaginer


@dataclass(frozen=True, eq=False)
class Choice:
    """What the agent decided: an end (None: it stays and stops) and what it is based on.

    ``imagined`` holds the imagined views of the chosen end's steps by action number; ``scores`` follow the order of
    the scored ends; ``stay_score`` is 0 where nothing was scored. ``rest`` are the actions of the chosen candidate
    after ``actions``, and ``longest`` is how many actions any choice would have executed at most.
    """

    end: Optional[End]
    index: int
    actions: Tuple[Action, ...]
    candidates: int
    ends: int
    scores: Tuple[float, ...]
    stay_score: float
    imagined: Imagined
    rollouts: int
    rest: Tuple[Action, ...] = ()
    longest: int = 0


@dataclass
class Agent:
    """Plays one episode's decisions: propose, imagine, revise; `executed` tells it what was really commanded.

    With the stop rule ``self`` staying is a choice in every decision. ``truth`` is None but for the reference `oracle`,
    whose reviser goes by the answers. ``search`` limits what is imagined and can be chosen.
    """

    parts: Parts
    prompt: View
    imaginer: Optional[Imaginer]
    stop: str
    seeds: EpisodeSeeds
    timings: Dict[str, float] = field(default_factory=dict)
    truth: Optional[EndScorer] = None
    search: Search = WHOLE

    def __post_init__(self) -> None:
        """Check that the parts fit the imaginer, and prepare the prompt."""
        evidence = self.parts.reviser.evidence
        if evidence == IMAGINED and self.imaginer is None:
            raise Refusal(
                "this loop's reviser compares imagined views, but there is no world model.",
                "Use a reference that imagines nothing, or name a world model.",
            )
        if (evidence == TRUTH) != (self.truth is not None):
            raise Refusal(
                f"a reviser that goes by {evidence} was {'not ' if self.truth is None else ''}given true distances.",
                "They are for the reference oracle, and for no other.",
            )
        self._executed: List[Tuple[Action, ...]] = []
        self._history: List[Action] = []
        self._comparer: Optional[Comparer] = None
        self._scorer: Optional[EndScorer] = None
        self._further: Optional[View] = None
        self._present: Optional[View] = None
        self._earlier: Deque[Tuple[View, int]] = deque(maxlen=self.context_max)
        started = time.perf_counter()
        if evidence == IMAGINED:
            self._comparer = self.parts.score.against(self.prompt)
        else:
            self._scorer = self._scorer_of()
        self._add_time("score", started)

    @property
    def further_view(self) -> Optional[ViewRequest]:
        """Return what the imaginer wants to see besides the agent's camera, or None."""
        return None if self.imaginer is None else self.imaginer.further_view

    @property
    def proposer_views(self) -> Sequence[ViewRequest]:
        """Return what the proposer wants to see where a decision is made: nothing, but for one that looks."""
        proposer = self.parts.proposer
        return proposer.views if isinstance(proposer, SeeingProposer) else ()

    @property
    def context_max(self) -> int:
        """Return how many earlier views the imaginer makes use of; with any, `executed` has to be told of them."""
        return 0 if self.imaginer is None else self.imaginer.context_max

    def decide(
        self, decision: int, view: View, further: Optional[View] = None, seen: Optional[Observation] = None
    ) -> Choice:
        """Return what to do, seeing ``view``; ``seen`` is all that is seen there, for a proposer that looks.

        ``further`` is the answer to `further_view`: it is for the imaginer alone, so that every world model is scored
        on the same views.
        """
        self._further = further
        self._present = view if further is None else further
        proposal = self._proposal(decision, seen)
        remaining = self.parts.memory(proposal, self._executed)
        if not remaining:
            raise EpisodeError(
                f"the proposer {self.parts.config.proposer.name!r} offered no end in decision {decision}.",
                "Fix its constants in the suite's loop.",
            )
        ends = self._searched(decision, proposal, remaining)
        may_stay = self.stop == SELF
        if self._scorer is not None:
            return self._decide_by_scorer(decision, view, proposal, ends, may_stay)
        if self._comparer is None or not self._asks(decision):
            reviser = self.parts.reviser if self._comparer is None else Uniform()
            index = reviser.choose(len(ends), (), Stay(may_stay), decision, self.seeds)
            return self._choice(proposal, ends, index, (), 0.0, {}, 0)
        return self._decide_by_imagination(decision, view, proposal, ends, may_stay)

    def _proposal(self, decision: int, seen: Optional[Observation]) -> Proposal:
        proposer, history = self.parts.proposer, tuple(self._history)
        if seen is None or not isinstance(proposer, SeeingProposer):
            return proposer.propose(decision, history, self.seeds)
        started = time.perf_counter()
        proposal = proposer.propose_seeing(decision, history, self.seeds, Seen(seen.views, self.prompt, seen.info))
        self._add_time("propose", started)
        return proposal

    def _searched(self, decision: int, proposal: Proposal, ends: Sequence[End]) -> Sequence[End]:
        """Return the ends of the candidates that are searched: the first of a drawn order that still have an end.

        The order is the same for every world model, and fewer candidates are a part of more.
        """
        if self.search.candidates is None:
            return ends
        order = self.seeds.generator(decision, "searched").permutation(len(proposal.candidates))
        left = {end.candidate for end in ends}
        searched = [int(number) for number in order if int(number) in left][: self.search.candidates]
        return tuple(end for end in ends if end.candidate in searched)

    def _asks(self, decision: int) -> bool:
        """Say whether the world model is asked in this decision."""
        share = self.search.wm_share
        return share is None or float(self.seeds.generator(decision, "wm-share").random()) < share

    def executed(self, actions: Sequence[Action], views: Sequence[View] = ()) -> None:
        """Note that ``actions`` were commanded, and what the imaginer's camera really saw after each of them.

        The view after the last action is left to the next decision, which starts from it. Only the latest views are
        kept, each with the number of actions before it: their poses are then made of the actions since, so that
        nothing of where the episode began is in them.
        """
        if views and self._present is not None:
            seen = [self._present, *views[:-1]]
            self._earlier.extend((view, len(self._history) + number) for number, view in enumerate(seen))
        self._history += actions
        self._executed.append(tuple(actions))

    def remember(self, executed: Sequence[Sequence[Action]]) -> None:
        """Begin at a later decision: after earlier ones that executed these actions, whose views are not known."""
        for actions in executed:
            self.executed(actions)

    def _decide_by_scorer(
        self, decision: int, view: View, proposal: Proposal, ends: Sequence[End], may_stay: bool
    ) -> Choice:
        assert self._scorer is not None
        started = time.perf_counter()
        found = self._scorer(view, proposal, ends)
        self._add_time("score", started)
        scores, stay_score = tuple(round(score, DIGITS) for score in found.ends), round(found.stay, DIGITS)
        index = self.parts.reviser.choose(len(ends), scores, Stay(may_stay, stay_score), decision, self.seeds)
        return self._choice(proposal, ends, index, scores, stay_score, {}, 0)

    def _decide_by_imagination(
        self, decision: int, view: View, proposal: Proposal, ends: Sequence[End], may_stay: bool
    ) -> Choice:
        assert self._comparer is not None and self.imaginer is not None
        before = self.imaginer.rollouts
        rollouts = self._imagine_ends(decision, view, proposal, ends)
        asked = self.imaginer.rollouts - before
        started = time.perf_counter()
        scores = tuple(
            round(self._comparer([rollouts[end.candidate][frame] for frame in end.frames]), DIGITS) for end in ends
        )
        stay_score = round(self._comparer([view]), DIGITS)
        self._add_time("score", started)
        index = self.parts.reviser.choose(len(ends), scores, Stay(may_stay, stay_score), decision, self.seeds)
        imagined: Imagined = {}
        if index != STAY:
            imagined = self._all_steps(decision, view, proposal, ends[index], rollouts[ends[index].candidate])
        return self._choice(proposal, ends, index, scores, stay_score, imagined, asked)

    def _imagine_ends(self, decision: int, view: View, proposal: Proposal, ends: Sequence[End]) -> Dict[int, Imagined]:
        """Imagine all candidates that still have an end, in one call; all frames where they cost nothing."""
        assert self.imaginer is not None
        wanted: Dict[int, Set[int]] = {}
        for end in ends:
            last = max(end.frames[-1], end.execute)
            steps = range(1, last + 1) if self.imaginer.every_frame else end.frames
            wanted.setdefault(end.candidate, set()).update(steps)
        numbers = sorted(wanted)
        frames = [tuple(sorted(wanted[number])) for number in numbers]
        return dict(zip(numbers, self._imagine(decision, view, proposal, numbers, frames)))

    def _all_steps(self, decision: int, view: View, proposal: Proposal, end: End, rollout: Imagined) -> Imagined:
        """Return the imagined views of the steps that will be executed, asking for those that are not there yet.

        Imagined and real views are compared at every executed step. A model that pays by the frame is asked for the
        steps between only now, for the one end that was chosen.
        """
        views = dict(rollout)
        missing = tuple(step for step in range(1, end.execute + 1) if step not in views)
        if missing:
            views.update(self._imagine(decision, view, proposal, [end.candidate], [missing])[0])
        return {step: views[step] for step in range(1, end.execute + 1)}

    def _imagine(
        self,
        decision: int,
        view: View,
        proposal: Proposal,
        numbers: Sequence[int],
        frames: Sequence[Tuple[int, ...]],
    ) -> Sequence[Imagined]:
        assert self.imaginer is not None
        started = time.perf_counter()
        candidates = [proposal.candidates[number] for number in numbers]
        shown = array_digest(view.rgb)
        seeds = [self.seeds.request(shown, decision, number) for number in numbers]
        earlier = [EarlierView(seen, tuple(self._history[number:])) for seen, number in self._earlier]
        rollouts = self.imaginer.imagine(view, candidates, frames, seeds, self._further, earlier)
        self._add_time("imagine", started)
        return rollouts

    def _choice(
        self,
        proposal: Proposal,
        ends: Sequence[End],
        index: int,
        scores: Tuple[float, ...],
        stay_score: float,
        imagined: Imagined,
        rollouts: int,
    ) -> Choice:
        end = None if index == STAY else ends[index]
        actions = () if end is None else proposal.actions(end)
        candidates = min(len(proposal.candidates), self.search.candidates or len(proposal.candidates))
        rest = () if end is None else proposal.candidates[end.candidate].actions[end.execute :]
        longest = max(end.execute for end in proposal.ends)
        return Choice(end, index, actions, candidates, len(ends), scores, stay_score, imagined, rollouts, rest, longest)

    def _scorer_of(self) -> Optional[EndScorer]:
        """Return what scores ends without imagining them, None where nothing is evidence."""
        return self.truth if self.parts.scorer is None else self.parts.scorer(self.parts.score, self.prompt)

    def _add_time(self, phase: str, started: float) -> None:
        self.timings[phase] = self.timings.get(phase, 0.0) + time.perf_counter() - started
