"""Hundreds of entries made of one that was read: other names, outcomes, seconds, with 400 episodes in 100 homes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.contracts.metrics import SUCCESS
from harness.leaderboard.entries import IDENT_DIGITS, Entry
from harness.scoring.intervals import Sample
from harness.scoring.metrics import rate
from tests.leaderboard.submissions import outcomes

EPISODES = 400
HOMES = tuple(f"home-{number // 4}" for number in range(EPISODES))


def many_entries(one: Entry, count: int) -> Iterator[Entry]:
    """Yield variations of an entry, in the order of their names."""
    rng = np.random.default_rng(5)
    chosen = [(float(rng.uniform(0.1, 0.9)), float(np.exp(rng.normal(0.0, 1.5)))) for _ in range(count)]
    made = [_varied(one, number, ability, seconds) for number, (ability, seconds) in enumerate(chosen)]
    yield from sorted(made, key=lambda entry: entry.ident)


def _varied(one: Entry, number: int, ability: float, seconds: float) -> Entry:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    manifest = replace(one.manifest, model=f"model-{number:03d}")
    results = []
    for place, result in enumerate(one.results):
        solved = np.array(outcomes(ability, 10 * number + place, EPISODES))
        success = rate(Sample.of(solved.astype(float).tolist(), HOMES))
        counts = {**result.summary.episodes, "planned": EPISODES, "ok": int(solved.sum())}
        summary = replace(result.summary, metrics={**result.summary.metrics, SUCCESS.name: success}, episodes=counts)
        results.append(replace(result, summary=summary, played=digest, solved=solved, homes=HOMES, seconds=seconds))
    verification = replace(one.verification, manifest=manifest, digest=digest)
    return replace(one, ident=digest[:IDENT_DIGITS], verification=verification, results=tuple(results))
