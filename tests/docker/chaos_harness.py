"""A harness for chaos: keeps one container in use, starts another when it fails, and ends in order on SIGTERM."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

from harness.contracts.errors import WiwError
from harness.runtimes.docker_service import start_container
from harness.runtimes.service import ServiceLimits, ServiceSpec
from harness.wire.client import Deadlines, WorldModelClient
from tests.docker.harness_process import read_spec
from tests.docker.services_spec import REQUEST

LIMITS = ServiceLimits(start_s=60.0, stop_s=1.0)


class Ended(BaseException):
    """SIGTERM came. Like KeyboardInterrupt it is no Exception, so that no handling of errors can swallow it."""


def use(spec: ServiceSpec, log: Path) -> None:
    """Start a container and call it again and again, until a call fails."""
    with start_container(spec, LIMITS, log) as service:
        print("ready", flush=True)
        client = WorldModelClient(service.socket, Deadlines(describe_s=5.0, imagine_s=2.0))
        try:
            while True:
                for rollout in client.imagine_batch([REQUEST]):
                    print(rollout.error or "answered", flush=True)
                time.sleep(0.05)
        finally:
            client.close()


def main() -> None:
    """Use containers until the end comes."""

    def end(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Ended

    signal.signal(signal.SIGTERM, end)
    spec, log = read_spec(sys.argv[1]), Path(sys.argv[2])
    try:
        while True:
            try:
                use(spec, log)
            except WiwError as error:
                print(f"failed: {type(error).__name__}: {error.what}", flush=True)
    except Ended:
        print("ended", flush=True)


if __name__ == "__main__":
    main()
