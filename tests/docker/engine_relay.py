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
        self._open: dict[socket.socket, socket.socket] = {}
        """Each end that still sends, and the one on the other side."""
        self._lock = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        self.host = f"unix://{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def break_all(self) -> int:
        """Cut every connection that is open now; return how many there were. New ones are accepted again."""
        with self._lock:
            cut = {frozenset(pair) for pair in self._open.items()}
            for end in set().union(*cut):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        return len(cut)

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
                self._open.update({client: engine, engine: client})
            for source in (client, engine):
                threading.Thread(target=self._pass_on, args=(source,), daemon=True).start()

    def _pass_on(self, source: socket.socket) -> None:
        """Pass on what ``source`` sends until it sends no more; close both ends when neither does."""
        target = self._open[source]
        with suppress(OSError):
            while data := source.recv(CHUNK):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)  # the other direction may go on: an answer, or a stream of output
        with self._lock:
            del self._open[source]
            if target not in self._open:
                source.close()
                target.close()
