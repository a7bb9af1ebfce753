"""A hostile service's answers take next to no memory of the client: no compression, a limit for each method."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.contracts.manifests import ModelManifest
from harness.wire import limits
from harness.wire.services import EnvironmentMethods, WorldModelMethods
from tests.wire.hosting import ROOT
from tests.wire.objects import GridEnvironment, StillModel

SERVER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import grpc
socket, compression = sys.argv[1], grpc.Compression.Gzip if sys.argv[2] == "gzip" else grpc.Compression.NoCompression
answer = bytes(96 * 2**20)  # 96 kB of gzip
def once(request, context):
    context.set_compression(compression)
    return answer
def many(request, context):
    context.set_compression(compression)
    yield answer
once, many = grpc.unary_unary_rpc_method_handler(once), grpc.unary_stream_rpc_method_handler(many)
server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_send_message_length", -1)])
server.add_generic_rpc_handlers((
    grpc.method_handlers_generic_handler("wiw.v1.WorldModel", {"Describe": once, "Imagine": many}),
    grpc.method_handlers_generic_handler("wiw.v1.Environment", {"Describe": once, "Imagine": many, "Close": once}),
    grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": once}),
))
server.add_insecure_port("unix:" + socket)
server.start()
print("serves", flush=True)
sys.stdin.read()
"""

CLIENT = """
import resource, sys
from harness.contracts.errors import WiwError
from harness.wire.channel import Connection, check_health
socket, service, method = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    if service == "Health":
        error = "" if check_health(socket, 20.0) else "not healthy"
    elif method == "Imagine":
        error = f"took {sum(map(len, Connection(socket, service).stream(method, b'', 20.0)))} bytes"
    else:
        error = f"took {len(Connection(socket, service).unary(method, b'', 20.0))} bytes"
except WiwError as refused:
    error = type(refused).__name__ + ": " + str(refused)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
print(error)
"""


@pytest.fixture(params=["gzip", "plain"])
def hostile(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The socket of a service that answers everything with 96 MiB of zeros, and how they travel."""
    with tempfile.TemporaryDirectory(prefix="wiw") as folder:
        socket = str(Path(folder) / "s.sock")
        command = [sys.executable, "-c", SERVER, socket, request.param]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None and server.stdout.readline() == b"serves\n"
            yield socket, request.param


def test_an_answer_that_is_too_large_is_refused_before_it_takes_memory(hostile: tuple[str, str]) -> None:
    socket, compression = hostile
    calls = [
        ("WorldModel", "Describe"),
        ("WorldModel", "Imagine"),
        ("Environment", "Close"),
        ("Environment", "Imagine"),
    ]
    for service, method in [*calls, ("Health", "Check")]:
        command = [sys.executable, "-c", CLIENT, socket, service, method]
        grown, _, said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.partition(
            "\n"
        )
        assert int(grown) < 32, f"{service}.{method}: {grown} MiB, {said}"
        if service != "Health":
            assert said.startswith("ServiceError")
            assert "larger than any reply" in said if compression == "plain" else "gzip" in said
        else:
            assert said == "not healthy\n"


def test_every_method_has_a_limit_for_its_replies_and_every_service_one_for_its_requests() -> None:
    environment, model = (
        EnvironmentMethods(GridEnvironment()).service(),
        WorldModelMethods(StillModel(ModelManifest("still", "tests", "plugin"))).service(),
    )
    for service in (environment, model):
        name = service.name.rpartition(".")[2]
        assert set(limits.REPLY_BYTES[name]) == {*service.unary, *service.streaming}
        assert name in limits.REQUEST_BYTES
