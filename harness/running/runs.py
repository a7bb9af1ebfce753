"""Starts a run and continues one: the two things that a command does with a plan."""

from __future__ import annotations

import random
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Optional, Sequence

from harness.contracts.from_source import CHECKOUT
from harness.records.damage import write_damage
from harness.records.episode_files import remove_leftovers
from harness.records.folder import RECORD, RunFolder
from harness.records.landing import land
from harness.records.provenance import provenance
from harness.records.roots import trajectory_root
from harness.running.executors import Executor
from harness.running.local_processes import Job, LocalProcesses
from harness.running.model_digests import ModelFiles
from harness.running.plan import RunPlan, encode_plan
from harness.running.progress import Progress, ProgressCallback, RunOutcome
from harness.running.run_book import RunBook
from harness.running.run_images import check_images
from harness.running.sameness import check_same
from harness.running.scheduler import Limits, Scheduler


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
    return RunFolder.create(root, plan.identity, plan.execution(), found, run_id, plan.metrics)


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
    return go_on(RunFolder.open(path), plan, on_progress, retry_errors, shuffle)


def go_on(
    folder: RunFolder,
    plan: RunPlan,
    on_progress: ProgressCallback = _silent,
    retry_errors: bool = False,
    shuffle: Optional[int] = None,
) -> RunOutcome:
    """Do what `resume` does in a run folder that is open."""
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
    began = time.monotonic()
    with folder.lock() as lock:
        journal = folder.journal_to_write()
        try:
            if retry_errors:
                journal.plan_again()
            model_files = ModelFiles(plan.world_model)
            book = RunBook(plan, journal, on_progress)
            tasks = book.tasks()
            if shuffle is not None:
                random.Random(shuffle).shuffle(tasks)
            limits = Limits(plan.workers, plan.worker_start_s(), lambda task: plan.episode_s(), plan.max_attempts)
            try:
                with _told(folder, plan) as told:
                    complete = Scheduler(workers_of(folder, told, lock.descriptor), limits, book).run(tasks)
            finally:
                damage = (*book.account.compare(folder), *model_files.damage())
                write_damage(folder.path, damage)
        finally:
            journal.close()
    rows, elapsed_s = book.account.rows, time.monotonic() - began
    return RunOutcome(
        folder.path, book.counts, trajectory_root(rows), not complete, elapsed_s, damage, stopped=book.stopped
    )


def joined(plan: RunPlan) -> RunPlan:
    """Return a plan whose cluster, if it has one, was joined: it has no more workers than the cluster has room for.

    Raises Refusal where the cluster cannot be joined or has no room at all.
    """
    if plan.cluster is None:
        return plan
    from harness.running.ray_workers import places

    return replace(plan, workers=min(plan.workers, places(plan.cluster)))


def _told(folder: RunFolder, plan: RunPlan) -> AbstractContextManager[RunPlan]:
    """Return the plan for the workers: where they share one world model, with the socket of that."""
    if plan.identity.batch_wait_ms is None:
        return nullcontext(plan)
    from harness.running.shared_model import model_of_all  # loads gRPC, which no other run needs here

    return model_of_all(folder, plan)


def workers_of(folder: RunFolder, plan: RunPlan, lock: int) -> Executor:
    """Return where the workers of a run are: processes of this machine, or of a cluster's nodes."""
    clean = partial(remove_leftovers, folder.episodes)
    job = Job("harness.running.worker", folder.path, encode_plan(plan), lock, folder.worker_log, clean)
    if plan.cluster is None:
        return LocalProcesses(job)
    from harness.running.ray_workers import RayWorkers

    return RayWorkers(job, plan.cluster, (RECORD,), partial(land, folder))
