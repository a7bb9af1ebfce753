"""Starts or resumes a collection in its folder; refuses a folder that holds anything else.

Workers, their limits, retries and interruptions are those of runs (`harness.running.scheduler`): a trajectory is the
episode of a collection, and its record in the work folder is the row that says that it is done.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import List, Optional, Set, Tuple

from harness.collecting.dataset_writer import CHECKSUMS, finish, remove_work
from harness.collecting.demonstrations import DEMONSTRATION_S, SCENES_TRIED
from harness.collecting.landing import Landing
from harness.collecting.layouts import UNITS, WORK, unit_record_path
from harness.collecting.plan import CollectPlan, differing, plan_from_plain, plan_to_plain, read_plan
from harness.collecting.services import START_S, Machine, on_node
from harness.collecting.worker import MODULE, job_of
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.folders import require_writable
from harness.records.atomic import write_atomic
from harness.records.identity import EpisodeKey
from harness.records.lock import FolderLock
from harness.running.cluster import Cluster
from harness.running.episode_queue import Task
from harness.running.executors import Executor
from harness.running.local_processes import Job, LocalProcesses
from harness.running.messages import Message, Starting, Written
from harness.running.plan import PYTHON_START_S, PhaseDeadlines
from harness.running.scheduler import Book, Limits, Scheduler

PLAN = "plan.json"
"""The plan's file in the work folder."""

LOCK_PATIENCE_S = 60.0
"""A killed collection's workers may be in the middle of building a home; they hold the lock until they notice."""

MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class CollectProgress:
    """How far a collection is; the speed counts from this start or resume, None until something was recorded.

    Until then ``scenes`` are opened (there are so many to record in), and have been for ``elapsed_s`` seconds.
    ``said`` are sentences that nobody was told yet: what of a scene's walkable area does not count, and why.
    ``stopping`` says that processes are being ended.
    """

    clips: int
    total: int
    processes: int
    frames_per_s: Optional[float]
    eta_s: Optional[float]
    said: Tuple[str, ...] = ()
    scenes: int = 0
    elapsed_s: float = 0.0
    stopping: bool = False


Report = Callable[[CollectProgress], None]


@dataclass(frozen=True)
class CollectOutcome:
    """How a collection ended: how many clips are on the disk, whether any was recorded now, and whether a signal ended
    it before the last."""

    clips: int
    fresh: bool
    interrupted: bool


def collect(
    folder: Path, plan: CollectPlan, machine: Machine, processes: int, report: Report, cluster: Optional[Cluster] = None
) -> CollectOutcome:
    """Collect ``plan`` in ``folder``, going on where an interrupted one stopped; with ``cluster`` on its nodes."""
    complete = CollectOutcome(plan.clips, False, False)
    if check_folder(folder, plan):
        return complete
    processes = processes if cluster is None else min(processes, room(cluster))
    work = folder / WORK
    try:
        (work / UNITS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{folder} cannot be written: {error}.", "Give a folder that you can write.") from error
    with FolderLock(work, LOCK_PATIENCE_S) as lock:
        if check_folder(folder, plan):  # finished by another process meanwhile
            return complete
        remove_parts(work)
        write_atomic(work / PLAN, json.dumps(plan_to_plain(plan), sort_keys=True).encode())
        book = CollectBook(folder, plan, processes, report)
        limits = Limits(processes, START_S + PYTHON_START_S, lambda task: unit_s(plan), MAX_ATTEMPTS)
        told = job_of(plan, on_node(machine, cluster))
        job = Job(MODULE, folder, told, lock.descriptor, partial(worker_log, folder), lambda pid: None)
        if not Scheduler(workers_of(job, plan, cluster), limits, book).run(book.tasks()):
            return CollectOutcome(book.clips, True, True)
        finish(folder, plan)
    return CollectOutcome(plan.clips, True, False)


def room(cluster: Cluster) -> int:
    """Join a cluster and return how many workers have room there; Refusal as of `ray_workers.places`."""
    from harness.running.ray_workers import places

    return places(cluster)


def workers_of(job: Job, plan: CollectPlan, cluster: Optional[Cluster]) -> Executor:
    """Return where the workers of a collection are: processes of this machine, or of a cluster's nodes."""
    if cluster is None:
        return LocalProcesses(job)
    from harness.running.ray_workers import RayWorkers

    return RayWorkers(job, cluster, (), Landing(job.folder, plan))


def worker_log(folder: Path, number: int) -> Path:
    """Return where the output of a worker is kept until the data set is complete."""
    return folder / WORK / f"worker-{number}.log"


def unit_s(plan: CollectPlan) -> float:
    """Return the seconds until a trajectory counts as hung: those of an episode, and more for every frame of it."""
    deadlines = PhaseDeadlines()
    if plan.whole:
        return deadlines.episode_s + SCENES_TRIED * DEMONSTRATION_S
    return deadlines.episode_s + deadlines.step_s * plan.clip_frames * plan.clips_per_trajectory


class CollectBook(Book):
    """The `Book` of a collection: counts what workers have put on the disk."""

    def __init__(self, folder: Path, plan: CollectPlan, processes: int, report: Report) -> None:
        order = sorted(plan.units, key=lambda unit: (plan.scenes.index(unit.scene), unit.trajectory))
        self._left = [unit for unit in order if not unit_record_path(folder, unit.number).exists()]
        self._plan = plan
        self._report = report
        self._processes = min(processes, len(self._left))
        self._scenes = len({unit.scene for unit in self._left})
        self.clips = self._before = plan.clips - sum(unit.clips for unit in self._left)
        self._frames = 0
        self._said: List[str] = []
        self._told: Set[str] = set()
        self._began = time.monotonic()

    def tasks(self) -> List[Task]:
        """Return the trajectories that are not recorded, those of a scene beside each other."""
        self._tell()
        return [Task(EpisodeKey("collect", "", str(unit.number), self._plan.seed), unit.scene) for unit in self._left]

    def starting(self, message: Starting) -> None:
        """Say how far it is: a worker of a cluster says every second that it waits for a place."""
        self._tell()

    def keep(self, task: Task, answer: Message) -> None:
        """Count a trajectory, and pass on what is to be said of its scene, once."""
        if not isinstance(answer, Written):
            raise WiwError(f"a worker answered {answer} about trajectory {task.key.episode}.")
        self.clips += self._plan.units[int(task.key.episode)].clips
        self._frames += answer.frames
        if answer.said and answer.said not in self._told:
            self._told.add(answer.said)
            self._said.append(answer.said)
        self._tell()

    def lost(self, task: Task, error: str, late: bool) -> None:
        """End the collection: a data set without one of its trajectories is none."""
        raise WiwError(f"trajectory {task.key.episode} in {task.home}: {error}")

    def waiting(self) -> None:
        """Say how far it is."""
        self._tell()

    def stopping(self) -> None:
        """Say that it stops."""
        self._tell(stopping=True)

    def _tell(self, stopping: bool = False) -> None:
        passed, new = time.monotonic() - self._began, self.clips - self._before
        speed = self._frames / passed if self._frames else None
        eta = (self._plan.clips - self.clips) * passed / new if new else None
        said, self._said = tuple(self._said), []
        counts = self.clips, self._plan.clips, self._processes
        self._report(CollectProgress(*counts, speed, eta, said, self._scenes, passed, stopping))


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


def remove_parts(work: Path) -> None:
    """Remove what killed workers were writing."""
    for part in work.glob("part-*"):
        shutil.rmtree(part) if part.is_dir() else part.unlink()
