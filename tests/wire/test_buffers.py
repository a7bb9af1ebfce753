"""Both ends of a service's socket get send buffers that hold whole messages."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator, List, Tuple

import grpc
import pytest

from harness.wire import buffers
from harness.wire.buffers import widen_send_buffers
from harness.wire.client import EnvironmentClient
from harness.wire.codec.messages import PROTOCOL_VERSION
from harness.wire.codec.queries import TOP_DOWN_MAP, write_query
from harness.wire.generated import wiw_pb2
from harness.wire.server import start_server
from harness.wire.services import service_of
from tests.wire.hosting import hosted
from tests.wire.objects import GridEnvironment

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")


def send_buffer(end: socket.socket) -> int:
    return end.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


@contextlib.contextmanager
def connected() -> Iterator[Tuple[Path, socket.socket, socket.socket]]:
    """Yield a path and the two ends of a connection to it."""
    with tempfile.TemporaryDirectory(prefix="wiw") as folder:
        path = Path(folder) / "s.sock"
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
            listener.bind(str(path))
            listener.listen()
            client.connect(str(path))
            server, _ = listener.accept()
            with server:
                yield path, client, server


def test_only_the_ends_of_the_path_are_widened() -> None:
    with connected() as (path, client, server), connected() as (_, stranger, _):
        before = send_buffer(stranger)
        client.setblocking(False)
        assert widen_send_buffers(path) == 2
        assert send_buffer(client) > before
        assert send_buffer(server) > before
        assert send_buffer(stranger) == before
        assert client.getblocking() is False
        assert widen_send_buffers(path.with_name("other")) == 0


def test_two_images_are_sent_at_once() -> None:
    with connected() as (path, _, server):
        widen_send_buffers(path)
        server.setblocking(False)
        assert server.send(bytes(2 * 256 * 256 * 3)) == 2 * 256 * 256 * 3


def test_nothing_happens_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "_DESCRIPTORS", Path("/nowhere"))
    with connected() as (path, _, _):
        assert widen_send_buffers(path) == 0
    assert buffers._widen(2**20, "/nowhere") is False


def buffers_at(path: Path) -> List[int]:
    """Return the send buffers of all connected sockets of this process at ``path``."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        if not (entry.is_symlink() and str(entry.readlink()).startswith("socket:")):
            continue
        with socket.socket(fileno=os.dup(int(entry.name))) as end, contextlib.suppress(OSError):
            if str(path) in (end.getpeername(), end.getsockname()):
                found.append(send_buffer(end))
    return found


def untouched() -> int:
    """Return the send buffer of a socket as it comes."""
    with socket.socket(socket.AF_UNIX) as fresh:
        return send_buffer(fresh)


def request_of_map() -> bytes:
    """Return a request that does not widen anything."""
    request = wiw_pb2.QueryRequest()
    write_query(TOP_DOWN_MAP, [], request)
    data: bytes = request.SerializeToString()
    return data


def test_a_handshake_widens_the_end_of_the_service() -> None:
    with tempfile.TemporaryDirectory(prefix="wiw") as folder, ThreadPoolExecutor(1) as thread:
        path = Path(folder) / "s.sock"
        server = start_server(thread.submit(lambda: service_of(GridEnvironment())).result(), path, thread)
        request = wiw_pb2.DescribeRequest(protocol_version=PROTOCOL_VERSION).SerializeToString()
        try:
            with grpc.insecure_channel(f"unix:{path}") as channel:
                channel.unary_unary("/wiw.v1.Environment/Query")(request_of_map(), timeout=10.0)
                assert set(buffers_at(path)) == {untouched()}
                channel.unary_unary("/wiw.v1.Environment/Describe")(request, timeout=10.0)
                assert min(buffers_at(path)) > untouched()
        finally:
            server.stop(None).wait()


def test_a_handshake_widens_the_end_of_the_client() -> None:
    with hosted("environment", "GridEnvironment") as host:
        client = EnvironmentClient(host.socket)
        client.describe()
        assert min(buffers_at(host.socket)) > untouched()
        client._connection.close()
