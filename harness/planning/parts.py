"""The parts that suite data can name, how each is made, and the parts of a loop once they are.

A task declares its parts by name, with what has to be known of one before it is loaded: scores compile with numba, so
that a run which cannot begin is refused without loading any.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Callable, Mapping, Optional, Protocol, Sequence, Tuple

from harness.contracts.actions import Action, ActionSpace
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from harness.contracts.observations import View
from harness.planning.config import LoopConfig, PartConfig
from harness.planning.evidence import EndScorer
from harness.planning.proposals import End, EpisodesOwn, Proposal, Proposer
from harness.planning.revisers import Reviser
from harness.planning.score_protocol import Score


class Memory(Protocol):
    """Says which ends of a decision are worth choosing among, after what was executed before."""

    def __call__(self, proposal: Proposal, executed: Sequence[Sequence[Action]]) -> Tuple[End, ...]:
        """Return the ends that remain; ``executed`` are the commanded actions of each earlier decision."""


@dataclass(frozen=True)
class Parts:
    """The parts of a loop, made once and used for many episodes.

    ``scorer`` makes what scores ends by the reviser's own evidence, from score and prompt; None where the evidence is
    imagined views, the truth or nothing.
    """

    config: LoopConfig
    proposer: Proposer
    score: Score
    reviser: Reviser
    memory: Memory
    scorer: Optional[Callable[[Score, View], EndScorer]] = None

    def of(self, episode: Episode) -> Parts:
        """Return the parts that play ``episode``: its own proposer where its data hold the candidates."""
        proposer = self.proposer
        return replace(self, proposer=proposer.of(episode)) if isinstance(proposer, EpisodesOwn) else self


@dataclass(frozen=True)
class ProposerPart:
    """A proposer, as ``module:Class``; made with the action space and its constants."""

    entry: str


@dataclass(frozen=True)
class ScorePart:
    """A score, as ``module:Class``.

    ``looks_round`` scores need whole panoramas: they cannot judge what a perspective model shows of one heading.
    ``check`` is a ``module:function`` that takes the score's constants and raises Refusal where a file or a package is
    missing; it loads no score.
    """

    entry: str
    looks_round: bool = False
    check: str = ""


@dataclass(frozen=True)
class ReviserPart:
    """A reviser, as ``module:Class``.

    One that does not ``imagine`` chooses from other evidence than imagined views and is played without a world model;
    ``scorer`` makes what scores by that evidence. One that is not ``scored`` goes by no score at all, and takes none
    of the constants of those that do.
    """

    entry: str
    imagines: bool = True
    scored: bool = True
    scorer: str = ""


REVISERS: Mapping[str, ReviserPart] = {
    "oracle": ReviserPart("harness.planning.revisers:Oracle", imagines=False),
    "similarity": ReviserPart("harness.planning.revisers:Similarity"),
    "uniform": ReviserPart("harness.planning.revisers:Uniform", imagines=False, scored=False),
}
"""Revisers that every task has."""


@dataclass(frozen=True)
class PartCatalog:
    """The parts of one task by the names that its suites use. ``memory`` is a function from a loop to its Memory."""

    proposers: Mapping[str, ProposerPart]
    scores: Mapping[str, ScorePart]
    revisers: Mapping[str, ReviserPart] = field(default_factory=lambda: REVISERS)
    memory: str = "harness.planning.parts:no_memory"

    def with_reviser(self, config: LoopConfig, name: str) -> LoopConfig:
        """Return a loop with another reviser: a reference decides by other evidence and stops by the tier's rule."""
        scored = _known("reviser", self.revisers, name).scored
        return replace(config, reviser=PartConfig(name, config.reviser.params if scored else {}))

    def imagines(self, config: LoopConfig) -> bool:
        """Say whether a loop needs a world model."""
        imagines: bool = _known("reviser", self.revisers, config.reviser.name).imagines
        return imagines

    def judges(self, config: LoopConfig, view: str) -> bool:
        """Say whether a loop's score can judge what a world model of this kind of view imagines."""
        looks_round: bool = _known("score", self.scores, config.score.name).looks_round
        return view == "panorama" or not looks_round

    def check_score(self, part: PartConfig) -> None:
        """Raise Refusal where the score that ``part`` names is missing a file or a package."""
        check = _known("score", self.scores, part.name).check
        if check:
            _load(check)(part.params)

    def make(self, config: LoopConfig, space: ActionSpace) -> Parts:
        """Return the parts of a loop whose candidates are made of the actions of ``space``."""
        scorer = _known("reviser", self.revisers, config.reviser.name).scorer
        return Parts(
            config=config,
            proposer=self.make_proposer(config.proposer, space),
            score=self.make_score(config.score),
            reviser=self.make_reviser(config.reviser),
            memory=_load(self.memory)(config),
            scorer=_load(scorer) if scorer else None,
        )

    def make_proposer(self, part: PartConfig, space: ActionSpace) -> Proposer:
        """Return the proposer that ``part`` names, for the actions of ``space``."""
        made: Proposer = _make("proposer", _known("proposer", self.proposers, part.name).entry, part, space)
        return made

    def make_score(self, part: PartConfig) -> Score:
        """Return the score that ``part`` names."""
        made: Score = _make("score", _known("score", self.scores, part.name).entry, part)
        return made

    def make_reviser(self, part: PartConfig) -> Reviser:
        """Return the reviser that ``part`` names."""
        made: Reviser = _make("reviser", _known("reviser", self.revisers, part.name).entry, part)
        return made


def no_memory(config: LoopConfig) -> Memory:
    """Return the memory that leaves nothing out."""
    return lambda proposal, executed: proposal.ends


def _known(role: str, known: Mapping[str, Any], name: str) -> Any:
    if name not in known:
        raise Refusal(f"there is no {role} called {name!r}.", nearest(name, known))
    return known[name]


def _load(entry: str) -> Any:
    module, _, name = entry.partition(":")
    return getattr(import_module(module), name)


def _make(role: str, entry: str, part: PartConfig, *arguments: Any) -> Any:
    try:
        return _load(entry)(*arguments, **part.params)
    except TypeError as error:
        raise Refusal(
            f"{role} {part.name!r} cannot take the constants {dict(part.params)}: {error}.",
            "Fix them in the suite's loop.",
        ) from error
