"""The verdict of a run in one sentence: whether the world model helps, or what has to be played to know.

The sentence never says more than its interval: where that holds zero, nothing is told, and where something is missing
(episodes, references, a named baseline), the command that would supply it is given instead of a number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from harness.contracts.episodes import DEFAULT_EPISODES
from harness.contracts.manifests import NONE, RANDOM
from harness.contracts.printing import counted
from harness.contracts.results import PLANNED, PLAYED, Metric
from harness.records.resuming import recorded_words, resume_command
from harness.scoring.data import RunData
from harness.scoring.dose_curves import Equivalent
from harness.scoring.next_commands import larger_command, more_command, reference_command
from harness.scoring.references import CEILING, ReferenceRow

HELPS, HURTS, OPEN, WORTH = "helps", "hurts", "open", "worth"
PARTIAL, MISSING, REFERENCE, DAMAGED = "partial", "missing", "reference", "damaged"

TEST = "test"

NOTHING_PLAYED = "nothing played yet"


@dataclass(frozen=True)
class Verdict:
    """What a run says about its world model.

    ``kind``: ``helps`` or ``hurts`` (the gain's interval lies above or below zero), ``open`` (it holds zero, or there
    is no room between the references), ``worth`` (no gain, but a dose curve), ``missing`` (references), ``partial``,
    ``damaged``, or ``reference`` (nothing to judge). ``next_step`` is the command that would tell more, "" where there
    is none.
    """

    kind: str
    text: str
    next_step: str = ""


def judge(
    run: RunData,
    rows: Sequence[ReferenceRow],
    baseline: str,
    equivalents: Sequence[Equivalent],
    splits: Mapping[str, int],
    folder: str,
) -> Verdict:
    """Return the verdict of a run whose references table is ``rows``.

    ``splits`` are the numbers of episodes of the tier's splits, empty where the suite's data are gone; ``folder`` is
    the run's folder as a command names it.
    """
    return (
        _damaged(run)
        or _partial(run, folder)
        or _reference(run, rows, baseline)
        or _without_gain(run, rows, baseline, equivalents, splits)
        or _by_gain(run, _mine(rows).gain, baseline, splits)
    )


def _damaged(run: RunData) -> Optional[Verdict]:
    if not run.findings.damage:
        return None
    return Verdict(DAMAGED, "not told: the record of this run is DAMAGED, so nothing in it is to be believed")


def _partial(run: RunData, folder: str) -> Optional[Verdict]:
    left = [result for result in run.results if result.state not in PLAYED]
    if not left:
        return None
    text = f"not told: {len(left)} of {len(run.results)} episodes were not played to their end and count as not solved"
    if all(result.state == PLANNED for result in run.results):
        text = f"{NOTHING_PLAYED} of {counted(len(left), 'episode')}"
    return Verdict(PARTIAL, text, resume_command(folder, recorded_words(run.record), left))


def _reference(run: RunData, rows: Sequence[ReferenceRow], baseline: str) -> Optional[Verdict]:
    """Return the verdict of a reference that is no world model to be judged: either end of the scale, or no model."""
    identity = run.identity
    if identity.wm_overrides:
        return None
    known = {row.name: row.success.value for row in rows}
    if identity.wm == CEILING:
        beside = (
            f"; {baseline}, which imagines nothing, solves {_percent(known[baseline])}" if baseline in known else ""
        )
        return Verdict(REFERENCE, f"{CEILING} is the simulator itself, the upper end of the scale{beside}")
    if identity.wm == baseline:
        beside = f"; the simulator solves {_percent(known[CEILING])}" if CEILING in known else ""
        return Verdict(REFERENCE, f"{baseline} is the lower end of the scale{beside}")
    if identity.wm_manifest.get("kind") == NONE:
        return Verdict(REFERENCE, f"{identity.wm} imagines nothing: there is no world model to judge")
    return None


def _without_gain(
    run: RunData,
    rows: Sequence[ReferenceRow],
    baseline: str,
    equivalents: Sequence[Equivalent],
    splits: Mapping[str, int],
) -> Optional[Verdict]:
    gain = _mine(rows).gain
    if gain is not None and math.isfinite(gain.low):
        return None
    known = {row.name: row.success.value for row in rows}
    missing = [name for name in (baseline, CEILING) if name and name not in known]
    if gain is None and not missing and baseline:
        text = (
            f"not told: on these episodes the simulator solves {_percent(known[CEILING])} and {baseline} "
            f"{_percent(known[baseline])}, so nothing lies between them"
        )
        return Verdict(OPEN, text, _larger(run, splits))
    if equivalents:
        return Verdict(WORTH, equivalents[0].text, reference_command(run.record) if missing else "")
    if not baseline:
        return Verdict(MISSING, "not told: the suite's data here name no baseline to measure it from")
    if missing:
        text = f"not told yet: no result of {' and '.join(missing)} on these episodes is here"
        return Verdict(MISSING, text, reference_command(run.record))
    return Verdict(OPEN, "not told yet: too few homes for an interval", _larger(run, splits))


def _by_gain(run: RunData, gain: Optional[Metric], baseline: str, splits: Mapping[str, int]) -> Verdict:
    if gain is None:
        raise AssertionError("a run without a gain has another verdict")
    shown = f"{_points(gain.value)} % [{_points(gain.low)}, {_points(gain.high)}]"
    way = f"{shown} of the way from {baseline} to the simulator"
    untrained = "; its weights are random, so this says nothing of the trained model"
    note = untrained if f"{RANDOM}-weights" in run.identity.stamps else ""
    if gain.low > 0.0:
        return Verdict(HELPS, f"helps: {way}{note}")
    if gain.high < 0.0:
        return Verdict(HURTS, f"hurts: {way}; {baseline} imagines nothing and solves more{note}")
    return Verdict(OPEN, f"not told yet: {way}, which may be none at all{note}", _larger(run, splits))


def _larger(run: RunData, splits: Mapping[str, int]) -> str:
    """Return the command that plays the next larger set of episodes: those that a run has by default, then the whole
    split, then the test split."""
    identity = run.identity
    if len(identity.episodes) < min(DEFAULT_EPISODES, splits.get(identity.split, 0)):
        return more_command(run.record, DEFAULT_EPISODES)
    if len(identity.episodes) < splits.get(identity.split, 0):
        return larger_command(run.record, identity.split)
    return larger_command(run.record, TEST) if TEST in splits and identity.split != TEST else ""


def _mine(rows: Sequence[ReferenceRow]) -> ReferenceRow:
    return next(row for row in rows if row.is_this_run)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return str(round(100 * share))
