"""Makes the reference results that a suite ships from the runs that played them.

    python benchmark.py --wm gtsim --task ignav --tier easy --out refs/     # and none, look, homing, oracle, copy, warp
    python -m harness.studies.shipped_references refs/ --tier easy

Every reference of the tier must be there, played to its end on the same episodes; else nothing is written, and the
commands that play what is missing are printed. ``--play`` plays those first. ``--check`` compares with what is shipped
and writes nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from harness.auditing.audit import audit
from harness.contracts.digest import digest
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.results import OK, PLAYED
from harness.records.listing import read_runs
from harness.records.roots import trajectory_root
from harness.scoring.data import RunData, checked_run
from harness.studies.reference_files import (
    PlayedReference,
    ReferenceFile,
    read_references,
    reference_path,
    write_references,
)
from harness.studies.run_selection import SELF, Missing
from tasks.suite import Suite, load_suite

VALIDATION = "validation"


def find_references(
    suite: Suite, tier: str, episodes: str, roots: Sequence[Path]
) -> Tuple[Dict[str, RunData], List[Missing]]:
    """Return the latest complete run of each reference with seed 0 below ``roots``, and what no run gives.

    ``episodes`` is what the runs' ``--episodes`` was: a number or ``all``.
    """
    wanted = {reference.wm for reference in suite.tier(tier).references}
    suite_hash = suite.hash(tier)
    found: Dict[str, RunData] = {}
    for folder in (folder for root in roots for folder in read_runs(root).folders):
        identity = folder.identity
        mine = (identity.suite_hash, identity.tier, identity.split, identity.stop, identity.seeds)
        if identity.wm not in wanted or identity.wm_overrides or mine != (suite_hash, tier, VALIDATION, SELF, (0,)):
            continue
        rows = audit(folder)
        rows.findings.raise_damage(folder.path)
        run = checked_run(folder, rows.rows, rows.findings, rows.metrics)
        if identity.episodes_subset == episodes and all(result.state in PLAYED for result in run.results):
            found[identity.wm] = run
    missing = [Missing(wm, _command(suite, tier, wm, episodes)) for wm in sorted(wanted - set(found))]
    return found, missing


def reference_file(suite: Suite, tier: str, runs: Dict[str, RunData]) -> ReferenceFile:
    """Return the file of a tier from one run of each of its references."""
    references = [_played(suite, tier, runs[reference.wm]) for reference in suite.tier(tier).references]
    return ReferenceFile(
        suite=suite.name,
        task=suite.task,
        tier=tier,
        suite_hash=suite.hash(tier),
        split=VALIDATION,
        stop=SELF,
        references=tuple(references),
    )


def _played(suite: Suite, tier: str, run: RunData) -> PlayedReference:
    identity = run.identity
    rows = tuple((r.episode, r.state == OK, r.trajectory_digest) for r in run.results)
    return PlayedReference(
        wm=identity.wm,
        planner=identity.planner,
        seed=identity.seeds[0],
        trajectory_root=trajectory_root(run.rows),
        command=_command(suite, tier, identity.wm, identity.episodes_subset),
        rows_digest=digest(rows),
        rows=rows,
    )


def _command(suite: Suite, tier: str, wm: str, episodes: str) -> str:
    return (
        f"python benchmark.py --wm {wm} --task {suite.task} --suite {suite.name} --tier {tier} --split {VALIDATION} "
        f"--episodes {episodes} --stop {SELF}"
    )


def _play(missing: Sequence[Missing], out: Path) -> None:
    """Play what is missing into ``out``, one command after the other; Refusal where one fails."""
    for lacking in missing:
        words = [sys.executable, *lacking.command.split()[1:], "--out", str(out)]
        print(" ".join(words), file=sys.stderr)
        if subprocess.run(words, check=False).returncode:
            raise Refusal(f"{lacking.what} was not played to its end.", f"Look at the runs in {out}.")


def _make(suite: Suite, tier: str, asked: argparse.Namespace) -> str:
    """Write or check the file of one tier; return what was done. Refusal where references are missing or differ."""
    runs, missing = find_references(suite, tier, asked.episodes, asked.runs)
    if missing and asked.play:
        _play(missing, asked.runs[0])
        runs, missing = find_references(suite, tier, asked.episodes, asked.runs)
    if missing:
        commands = "\n".join(lacking.command for lacking in missing)
        raise Refusal(f"{tier} lacks {', '.join(lacking.what for lacking in missing)}.", f"Play:\n{commands}")
    file = reference_file(suite, tier, runs)
    path = reference_path(suite, tier, VALIDATION)
    if not asked.check:
        write_references(path, file)
        return f"{path} written"
    shipped = read_references(path)
    if shipped != file:
        pairs = zip(shipped.references, file.references, strict=False)
        other = [mine.wm for mine, played in pairs if mine != played] or ["other episodes"]
        raise Refusal(f"{path} differs from what was played: {', '.join(other)}.", "One of them is not of this code.")
    return f"{path} is what was played"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Write the files that the command line asks for; return 0, or 2 after saying what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.studies.shipped_references",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default="ignav")
    parser.add_argument("--tier", action="append", help="repeatable; default: every tier")
    parser.add_argument("--episodes", default="24", help="what the runs' --episodes was: a number or all")
    parser.add_argument("--play", action="store_true", help="play what is missing into the first folder")
    parser.add_argument("--check", action="store_true", help="compare with what is shipped; write nothing")
    asked = parser.parse_args(arguments)
    try:
        suite = load_suite(asked.suite, asked.task)
        for tier in asked.tier or list(suite.tiers):
            print(_make(suite, tier, asked), flush=True)
    except WiwError as error:
        print(f"error: {error.what}\n{error.next_step}".rstrip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
