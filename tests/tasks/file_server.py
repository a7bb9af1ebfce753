"""A small HTTP file server for tests: ranges, redirects, broken connections, wrong answers."""

from __future__ import annotations

import http.server
import re
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Dict, List, Optional


@dataclass
class Served:
    """One file and how it is served."""

    content: bytes
    etag: str = '"one"'
    content_type: str = "application/octet-stream"
    break_after: List[int] = field(default_factory=list)
    """Bytes after which the connection is cut: one entry a request, from the first."""
    ranges: bool = True
    status: int = 200
    moved_to: str = ""
    linked_etag: str = ""


class FileServer:
    """Serves ``files`` by path on a free local port; ``requests`` keeps the Range header of every GET."""

    def __init__(self) -> None:
        self.files: Dict[str, Served] = {}
        self.ranges: List[Optional[str]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._answer(self)

            def log_message(self, format: str, *values: object) -> None:
                return

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> FileServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.ranges.append(handler.headers.get("Range"))
        served = self.files.get(handler.path)
        if served is None or served.status != 200:
            handler.send_error(404 if served is None else served.status)
            return
        if served.moved_to:
            handler.send_response(302)
            handler.send_header("Location", served.moved_to)
            handler.send_header("X-Linked-ETag", served.linked_etag)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        self._send(handler, served)

    def _send(self, handler: http.server.BaseHTTPRequestHandler, served: Served) -> None:
        total = len(served.content)
        wanted = re.match(r"bytes=(\d+)-$", handler.headers.get("Range", ""))
        start = int(wanted.group(1)) if wanted else 0
        if not served.ranges or handler.headers.get("If-Range", served.etag) != served.etag:
            start = 0
        if start >= total > 0:
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        handler.send_header("Content-Length", str(total - start))
        handler.send_header("Content-Type", served.content_type)
        handler.send_header("ETag", served.etag)
        handler.end_headers()
        end = start + served.break_after.pop(0) if served.break_after else total
        handler.wfile.write(served.content[start:end])
        handler.close_connection = True
