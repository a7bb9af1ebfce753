"""What a world model solves less in fresh homes than in test homes: ``python -m harness.studies.contamination RUNS``.

Test homes are public, so a model may have seen them; fresh homes (`tasks.fresh_homes`) are made of digits that nobody
knew before. Both are drawn by the same rules, so a model that knows no test home by heart solves as much in both, but
for the draw of the homes. The two runs share no episode: their difference is that of two independent samples of homes.
Nothing is played.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from harness.contracts.commands import FIRST_TASK
from harness.contracts.digest import to_plain
from harness.contracts.errors import WiwError
from harness.contracts.printing import one_line, printable
from harness.contracts.results import Metric
from harness.scoring.comparing import without_nan
from harness.scoring.comparing_tests import holm
from harness.scoring.data import RunData
from harness.scoring.independent import welch
from harness.scoring.metrics import rate, success_sample
from harness.scoring.references import row_name
from harness.studies.markdown_sections import columns, number, percent
from harness.studies.run_selection import Checker, PassedOver, run_folders, sound_run
from tasks.fresh_homes import is_fresh
from tasks.suite import Suite, load_suite


@dataclass(frozen=True)
class Excess:
    """One world model on one tier: success in test homes, in fresh homes, and the difference.

    ``excess`` is test − fresh in [-1, 1] with Welch's interval over homes; ``p`` of its being 0, ``holm_p`` corrected
    over all rows. A model that knows the test homes by heart has an interval above 0.
    """

    tier: str
    stop: str
    name: str
    split: str
    test: Metric
    fresh: Metric
    excess: Metric
    p: float
    holm_p: float = float("nan")


def make_excess(suite: Suite, roots: Sequence[Path]) -> Tuple[Tuple[Excess, ...], Tuple[PassedOver, ...]]:
    """Return a row for every world model, tier, stop rule and fresh split with a whole run of each kind.

    Runs are looked for below ``roots``. Of several equal runs the latest is taken. Also returned is what was not used,
    and why.
    """
    listed, unread = run_folders(roots)
    passed = [PassedOver(folder.path.name, folder.why) for folder in unread]
    checker = Checker(suite, is_fresh)
    tested: Dict[Tuple[object, ...], RunData] = {}
    fresh: Dict[Tuple[object, ...], RunData] = {}
    for folder in listed:  # the oldest first
        run, reason = sound_run(folder, checker.reason)
        if run is None:
            passed.append(PassedOver(folder.record.run_id, reason))
            continue
        identity = run.identity
        key = (identity.tier, identity.stop, row_name(run), identity.seeds)
        if is_fresh(identity.split):
            fresh[(*key, identity.split)] = run
        else:
            tested[key] = run
    pairs = [(tested[key[:-1]], run) for key, run in fresh.items() if key[:-1] in tested]
    used = {run.record.run_id for pair in pairs for run in pair}
    alone = [run for run in (*tested.values(), *fresh.values()) if run.record.run_id not in used]
    passed += [PassedOver(run.record.run_id, "no run of the other kind of homes stands beside it") for run in alone]
    return _corrected([_excess(test, run) for test, run in pairs]), tuple(passed)


def _excess(test: RunData, fresh: RunData) -> Excess:
    tested, played = success_sample(test.results), success_sample(fresh.results)
    difference, p = welch(tested, played)
    at = fresh.identity
    return Excess(at.tier, at.stop, row_name(fresh), at.split, rate(tested), rate(played), difference, p)


def _corrected(rows: Sequence[Excess]) -> Tuple[Excess, ...]:
    corrected = holm([1.0 if row.p != row.p else row.p for row in rows])
    kept = [replace(row, holm_p=p) for row, p in zip(rows, corrected)]
    return tuple(sorted(kept, key=lambda row: (row.tier, row.stop, row.name, row.split)))


def table(rows: Sequence[Excess]) -> str:
    """Return the rows as a table: per cent with intervals, points."""
    return columns(
        rows,
        ("tier", lambda row: f"`{row.tier}`"),
        ("world model", lambda row: f"`{row.name}`"),
        ("test homes", lambda row: percent(row.test)),
        ("fresh homes", lambda row: percent(row.fresh)),
        ("seed", lambda row: f"`{row.split.partition('-')[2]}`"),
        ("test − fresh, points", lambda row: percent(row.excess)),
        ("p", lambda row: number(row.p, 3)),
        ("p (Holm)", lambda row: number(row.holm_p, 3)),
        ("n", lambda row: f"{row.test.n} + {row.fresh.n}"),
        ("stop", lambda row: row.stop),
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print the table that the command line asks for, or its numbers as JSON; return 0, or 2 after a refusal."""
    parser = argparse.ArgumentParser(prog="python -m harness.studies.contamination", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default=FIRST_TASK)
    asked = parser.parse_args(arguments)
    try:
        rows, passed = make_excess(load_suite(asked.suite, asked.task), asked.runs)
    except WiwError as error:
        print(printable(f"error: {error.what}\n{error.next_step}".rstrip()), file=sys.stderr)
        return 2
    if asked.json:
        print(json.dumps(without_nan(to_plain({"rows": rows, "not_used": passed})), indent=1))
        return 0
    print(table(rows))
    for one in passed:
        print(one_line(f"not used {one.run_id}: {one.reason}"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
