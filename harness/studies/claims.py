"""Tests claims about world models that were written down before: ``python -m harness.studies.claims CLAIMS RUNS``.

Prints success by tier of every world model that a claim names; the normalised gain, from the tier's baseline to
`gtsim`, of those that something is claimed of; and for each claim the paired difference with its interval over homes,
its p-value, and Holm's over the claims of its family. A claim whose runs are missing counts as
p = 1, so that leaving runs out never helps the others. Nothing is played.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterable, List, Literal, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt
import tomllib
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.commands import FIRST_TASK
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.printing import one_line, printable
from harness.contracts.results import Metric
from harness.contracts.wrong_fields import wrong_fields
from harness.records.model_parts import weights_of
from harness.scoring.comparing_effect import Effect, equivalence_test, success_effect
from harness.scoring.comparing_tests import holm, sign_flip_test
from harness.scoring.gains import gain_of
from harness.scoring.intervals import Sample, mean_variance
from harness.scoring.metrics import rate, success_sample
from harness.scoring.references import CEILING
from harness.studies.markdown_sections import NOTHING, columns, grid, p_value, percent
from harness.studies.paired_differences import episode_differences
from harness.studies.run_selection import Found, find_runs
from tasks.suite import load_suite

EQUIVALENT = "is equivalent"
ALPHA = {"primary": 0.01}
"""Level of a family of claims; 0.05 where none is named."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Claim(_Part):
    """``model`` solves more on ``tier`` than each of ``than``, or differs from them by less than 8 points.

    ``than`` names world models as tables do, with what was changed of them: the one that solves most is compared with.
    """

    family: str = Field(min_length=1)
    says: Literal["solves more", "is equivalent"]
    model: str = Field(min_length=1)
    than: Tuple[str, ...] = Field(min_length=1)
    tier: str = Field(min_length=1)


class _Claims(_Part):
    claim: Tuple[Claim, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Tested:
    """What the runs say of a claim.

    ``other`` is what was compared with, ``difference`` model − other in [-1, 1] with its interval over homes; both
    "" and None where a run is missing. ``p`` is that of "no more" or of "at least 8 points apart".
    """

    claim: Claim
    other: str
    difference: Optional[Metric]
    p: float
    holm_p: float = float("nan")

    @property
    def verdict(self) -> str:
        """Return ``shown``, ``not shown``, or ``not played``."""
        if self.difference is None:
            return "not played"
        more = self.claim.says == EQUIVALENT or self.difference.value > 0.0
        return "shown" if more and self.holm_p < ALPHA.get(self.claim.family, 0.05) else "not shown"


def read_claims(path: Path) -> Tuple[Claim, ...]:
    """Return the claims of a file; Refusal where it cannot be read."""
    try:
        return _Claims.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).claim
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", "Fix the file.") from error
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be read as TOML: {error}.", "Give a file of claims.") from error


def judge(claims: Sequence[Claim], found: Found) -> Tuple[Tested, ...]:
    """Return what the runs say of each claim, Holm's p-values by family.

    Refusal where a world model was played with other weights on one tier than on another: that is no one model.
    """
    for name in dict.fromkeys(name for claim in claims for name in (claim.model, *claim.than)):
        _check_one_checkpoint(name, dict.fromkeys(claim.tier for claim in claims), found)
    tested = [_test(claim, found) for claim in claims]
    for family in dict.fromkeys(claim.family for claim in claims):
        places = [place for place, claim in enumerate(claims) if claim.family == family]
        for place, p in zip(places, holm([tested[place].p for place in places])):
            tested[place] = replace(tested[place], holm_p=p)
    return tuple(tested)


def _check_one_checkpoint(name: str, tiers: Iterable[str], found: Found) -> None:
    played = [run for run in (found.run(name, tier) for tier in tiers) if run is not None]
    by_weights = {weights_of(run.identity): run for run in played}
    if len(by_weights) > 1:
        told = ", ".join(f"{sha256[:12]} on {run.identity.tier}" for sha256, run in by_weights.items())
        raise Refusal(
            f"the latest runs of {name} were played with several weights: {told}.",
            "Play all tiers with the same weights, or leave out the folders of the others.",
        )


