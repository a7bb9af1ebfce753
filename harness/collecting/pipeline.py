"""Starts or resumes a collection in its folder; refuses a folder that holds anything else."""

from __future__ import annotations

import json
from pathlib import Path

from harness.collecting.dataset_writer import CHECKSUMS, remove_work
from harness.collecting.layouts import UNITS, WORK
from harness.collecting.placement import Machine
from harness.collecting.plan import CollectPlan, differing, plan_from_plain, plan_to_plain, read_plan
from harness.collecting.work import Collection, Report
from harness.collecting.worker import PLAN
from harness.contracts.errors import Refusal
from harness.contracts.folders import require_writable
from harness.records.atomic import write_atomic
from harness.records.lock import FolderLock

LOCK_PATIENCE_S = 60.0
"""A killed collection's workers may be in the middle of building a home; they hold the lock until they notice."""


def collect(folder: Path, plan: CollectPlan, machine: Machine, processes: int, report: Report) -> bool:
    """Collect ``plan`` in ``folder``, going on where an interrupted one stopped; return False if it was complete."""
    if check_folder(folder, plan):
        return False
    work = folder / WORK
    try:
        (work / UNITS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{folder} cannot be written: {error}.", "Give a folder that you can write.") from error
    with FolderLock(work, LOCK_PATIENCE_S) as lock:
        if check_folder(folder, plan):  # finished by another process meanwhile
            return False
        for leftover in work.glob("part-*"):
            _remove(leftover)
        write_atomic(work / PLAN, json.dumps(plan_to_plain(plan), sort_keys=True).encode())
        Collection(folder, plan, machine, report, lock.descriptor).run(processes)
    return True


def check_folder(folder: Path, plan: CollectPlan) -> bool:
    """Say whether ``folder`` holds all of ``plan`` already; Refusal where it holds something else."""
    if (folder / CHECKSUMS).exists():
        _check_same(folder, read_plan(folder), plan)
        remove_work(folder)
        return True
    started = folder / WORK / PLAN
    if started.exists():
        _check_same(folder, plan_from_plain(json.loads(started.read_text(encoding="utf-8"))), plan)
        return False
    if folder.is_dir() and any(path.name != WORK for path in folder.iterdir()):
        raise Refusal(f"{folder} exists and is no collection.", "Give another EXP_ID or OUTPUT_DIR.")
    require_writable(folder, "Give another OUTPUT_DIR.")
    return False


def _check_same(folder: Path, found: CollectPlan, plan: CollectPlan) -> None:
    names = differing(found, plan)
    if names:
        shown = "; ".join(f"{name}: {getattr(found, name)} there, {getattr(plan, name)} asked" for name in names[:4])
        raise Refusal(
            f"{folder} holds a collection of other settings ({shown}).",
            "Ask for the same settings to go on, or give another EXP_ID.",
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    else:
        path.unlink()
