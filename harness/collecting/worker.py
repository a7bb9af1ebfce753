"""The worker of a collection: records one trajectory after the other with a simulator that it keeps.

Nothing counts that has no record, so a worker may be ended in the middle of what it does.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Optional, Union

from harness.collecting.demonstrations import record_demonstration
from harness.collecting.layouts import WORK, check_ground, write_unit
from harness.collecting.plan import CollectPlan, plan_from_plain, plan_to_plain
from harness.collecting.recording import record_unit
from harness.collecting.services import Machine
from harness.collecting.simulators import Backend, Demonstrator, backend_of
from harness.collecting.split_guard import check_scene
from harness.contracts.errors import ServiceError, SpecMismatch, WiwError
from harness.running.messages import Abort, Again, Message, Play, Ready, StartFailed, Written
from harness.running.worker_loop import abort, log_traceback, sentence, serve

MODULE = "harness.collecting.worker"


def job_of(plan: CollectPlan, machine: Machine) -> bytes:
    """Return what a worker is started with: what is collected, and where things are on this machine."""
    return json.dumps({"plan": plan_to_plain(plan), "machine": asdict(machine)}).encode()


def record(folder: Path, plan: CollectPlan, backend: Union[Backend, Demonstrator], number: int) -> Written:
    """Record one trajectory and write it; WiwError where it cannot be recorded or may not be in these data."""
    unit = plan.units[number]
    if isinstance(backend, Demonstrator):
        clips = record_demonstration(backend, plan, unit)
    else:
        clips = record_unit(backend, plan, unit)
    check_scene(unit.scene, clips[0].scene_digest, plan.split)
    walkable = clips[0].walkable
    if walkable is not None:
        check_ground(folder, unit.scene, walkable)
    write_unit(folder, plan, unit, clips)
    said = walkable.sentence(unit.scene) if walkable is not None else ""
    return Written(sum(len(clip.frames) for clip in clips), said)


class Collector:
    """Records what it is told to; a simulator that failed is started anew for the next trajectory."""

    def __init__(self, folder: Path, job: bytes, number: int) -> None:
        content = json.loads(job)
        self._folder = folder
        self._plan = plan_from_plain(content["plan"])
        self._machine = Machine(**content["machine"])
        self._log = folder / WORK / f"service-{number}.log"
        self._backend: Optional[Union[Backend, Demonstrator]] = None

    def start(self) -> Message:
        """Start the simulator."""
        try:
            self._started()
        except Exception as error:
            log_traceback()
            if isinstance(error, WiwError) and not isinstance(error, ServiceError):
                return abort(error)
            return StartFailed(sentence(error))
        return Ready(os.getpid())

    def answer(self, order: Play) -> Message:
        """Record the trajectory of a number; a service that failed may do better when it is started again."""
        unit = self._plan.units[int(order.episode)]
        try:
            return record(self._folder, self._plan, self._started(), unit.number)
        except Exception as error:
            log_traceback()
            if isinstance(error, WiwError) and not isinstance(error, ServiceError):
                what = f"trajectory {unit.number} in {unit.scene}: {error.what}"
                return Abort(WiwError.__name__, what, error.next_step)
            self.close()
            return Again(sentence(error))

    def close(self) -> None:
        """Close the simulator, if there is one; an error in doing so is only logged."""
        backend, self._backend = self._backend, None
        try:
            if backend is not None:
                backend.close()
        except Exception:
            log_traceback()

    def _started(self) -> Union[Backend, Demonstrator]:
        if self._backend is None:
            self._backend = backend_of(self._plan, self._machine, self._log)
            if self._backend.simulator != self._plan.simulator:
                raise SpecMismatch(
                    f"the simulator of {socket.gethostname()} is {self._backend.simulator!r}, "
                    f"and the data are recorded with {self._plan.simulator!r}.",
                    "Make both the same, then go on.",
                )
        return self._backend


def make_collector(folder: Path, job: bytes, number: int, say: Callable[[Message], None]) -> Collector:
    """Return the collector of a data set's folder."""
    return Collector(folder, job, number)


if __name__ == "__main__":
    serve(make_collector)
