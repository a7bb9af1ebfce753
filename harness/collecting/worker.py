"""One collecting process: records the trajectories that it is told to, one after the other.

It reads numbers of trajectories from its standard input, one a line, and answers each with a line of JSON. When the
input ends, because there is no more to do or because the main process died, it ends at once, in the middle of what it
does: nothing counts that has no record, and no late writer can meet a resumed collection.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Dict, Union

from harness.collecting.backends import backend_of
from harness.collecting.demonstrations import record_demonstration
from harness.collecting.ground import check_ground
from harness.collecting.layouts import WORK, write_unit
from harness.collecting.placement import Machine
from harness.collecting.plan import CollectPlan, plan_from_plain
from harness.collecting.recording import record_unit
from harness.collecting.simulators import Backend, Demonstrator
from harness.collecting.split_guard import check_scene
from harness.contracts.errors import ServiceError, WiwError

PLAN = "plan.json"
"""The plan's file in the work folder."""


def record(folder: Path, plan: CollectPlan, backend: Union[Backend, Demonstrator], number: int) -> Dict[str, Any]:
    """Record one trajectory and write it; return what the main process is told."""
    unit = plan.units[number]
    try:
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
        return {"done": number, "frames": sum(len(clip.frames) for clip in clips), "said": said}
    except WiwError as error:
        return _failed(number, error)
    except Exception as error:
        traceback.print_exc()
        return {"failed": number, "what": f"{type(error).__name__}: {error}", "next_step": "", "again": True}


def _failed(number: int, error: WiwError) -> Dict[str, Any]:
    """Return what the main process is told of an error; a service that failed may do better when started again."""
    again = isinstance(error, ServiceError)
    return {"failed": number, "what": error.what, "next_step": error.next_step, "again": again}


def _read_orders(orders: SimpleQueue[int]) -> None:
    """Put each order into the queue; end the process when nobody gives orders any more."""
    with os.fdopen(0, "rb", buffering=0) as lines:
        for line in lines:
            orders.put(int(line))
    os._exit(0)


def main() -> None:
    """Run a worker until its input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="the data set's folder")
    parser.add_argument("--machine", required=True, help="where things are on this machine, as JSON")
    parser.add_argument("--log", type=Path, required=True, help="where a simulator's service writes")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    plan = plan_from_plain(json.loads((arguments.folder / WORK / PLAN).read_text(encoding="utf-8")))
    orders: SimpleQueue[int] = SimpleQueue()
    try:
        backend = backend_of(plan, Machine(**json.loads(arguments.machine)), arguments.log)
    except WiwError as error:
        threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
        pipe.write(json.dumps(_failed(orders.get(), error)).encode() + b"\n")
        return
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    while True:
        answer = record(arguments.folder, plan, backend, orders.get())
        pipe.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
