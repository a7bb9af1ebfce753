"""Starts `harness.wire.host` for a test and ends it again."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

from harness.wire.client import check_health

ROOT = Path(__file__).resolve().parents[2]


class Hosted:
    """One running host: its socket folder, process and log."""

    def __init__(self, folder: Path, **spec: Any) -> None:
        self.socket = folder / "s.sock"
        self.log = folder / "log"
        file = folder / "spec.json"
        fields = {"socket": str(self.socket), "parent_pid": os.getpid(), "path": [], **spec}
        file.write_text(json.dumps(fields), encoding="utf-8")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "harness.wire.host", "--spec", str(file)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Wait until the service is healthy; fail with its log if it never is."""
        end = time.monotonic() + seconds
        while not check_health(self.socket, 1.0):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the host is not ready: {self.log.read_text(encoding='utf-8')}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process, by force if it does not end within two seconds."""
        self.process.terminate()
        try:
            self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def hosted(kind: str, class_name: str, wait: bool = True, **fields: Any) -> Iterator[Hosted]:
    """Run a class of `tests.wire.objects` as a service."""
    with tempfile.TemporaryDirectory(prefix="wiw") as folder:
        host = Hosted(Path(folder), kind=kind, entry_point=f"tests.wire.objects:{class_name}", **fields)
        try:
            if wait:
                host.wait_ready()
            yield host
        finally:
            host.stop()
