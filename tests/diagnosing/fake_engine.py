"""A Docker engine of a few HTTP replies behind a real Unix socket, as the real SDK meets it."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

HEALTHY = {
    "Driver": "overlay2",
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "Runtimes": {"runc": {}},
    "SecurityOptions": ["name=seccomp,profile=default"],
    "DockerRootDir": "/nonexistent",
    "NCPU": 2,
}


class FakeEngine(socketserver.ThreadingUnixStreamServer):
    """Answers what a check asks: version, info, images, and a container that prints ``printed``."""

    daemon_threads = True

    def __init__(
        self, path: Path, info: dict[str, Any], images: dict[str, str], printed: str, labels: dict[str, str]
    ) -> None:
        self.labels = labels
        self.info = {**HEALTHY, **info}
        self.images = images
        self.printed = printed
        self.created: list[dict[str, Any]] = []
        super().__init__(str(path), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: FakeEngine
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        """A Unix socket has no address."""
        return "local"

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a question."""
        path = self.path.partition("?")[0]
        path = path[path.index("/", 1) :] if path.startswith("/v1.") else path
        if path == "/_ping":
            self._reply(200, b"OK")
        elif path == "/version":
            kernel = os.uname().release
            self._json(
                {"Version": "27.3.1", "ApiVersion": "1.47", "Os": "linux", "Arch": "amd64", "KernelVersion": kernel}
            )
        elif path == "/info":
            self._json(self.server.info)
        elif path == "/images/json":
            self._json([{"Id": i, "RepoTags": [tag]} for tag, i in self.server.images.items()])
        elif path.startswith("/images/"):
            name = unquote(path[len("/images/") : -len("/json")])
            found = {tag: i for tag, i in self.server.images.items() if name in (tag, i)}
            described = [
                {
                    "Id": i,
                    "RepoTags": [tag],
                    "Size": 1,
                    "RootFS": {"Layers": []},
                    "Config": {"Labels": self.server.labels},
                }
                for tag, i in found.items()
            ]
            self._json(described[0] if described else {"message": "no such image"}, bool(described))
        elif path.endswith("/logs"):
            text = self.server.printed.encode()
            self._reply(200, b"\x01\x00\x00\x00" + len(text).to_bytes(4, "big") + text)
        elif path.startswith("/containers/"):
            self._json({"Id": "c0", "HostConfig": {"LogConfig": {"Type": "json-file"}}, "Config": {"Tty": False}})
        else:
            self._json({"message": f"unknown {path}"}, known=False)

    def do_POST(self) -> None:
        """Create, start and wait."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "/containers/create" in self.path:
            self.server.created.append(json.loads(body))
            self._reply(201, b'{"Id": "c0", "Warnings": []}')
        elif self.path.partition("?")[0].endswith("/wait"):
            self._json({"StatusCode": 0})
        else:
            self._reply(204, b"")

    def do_DELETE(self) -> None:
        """Remove the container."""
        self._reply(204, b"")

    def _json(self, value: object, known: bool = True) -> None:
        self._reply(200 if known else 404, json.dumps(value).encode())

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def fake_engine(
    path: Path,
    info: dict[str, Any] | None = None,
    images: dict[str, str] | None = None,
    printed: str = "",
    labels: dict[str, str] | None = None,
) -> Iterator[FakeEngine]:
    """Serve a fake engine on ``path`` while the block runs; all its images carry ``labels``."""
    with FakeEngine(path, info or {}, images or {}, printed, labels or {}) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
