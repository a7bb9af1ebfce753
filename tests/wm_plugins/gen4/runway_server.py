"""Runway's API on this machine: answers with the replies of a folder and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPLIES = Path(__file__).parent / "replies"
KEY = "key_for_tests_0123456789"


@dataclass
class Runway:
    """``creations`` are the status and reply of each call that begins a task (the last one repeats), ``states`` those
    of a task in turn (the last one repeats)."""

    creations: list[tuple[int, str]] = field(default_factory=lambda: [(200, "created")])
    states: list[str] = field(default_factory=lambda: ["succeeded"])
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    address: str = ""

    def reply(self, name: str) -> bytes:
        return (REPLIES / f"{name}.json").read_text(encoding="utf-8").replace("@ADDRESS@", self.address).encode()


def _next(left: list[Any]) -> Any:
    return left.pop(0) if len(left) > 1 else left[0]


def _handler(runway: Runway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            return

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            runway.bodies.append(json.loads(content))
            status, name = _next(runway.creations)
            self._send(status, runway.reply(name))

        def do_GET(self) -> None:
            if self.path.startswith("/video.mp4"):
                self._send(200, (REPLIES / "video.mp4").read_bytes(), "video/mp4")
            else:
                self._send(200, runway.reply(_next(runway.states)))

        def do_DELETE(self) -> None:
            runway.cancelled.append(self.path)
            self._send(204, b"")

        def _send(self, status: int, content: bytes, kind: str = "application/json") -> None:
            runway.headers.append((f"{self.command} {self.path.partition('?')[0]}", dict(self.headers)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(content)

    return Handler


@contextmanager
def serving(creations: Sequence[tuple[int, str]] = (), states: Sequence[str] = ()) -> Iterator[Runway]:
    """Serve inside; ``creations`` and ``states`` replace those of a task that succeeds at once."""
    runway = Runway()
    runway.creations = list(creations) or runway.creations
    runway.states = list(states) or runway.states
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(runway))
    runway.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield runway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
