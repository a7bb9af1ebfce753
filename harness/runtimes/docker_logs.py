"""What a container says, written to the service's log file as it comes, up to a limit.

The engine stores nothing itself: a stranger who prints without end would fill the host's disk with it. Beyond the
limit the output is read and thrown away, so that the service is neither stopped by its own log nor slowed by it.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator

RETRY_S = 0.5


class LogReader:
    """Copies a container's output into ``path`` from the moment it is made until the container ends.

    Make it before the container is started, so that nothing is missed. When the connection to the engine breaks, it
    connects again while the container exists, and says in the log that lines may be missing.
    """

    def __init__(self, client: Any, container: str, path: Path, limit: int) -> None:
        """Keep at most ``limit`` bytes in the file, with what earlier starts left there."""
        self._client = client
        self._container = container
        self._path = path
        self._left = limit - (path.stat().st_size if path.exists() else 0)
        self._limit = limit
        self._closing = False
        self._output = self._attach()
        self._thread = threading.Thread(target=self._run, name=f"log of {container}", daemon=True)
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Wait for the last lines of a container that has ended, and connect no more."""
        self._closing = True
        self._thread.join(seconds)

    def _attach(self) -> Iterator[bytes]:
        output: Iterator[bytes] = self._client.api.attach(self._container, stdout=True, stderr=True, stream=True)
        return output

    def _run(self) -> None:
        with self._path.open("ab", buffering=0) as log:
            while True:
                try:
                    for part in self._output:
                        self._keep(log, part)
                except Exception as error:  # the SDK, requests, urllib3 and the socket each have their own errors
                    self._keep(log, f"[log: the connection to the engine broke: {error}]\n".encode())
                if not self._attached_again():
                    return
                self._keep(log, b"[log: connected again; lines may be missing]\n")

    def _attached_again(self) -> bool:
        """Attach once more if the container still runs; False when there is nothing more to read."""
        while not self._closing:
            try:
                state = self._client.api.inspect_container(self._container)["State"]
                if not (state["Running"] or state["Status"] == "created"):
                    return False
                self._output = self._attach()
                return True
            except Exception as error:
                if getattr(error, "status_code", None) == 404:
                    return False
                time.sleep(RETRY_S)
        return False

    def _keep(self, log: Any, part: bytes) -> None:
        if self._left <= 0:
            return
        kept = part[: self._left]
        with suppress(OSError):  # a full disk: the output is still read, so that the service goes on
            log.write(kept)
        self._left -= len(kept)
        if self._left <= 0:
            with suppress(OSError):
                log.write(
                    f"\n[log: cut here after {self._limit} bytes; the service's further output is lost]\n".encode()
                )
