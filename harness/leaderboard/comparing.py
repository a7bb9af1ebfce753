"""Compares episodes that were played again with a bundle's records, and says what that shows.

Bit for bit where the manifest promises equal answers and the records were made on a device like the one here; elsewhere
by success, over the pairs of record and replay. An episode that could not be played again speaks neither for nor
against a submission: it is counted apart, and a replay with one never counts as complete.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Iterator, Mapping, Optional, Sequence

from harness.contracts.results import FAILED, OK, PLAYED, EpisodeResult
from harness.leaderboard import chances
from harness.leaderboard.admission import Reason
from harness.leaderboard.technical_failures import cause_of

EQUAL = "equal"
OTHERWISE = "otherwise"
OTHER_METRICS = "other-metrics"
NOT_REPLAYED = "not-replayed"
UNCLAIMED = "unclaimed"
"""The record says itself that the episode broke: it claims nothing that a replay could refute."""

METRIC_TOLERANCE = 1e-4
"""Between metrics of one trajectory worked out on two machines, relative and absolute."""


@dataclass(frozen=True)
class Pair:
    """One drawn episode: how it ended in the record and in the replay, and what comparing them shows.

    ``shows`` is one of the words above. ``exact`` says that it was held to equal bits. ``cause`` is the code of the
    technical failure of the replay, ``error`` its words; both "" where it was played.
    """

    run: str
    episode: str
    seed: int
    exact: bool
    recorded: str
    replayed: str
    shows: str
    cause: str = ""
    error: str = ""


@dataclass(frozen=True)
class Chance:
    """The probability, 0..1, with which a cheat in a ``share`` of all episodes is found by this replay."""

    share: float
    probability: float


@dataclass(frozen=True)
class Replay:
    """What playing the drawn episodes again found.

    ``of`` is the number of rows that they were drawn from, ``as_process`` says that a model of this checkout was played
    instead of the image. ``p`` is that of the test of success, None where every pair was held to equal bits.
    ``technical`` counts the episodes that could not be played again by their cause, ``chances`` tells what the pairs
    that were compared would have found.
    """

    randomness: str
    drawn: int
    of: int
    as_process: bool
    pairs: tuple[Pair, ...]
    equal: int
    recorded_successes: int
    replayed_successes: int
    p: Optional[float]
    technical: Mapping[str, int]
    chances: tuple[Chance, ...]

    @property
    def complete(self) -> bool:
        """Say whether every drawn episode was played again."""
        return not self.technical


def pair(run: str, record: EpisodeResult, again: EpisodeResult, exact: bool, why: str = "") -> Pair:
    """Compare one record with its replay; ``why`` says why a replay that is still planned was not played."""
    shows = _shows(record, again)
    error = (again.error or why or "it was not played.") if again.state not in PLAYED else ""
    return Pair(
        run,
        record.episode,
        record.seed,
        exact,
        record.state,
        again.state,
        shows,
        cause_of(error) if error else "",
        error,
    )


def _shows(record: EpisodeResult, again: EpisodeResult) -> str:
    if record.state not in PLAYED:
        return UNCLAIMED
    if again.state not in PLAYED:
        return NOT_REPLAYED
    if record.trajectory_digest != again.trajectory_digest:
        return OTHERWISE
    same = record.state == again.state and all(
        math.isclose(value, record.metrics.get(name, math.nan), rel_tol=METRIC_TOLERANCE, abs_tol=METRIC_TOLERANCE)
        for name, value in again.metrics.items()
    )
    return EQUAL if same else OTHER_METRICS


def summed(pairs: Sequence[Pair], total: int, randomness: str, as_process: bool) -> Replay:
    """Return what the pairs of a draw from ``total`` rows show together."""
    compared = [pair for pair in pairs if pair.shows not in (NOT_REPLAYED, UNCLAIMED)]
    loose = [pair for pair in compared if not pair.exact]
    missing = Counter(pair.cause for pair in pairs if pair.shows == NOT_REPLAYED)
    looked_at = len(pairs) - sum(missing.values())
    if loose:
        found = [chances.power(len(loose), share) for share in chances.SHARES]
    else:
        found = [chances.caught(total, share, looked_at) for share in chances.SHARES]
    return Replay(
        randomness=randomness,
        drawn=len(pairs),
        of=total,
        as_process=as_process,
        pairs=tuple(pairs),
        equal=sum(pair.shows == EQUAL for pair in pairs),
        recorded_successes=sum(pair.recorded == OK for pair in compared),
        replayed_successes=sum(pair.replayed == OK for pair in compared),
        p=chances.by_chance(*_changed(loose)) if loose else None,
        technical=dict(sorted(missing.items())),
        chances=tuple(map(Chance, chances.SHARES, found)),
    )


def refutations(replay: Replay) -> Iterator[Reason]:
    """Yield why a replay refutes the records that it was compared with."""
    for code, pairs, what in (
        ("other-trajectory", [p for p in replay.pairs if p.exact and p.shows == OTHERWISE], "happened otherwise"),
        ("other-metrics", [p for p in replay.pairs if p.shows == OTHER_METRICS], "gives other metrics"),
    ):
        if pairs:
            first = f"{pairs[0].episode}, seed {pairs[0].seed}"
            yield Reason(
                code, pairs[0].run, f"played again, {first} {what} ({len(pairs)} of {replay.drawn} drawn).", ""
            )
    if replay.p is not None and replay.p < chances.P:
        lost, won = _changed([pair for pair in replay.pairs if not pair.exact])
        what = (
            f"of the episodes that ended otherwise when played again, {lost} were lost and {won} won: "
            f"p = {replay.p:.2g}, below {chances.P:g}."
        )
        yield Reason("fewer-successes", "replay", what, "")


def _changed(pairs: Sequence[Pair]) -> tuple[int, int]:
    """Return how many episodes the replay lost and won."""
    ends = Counter((pair.recorded, pair.replayed) for pair in pairs)
    return ends[OK, FAILED], ends[FAILED, OK]
