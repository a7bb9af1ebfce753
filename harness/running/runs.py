"""Starts a run and continues one: the two things that a command does with a plan."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import List, Optional, Sequence

from harness.contracts.from_source import CHECKOUT
from harness.records.damage import write_damage
from harness.records.folder import RunFolder
from harness.records.provenance import provenance
from harness.records.roots import trajectory_root
from harness.running.episode_queue import Task
from harness.running.model_digests import ModelFiles
from harness.running.plan import RunPlan
from harness.running.progress import Progress, ProgressCallback, RunOutcome
from harness.running.run_images import check_images
from harness.running.sameness import check_same
from harness.running.scheduler import Scheduler


def _silent(progress: Progress) -> None:
    pass


def start(
    plan: RunPlan,
    root: Path,
    on_progress: ProgressCallback = _silent,
    run_id: str = "",
    command: Sequence[str] = (),
    shuffle: Optional[int] = None,
) -> RunOutcome:
    """Make a run folder below ``root`` and play the plan; Ctrl-C leaves it resumable.

    ``command`` is recorded (default: this process's arguments). ``shuffle`` plays the episodes in a random order of
    that seed, which changes nothing but the order.
    """
    return play(create(plan, root, run_id, command), plan, on_progress, shuffle)


def create(plan: RunPlan, root: Path, run_id: str = "", command: Sequence[str] = ()) -> RunFolder:
    """Make the run folder of a plan and play nothing yet, so that a caller can say where it is."""
    found = provenance(command or sys.argv, CHECKOUT, plan.images)
    return RunFolder.create(root, plan.identity, plan.execution(), found, run_id)


def resume(
    path: Path,
    plan: RunPlan,
    on_progress: ProgressCallback = _silent,
    retry_errors: bool = False,
    shuffle: Optional[int] = None,
) -> RunOutcome:
    """Play what is not committed in an existing run folder, as ``plan`` says, which was made anew: nothing that the
    folder names is executed.

    SpecMismatch is raised when the plan asks something else than the run began with: another version of the suite,
    another world model, other images. ``retry_errors`` also plays the episodes that ended in error or timeout again.
    """
    folder = RunFolder.open(path)
    check_images(folder.record.provenance.images, plan.images)
    check_same(folder.identity, plan.identity)
    return play(folder, plan, on_progress, shuffle, retry_errors)


def play(
    folder: RunFolder,
    plan: RunPlan,
    on_progress: ProgressCallback = _silent,
    shuffle: Optional[int] = None,
    retry_errors: bool = False,
) -> RunOutcome:
    """Play every planned episode of a run folder while holding its lock.

    MachineError where a disk fails: the run can be resumed.
    """

    def reorder(tasks: List[Task]) -> None:
        if shuffle is not None:
            random.Random(shuffle).shuffle(tasks)

    began = time.monotonic()
    with folder.lock() as lock:
        journal = folder.journal_to_write()
        try:
            if retry_errors:
                journal.plan_again()
            model_files = ModelFiles(plan.world_model)
            scheduler = Scheduler(folder, plan, journal, lock.descriptor, on_progress)
            try:
                complete = scheduler.run(reorder)
            finally:
                damage = (*scheduler.account.compare(folder), *model_files.damage())
                write_damage(folder.path, damage)
        finally:
            journal.close()
    rows, counts, elapsed_s = scheduler.account.rows, scheduler.counts, time.monotonic() - began
    return RunOutcome(
        folder.path, counts, trajectory_root(rows), not complete, elapsed_s, damage, stopped=scheduler.stopped
    )
