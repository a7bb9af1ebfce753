"""What the wire is compared with: pickles of the same images over TCP, as evaluation code often does it.

``python -m tests.benchmarks.pickle_server`` prints its port and answers requests until its input ends. A message is
eight bytes of length and a pickle (protocol 5).
"""

from __future__ import annotations

import pickle
import socket
import struct
import sys
import threading
from typing import Any

import numpy as np


def send(connection: socket.socket, value: Any) -> None:
    """Send one value."""
    data = pickle.dumps(value, protocol=5)
    connection.sendall(struct.pack("<Q", len(data)))
    connection.sendall(data)


def _receive_exactly(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if count == 0:
            raise ConnectionError("the other side is gone")
        view = view[count:]
    return data


def receive(connection: socket.socket) -> Any:
    """Receive one value."""
    (size,) = struct.unpack("<Q", _receive_exactly(connection, 8))
    return pickle.loads(_receive_exactly(connection, size))


def _serve(listener: socket.socket) -> None:
    dice = np.random.default_rng(0)
    image = dice.integers(0, 256, (256, 256, 3), np.uint8)
    rollout = dice.integers(0, 256, (14, 576, 1024, 3), np.uint8)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                request = receive(connection)
                send(connection, rollout if request["method"] == "imagine" else [image for _ in request["actions"]])
        except ConnectionError:
            connection.close()


def main() -> None:
    """Serve until the input ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
