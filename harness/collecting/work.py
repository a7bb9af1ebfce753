"""Runs a collection: a queue of trajectories, any number of processes, and an end at the last clip."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

from harness.collecting.dataset_writer import finish
from harness.collecting.layouts import WORK, unit_record_path
from harness.collecting.placement import Machine
from harness.collecting.plan import CollectPlan, Unit
from harness.contracts.errors import ServiceError, WiwError
from harness.runtimes.interpreters import module_command

CHECKOUT = Path(__file__).resolve().parents[2]
MAX_ATTEMPTS = 3
POLL_S = 1.0
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class CollectProgress:
    """How far a collection is; the speed counts from this start or resume, None until something was recorded.

    Until then ``scenes`` are opened (there are so many to record in), and have been for ``elapsed_s`` seconds.
    ``said`` are sentences that nobody was told yet: what of a scene's walkable area does not count, and why.
    """

    clips: int
    total: int
    processes: int
    frames_per_s: Optional[float]
    eta_s: Optional[float]
    said: Tuple[str, ...] = ()
    scenes: int = 0
    elapsed_s: float = 0.0


Report = Callable[[CollectProgress], None]


class _Process:
    """One worker process and the trajectory it records."""

    def __init__(self, folder: Path, machine: Machine, number: int, lock: int) -> None:
        self.number = number
        self.unit: Optional[Unit] = None
        self.scene = ""
        self.log = folder / WORK / f"worker-{number}.log"
        service = folder / WORK / f"service-{number}.log"
        command = [*module_command(sys.executable, "harness.collecting.worker"), "--folder", str(folder.absolute())]
        command += ["--machine", json.dumps(asdict(machine)), "--log", str(service.absolute())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=CHECKOUT,
                env=_environment(),
                pass_fds=(lock,),
            )

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def record(self, unit: Unit) -> None:
        """Tell the worker what to record; one that died meanwhile shows itself when it is read next."""
        self.unit, self.scene = unit, unit.scene
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{unit.number}\n".encode())
            self._process.stdin.flush()

    def read(self) -> Optional[Dict[str, Any]]:
        """Return the worker's answer, None when it died."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def stop(self) -> str:
        """Kill the worker; return the end of its log."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        tail = self.log.read_text(errors="replace").strip()[-2000:]
        return f"Whole log: {self.log.absolute()}\n{tail}" if tail else f"Whole log (empty): {self.log.absolute()}"


class Collection:
    """Plays the queue of one plan. ``lock`` is the descriptor of the folder's lock, which workers hold as well."""

    def __init__(self, folder: Path, plan: CollectPlan, machine: Machine, report: Report, lock: int) -> None:
        self._folder, self._plan, self._machine, self._report, self._lock = folder, plan, machine, report, lock
        order = sorted(plan.units, key=lambda unit: (plan.scenes.index(unit.scene), unit.trajectory))
        self._left: List[Unit] = [unit for unit in order if not unit_record_path(folder, unit.number).exists()]
        self._done_clips = plan.clips - sum(unit.clips for unit in self._left)
        self._scenes = len({unit.scene for unit in self._left})
        self._attempts: Dict[int, int] = {}
        self._frames = self._clips = 0
        self._said: List[str] = []
        self._told: Set[str] = set()
        self._began = time.monotonic()

    def run(self, processes: int) -> None:
        """Record what is left with ``processes`` workers, then finish the data set."""
        with ExitStack() as stack, selectors.DefaultSelector() as selector:
            workers: List[_Process] = []
            stack.callback(lambda: [worker.stop() for worker in workers])
            for number in range(min(processes, len(self._left))):
                workers.append(self._started(selector, number))
            while any(worker.unit for worker in workers):
                self._tell(len(workers))
                for key, _ in selector.select(POLL_S):
                    worker = key.fileobj
                    assert isinstance(worker, _Process)
                    if not self._heard(worker):
                        selector.unregister(worker)
                        workers[workers.index(worker)] = self._started(selector, worker.number)
            self._tell(len(workers))
        finish(self._folder, self._plan)

    def _started(self, selector: selectors.BaseSelector, number: int) -> _Process:
        worker = _Process(self._folder, self._machine, number, self._lock)
        selector.register(worker, selectors.EVENT_READ)
        self._give(worker)
        return worker

    def _give(self, worker: _Process) -> None:
        """Give the next trajectory, in the home that the worker has open where there is one."""
        if not self._left:
            worker.unit = None
            return
        same = next((unit for unit in self._left if unit.scene == worker.scene), self._left[0])
        self._left.remove(same)
        worker.record(same)

    def _heard(self, worker: _Process) -> bool:
        """Take a worker's answer; return False when it is dead and another has to take its place."""
        unit, answer = worker.unit, worker.read()
        if answer is None:
            tail = worker.stop()
            if unit is None:
                return False
            self._again(unit, ServiceError(f"a collecting process died in {unit.scene}.", tail))
            return False
        assert unit is not None
        if "failed" in answer:
            error = WiwError(f"trajectory {unit.number} in {unit.scene}: {answer['what']}", answer["next_step"])
            if not answer["again"]:
                raise error
            worker.stop()
            self._again(unit, error)
            return False
        self._done_clips += unit.clips
        self._frames += int(answer["frames"])
        self._clips += unit.clips
        if answer.get("said") and answer["said"] not in self._told:
            self._told.add(answer["said"])
            self._said.append(answer["said"])
        self._give(worker)
        return True

    def _again(self, unit: Unit, error: WiwError) -> None:
        self._attempts[unit.number] = self._attempts.get(unit.number, 0) + 1
        if self._attempts[unit.number] >= MAX_ATTEMPTS:
            raise error
        self._left.insert(0, unit)

    def _tell(self, processes: int) -> None:
        passed = time.monotonic() - self._began
        speed = self._frames / passed if self._frames else None
        eta = (self._plan.clips - self._done_clips) * passed / self._clips if self._clips else None
        said, self._said = tuple(self._said), []
        self._report(
            CollectProgress(self._done_clips, self._plan.clips, processes, speed, eta, said, self._scenes, passed)
        )


def _environment() -> Dict[str, str]:
    """Return this process's environment with one thread a library and the checkout importable."""
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
    paths = [str(CHECKOUT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment
