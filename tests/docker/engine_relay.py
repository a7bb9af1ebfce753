"""A relay in front of the engine's socket, so that a client's connections can be broken while they are in use."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

CHUNK = 64 * 1024


class EngineRelay:
    """Passes bytes between clients of ``path`` and the engine; `break_all` cuts every connection at once."""

    def __init__(self, engine: Path, path: Path) -> None:
        self._engine = engine
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        self.host = f"unix://{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def break_all(self) -> int:
        """Cut every connection that is open now; return how many there were. New ones are accepted again."""
        with self._lock:
            cut = len(self._open) // 2
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        return cut

    def close(self) -> None:
        """Accept no more connections, and cut those that are open."""
        self._server.close()
        self.break_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(str(self._engine))
            except OSError:
                return
            with self._lock:
                self._open |= {client, engine}
            for source, target in ((client, engine), (engine, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)  # a half-closed connection still answers (hijacked output streams)
            return
        with self._lock:
            self._open -= {source, target}
        source.close()
        target.close()
