"""Does the decision bank rank world models as closed-loop success does?

The two share no home: states are of validation homes, success is of test homes. So agreement is of two samples, and
homes are drawn on either side apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.banking.measures import METRICS
from harness.contracts.metrics import LOWER, MetricSpec
from harness.contracts.results import EpisodeResult, Metric
from harness.records.identity import RunIdentity
from harness.records.model_parts import changed_parts
from harness.scoring.bank import Difference, differences, measure_table
from harness.scoring.data import RunData
from harness.scoring.metrics import rate, success_sample
from harness.scoring.rank_correlations import kendall, spearman
from harness.scoring.references import CEILING, row_name
from harness.studies.paired_differences import size, success_by_episode
from harness.studies.rank_agreement import FEWEST, RESAMPLES, SEED, Totals, agreement, drawn_homes
from harness.studies.run_selection import (
    Found,
    FoundBanks,
    Measured,
    Missing,
    bank_command,
    command_of,
    play_command,
    table_stop,
)
from tasks.suite import Suite

HEADLINE = METRICS[0]
"""The measure by which a table is sorted."""

RANKING = tuple(spec for spec in METRICS if spec.better and not spec.partial)
"""The measures that rank world models beside success: those that have a direction, and that every state has."""


@dataclass(frozen=True)
class BankLine:
    """One world model on the bank and in the loop; ``measures`` are those with a column, by name, None where no state
    has one (a reference that scores nothing ranks nothing).

    ``over_ceiling`` holds those minus the simulator's in the same states that the tables show, None where those were
    not measured and for the simulator itself.
    """

    name: str
    measures: Mapping[str, Optional[Metric]]
    over_ceiling: Mapping[str, Optional[Difference]]
    success: Metric
    measurement: str
    run_id: str
    commands: Tuple[str, str]


@dataclass(frozen=True)
class BankAgreement:
    """How alike one measure of the bank (turned so that more is better) and success rank the world models."""

    measure: str
    kendall: Metric
    spearman: Metric


@dataclass(frozen=True)
class BankTable:
    """One tier: its lines from the best to the worst by the headline, and agreements where enough were measured."""

    tier: str
    states_hash: str
    states: int
    bank_homes: int
    episodes: int
    homes: int
    lines: Tuple[BankLine, ...]
    agreements: Tuple[BankAgreement, ...]


def bank_tables(
    banks: FoundBanks, found: Found, missing: List[Missing], resamples: int = RESAMPLES
) -> Tuple[BankTable, ...]:
    """Return the table of each tier with measurements; what only the bank or only the loop knows is told."""
    tables = (_table(tier, measured, found, missing, resamples) for tier, measured in banks.tiers.items())
    return tuple(table for table in tables if table is not None)


def _table(
    tier: str, measured: Mapping[str, Measured], found: Found, missing: List[Missing], resamples: int
) -> Optional[BankTable]:
    runs = {row_name(run): run for run in found.of_tier(tier)}
    names = _shared(tier, measured, runs, found.suite, missing)
    if not names:
        return None
    lines = [_line(measured[name], runs[name], measured.get(CEILING), found.suite) for name in names]
    if len(names) < FEWEST:
        missing.append(Missing(f"bank of {tier}: {len(names)} world models, too few to rank", ""))
    first_bank, first_run = measured[names[0]].data, runs[names[0]]
    states, bank_homes = size(first_bank)
    return BankTable(
        tier=tier,
        states_hash=measured[names[0]].states_hash,
        states=states,
        bank_homes=bank_homes,
        episodes=len({result.episode for result in first_run.results}),
        homes=size(first_run)[1],
        lines=tuple(sorted(lines, key=_rank)),
        agreements=_agreements([measured[n].data for n in names], [runs[n] for n in names], resamples),
    )


def _shared(
    tier: str, measured: Mapping[str, Measured], runs: Mapping[str, RunData], suite: Suite, missing: List[Missing]
) -> List[str]:
    """Return the names that both know, as the same world model; what one of them lacks is told with its command."""
    for name, run in runs.items():
        identity = run.identity
        measure = bank_command(suite, tier, identity.wm, identity.wm_overrides)
        if name not in measured:
            missing.append(Missing(f"bank of {tier}: {name}", measure))
        elif not _one_model(measured[name].data.identity, identity):
            missing.append(Missing(f"bank of {tier}: {name} as it was played (its manifest is another)", measure))
    for name, kept in measured.items():
        if name not in runs:
            asked = kept.data.identity
            stop = table_stop(suite, tier)
            play = play_command(suite, tier, asked.wm, stop, asked.wm_overrides)
            missing.append(Missing(f"{name} on {tier}, {stop}-stop, which the bank has", play))
    return [name for name in measured if name in runs and _one_model(measured[name].data.identity, runs[name].identity)]


def _one_model(first: RunIdentity, second: RunIdentity) -> bool:
    return first.wm_manifest_hash == second.wm_manifest_hash and not changed_parts(first, second)


def _line(measured: Measured, run: RunData, ceiling: Optional[Measured], suite: Suite) -> BankLine:
    identity = run.identity
    table = measure_table(measured.data)
    beside: Mapping[str, Optional[Difference]] = {}
    if ceiling is not None and ceiling is not measured:
        beside = differences(measured.data, ceiling.data)
    return BankLine(
        name=row_name(run),
        measures={spec.name: table[spec.name] for spec in METRICS if spec.table is not None},
        over_ceiling={s.name: beside.get(s.name) for s in METRICS if s.table is not None and s.table.paired},
        success=rate(success_sample(run.results)),
        measurement=measured.name,
        run_id=run.record.run_id,
        commands=(
            bank_command(suite, identity.tier, identity.wm, identity.wm_overrides),
            command_of(identity, suite),
        ),
    )


def _agreements(banks: Sequence[RunData], runs: Sequence[RunData], resamples: int) -> Tuple[BankAgreement, ...]:
    """Return the agreement of each measure with success; nothing for too few world models."""
    if len(runs) < FEWEST:
        return ()
    success = _totals([success_by_episode(run.results) for run in runs], runs[0].results)
    of_success = drawn_homes(len(success.counts), resamples, SEED + 1)
    found = []
    for spec in RANKING:
        of_bank = _totals([_signed(bank.results, spec) for bank in banks], banks[0].results)
        drawn = drawn_homes(len(of_bank.counts), resamples)
        by_kendall = agreement(kendall, of_bank, success, drawn, of_success)
        by_spearman = agreement(spearman, of_bank, success, drawn, of_success)
        found.append(BankAgreement(spec.name, by_kendall, by_spearman))
    return tuple(found)


def _rank(line: BankLine) -> Tuple[float, str]:
    headline = line.measures[HEADLINE.name]
    assert headline is not None  # a complete measurement has it
    return -_sign(HEADLINE) * headline.value, line.name


def _sign(spec: MetricSpec) -> float:
    """Return by what a measure is multiplied, so that more of it is better."""
    return -1.0 if spec.better == LOWER else 1.0


def _signed(results: Sequence[EpisodeResult], spec: MetricSpec) -> Dict[str, float]:
    return {result.episode: _sign(spec) * float(result.metrics[spec.key]) for result in results}


def _totals(values: Sequence[Mapping[str, float]], rows: Sequence[EpisodeResult]) -> Totals:
    """Return the totals of one number a row and world model; ``rows`` say which home each is of."""
    home_of = {row.episode: row.home for row in rows}
    homes = {home: index for index, home in enumerate(sorted(set(home_of.values())))}
    index = [homes[home] for home in home_of.values()]
    sums = [np.bincount(index, [of_model[name] for name in home_of], len(homes)) for of_model in values]
    return Totals(np.array(sums, dtype=np.float64), np.bincount(index, minlength=len(homes)).astype(np.float64))