def _test(claim: Claim, found: Found) -> Tested:
    model = found.run(claim.model, claim.tier)
    others = [(name, found.run(name, claim.tier)) for name in claim.than]
    played = [(name, run) for name, run in others if run is not None]
    if model is None or len(played) < len(others):
        return Tested(claim, "", None, 1.0)
    name, other = max(played, key=lambda pair: rate(success_sample(pair[1].results)).value)
    sample = episode_differences(model, other)
    effect = effect_of(sample)
    difference = Metric(effect.value, *effect.interval(), len(sample))
    if claim.says == EQUIVALENT:
        return Tested(claim, name, difference, equivalence_test(effect))
    return Tested(claim, name, difference, sign_flip_test(_whole_sums(sample, claim)))


def _whole_sums(sample: Sample, claim: Claim) -> npt.NDArray[np.int64]:
    sums = sample.home_sums(sample.values)
    if not np.all(sums == np.rint(sums)):
        raise Refusal(
            f"{claim.model} and {', '.join(claim.than)} on {claim.tier} were played with other numbers of seeds.",
            "Play both with the same --seeds.",
        )
    return np.rint(sums).astype(np.int64)


def effect_of(sample: Sample) -> Effect:
    """Return the effect of paired differences; of means over seeds, that of a t interval over homes."""
    if set(np.unique(sample.values)) <= {-1.0, 0.0, 1.0}:
        return success_effect(sample)
    value, error = float(sample.values.mean()), float(mean_variance(sample) ** 0.5)
    nan = float("nan")
    return Effect(value, value, error, max(1, sample.homes - 1), nan, nan, nan)


def page(tested: Sequence[Tested], found: Found) -> str:
    """Return success by tier, and the claims, as two tables."""
    names: List[str] = [CEILING]
    for one in tested:
        names += [one.claim.model, *one.claim.than]
    tiers = list(dict.fromkeys(one.claim.tier for one in tested))
    ordered = [tier for tier in found.suite.tiers if tier in tiers]
    rows = [[f"`{name}`", *(_success(found, name, tier) for tier in ordered)] for name in dict.fromkeys(names)]
    rows += [
        [f"`{name}`, gain, %", *(percent(_gain(found, name, tier)) for tier in ordered)]
        for name in dict.fromkeys(one.claim.model for one in tested)
    ]
    claims = columns(
        tested,
        ("family", lambda one: one.claim.family),
        ("claim", lambda one: f"`{one.claim.model}` {one.claim.says}"),
        ("beside", lambda one: " or ".join(f"`{name}`" for name in ([one.other] if one.other else one.claim.than))),
        ("tier", lambda one: f"`{one.claim.tier}`"),
        ("difference, points", lambda one: percent(one.difference)),
        ("p", lambda one: p_value(one.p) if one.difference else NOTHING),
        ("p (Holm)", lambda one: p_value(one.holm_p) if one.difference else NOTHING),
        ("verdict", lambda one: one.verdict),
    )
    return "\n".join([grid(["success, %", *(f"`{tier}`" for tier in ordered)], rows), "", claims])


def _success(found: Found, name: str, tier: str) -> str:
    run = found.run(name, tier)
    return percent(rate(success_sample(run.results)) if run else None)


def _gain(found: Found, name: str, tier: str) -> Optional[Metric]:
    ends = (found.suite.tier(tier).baseline, CEILING)
    runs = {each: found.run(each, tier) for each in (name, *ends)}
    played = {each: run.results for each, run in runs.items() if run is not None}
    points = {each: rate(success_sample(results)) for each, results in played.items()}
    return gain_of(name, points, played, ends) if name in points else None


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print both tables; return 0, or 2 after a refusal."""
    parser = argparse.ArgumentParser(prog="python -m harness.studies.claims", description=__doc__)
    parser.add_argument("claims", type=Path, help="a file of claims, such as docs/science/claims.toml")
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default=FIRST_TASK)
    given = parser.parse_args(arguments)
    try:
        claims = read_claims(given.claims)
        found = find_runs(given.runs, load_suite(given.suite, given.task))
        print(page(judge(claims, found), found))
    except WiwError as error:
        print(printable(f"error: {error.what}\n{error.next_step}".rstrip()), file=sys.stderr)
        return 2
    for passed in found.passed_over:
        print(one_line(f"not used {passed.run_id}: {passed.reason}"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
