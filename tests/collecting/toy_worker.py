"""The worker of a collection with the toy simulator: `python -m tests.collecting.toy_worker`, started as any worker."""

from __future__ import annotations

from harness.collecting import worker
from harness.running.worker_loop import serve
from tests.collecting.toy import ToyBackend

if __name__ == "__main__":
    worker.backend_of = lambda plan, machine, log: ToyBackend()
    serve(worker.make_collector)
