"""The parts that suite data can name, and how each is made.

Adding a proposer, score or reviser is a module and one line here; it changes no suite hash until a tier names it.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any, Mapping, cast

from harness.contracts.actions import ActionSpace
from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from harness.planning.config import LoopConfig, PartConfig
from harness.planning.proposals import Proposer
from harness.planning.revisers import Reviser
from harness.planning.scores.base import Score

PROPOSERS = {
    "dog-legs": "harness.planning.proposers.dog_legs:DogLegs",
    "heading-fan": "harness.planning.proposers.heading_fan:HeadingFan",
    "heuristic": "harness.planning.proposers.heuristic:Heuristic",
    "look-fan": "harness.planning.proposers.look_fan:LookFan",
}
SCORES = {
    "classical": "harness.planning.scores.classical:Classical",
    "front": "harness.planning.scores.front:FrontSimilarity",
    "learnt": "harness.planning.scores.learnt:Learnt",
}
REVISERS = {
    "homing": "harness.planning.revisers:Homing",
    "look": "harness.planning.revisers:Look",
    "oracle": "harness.planning.revisers:Oracle",
    "similarity": "harness.planning.revisers:Similarity",
    "uniform": "harness.planning.revisers:Uniform",
}

LPIPS = "lpips"
"""The image metric of a score that needs packages which the project does not install."""

PANORAMA_SCORES = frozenset({"classical", "learnt"})
"""Scores that look round at what was imagined: they cannot judge what a perspective model shows of one heading."""


WITHOUT_IMAGINATION = frozenset({"homing", "look", "oracle", "uniform"})
"""Revisers that choose from other evidence than imagined views: they are played without a world model."""


SCORELESS = frozenset({"uniform"})
"""Revisers that go by no score, and take none of the constants of those that do."""


def with_reviser(config: LoopConfig, name: str) -> LoopConfig:
    """Return a loop with another reviser: a reference decides by other evidence, and stops by the tier's own rule."""
    return replace(config, reviser=PartConfig(name, {} if name in SCORELESS else config.reviser.params))


def imagines(config: LoopConfig) -> bool:
    """Say whether a loop needs a world model, by name as `judges` does."""
    return config.reviser.name not in WITHOUT_IMAGINATION


def judges(config: LoopConfig, view: str) -> bool:
    """Say whether a loop's score can judge what a world model of this kind of view imagines.

    Told by name, so that a run that cannot begin is refused without loading a score.
    """
    return view == "panorama" or config.score.name not in PANORAMA_SCORES


def check_score(part: PartConfig) -> None:
    """Raise Refusal where the score that ``part`` names lacks a file or a package; loads no score."""
    if part.params.get("metric") == LPIPS:
        from harness.planning.scores.lpips_metric import require_lpips

        require_lpips()
    if part.name == "learnt":
        from harness.planning.scores.learnt_weights import read_weights

        read_weights(str(part.params["weights"]), str(part.params["sha256"]))


def make_proposer(part: PartConfig, space: ActionSpace) -> Proposer:
    """Return the proposer that ``part`` names, for the primitives of ``space``."""
    return cast(Proposer, _make("proposer", PROPOSERS, part, space))


def make_score(part: PartConfig) -> Score:
    """Return the score that ``part`` names."""
    return cast(Score, _make("score", SCORES, part))


def make_reviser(part: PartConfig) -> Reviser:
    """Return the reviser that ``part`` names."""
    return cast(Reviser, _make("reviser", REVISERS, part))


def _make(role: str, known: Mapping[str, str], part: PartConfig, *arguments: Any) -> Any:
    """Import and construct a part; its module is loaded only now, because scores compile with numba."""
    if part.name not in known:
        raise Refusal(f"there is no {role} called {part.name!r}.", nearest(part.name, known))
    module, _, name = known[part.name].partition(":")
    try:
        return getattr(import_module(module), name)(*arguments, **part.params)
    except TypeError as error:
        raise Refusal(
            f"{role} {part.name!r} cannot take the constants {dict(part.params)}: {error}.",
            "Fix them in the suite's loop.",
        ) from error
