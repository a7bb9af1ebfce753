"""The worker of a collection with the toy simulator: `python -m tests.collecting.toy_worker`, started as any worker."""

from __future__ import annotations

from unittest.mock import patch

from harness.collecting.worker import make_collector
from harness.running.worker_loop import serve
from tests.collecting.toy import ToyBackend

if __name__ == "__main__":
    with patch("harness.collecting.worker.backend_of", lambda plan, machine, log: ToyBackend()):
        serve(make_collector)
