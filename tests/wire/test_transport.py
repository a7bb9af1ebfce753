"""Rubbish, silence and death on one side never take the other side with them."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest

from harness.contracts.actions import Candidate, Primitive
from harness.contracts.digest import digest
from harness.contracts.errors import (
    DeadlineExceeded,
    EpisodeError,
    LimitExceeded,
    NotNavigable,
    Refusal,
    ServiceError,
    SpecMismatch,
    WiwError,
)
from harness.contracts.observations import EnvironmentSpec
from harness.wire import errors
from harness.wire.channel import CLIENT_OPTIONS, check_health, check_socket
from harness.wire.client import Deadlines, EnvironmentClient
from harness.wire.codec import mapper
from harness.wire.codec.messages import PROTOCOL_VERSION
from harness.wire.generated import wiw_pb2
from harness.wire.sdk import CAPABILITIES
from tests.wire.hosting import ROOT, Hosted, hosted
from tests.wire.objects import GridEnvironment, example_episode

METHODS = ("Describe", "Reset", "Step", "Imagine", "Query", "Close")
SPEC = GridEnvironment().describe()
WALK = Candidate((Primitive("forward", 0.2),) * 3)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wiw") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def grid() -> Iterator[Hosted]:
    with hosted("environment", "GridEnvironment") as host:
        yield host


def assert_alive(host: Hosted) -> None:
    assert check_health(host.socket, 10.0)
    client = EnvironmentClient(host.socket, Deadlines(reset_s=20.0))
    client.reset(example_episode(), 0, [])
    client._connection.close()


# ---- clients that misbehave -----------------------------------------------------------------------------


def test_rubbish_on_the_socket_does_not_touch_the_service(grid: Hosted) -> None:
    dice = random.Random(0)
    for size in (1, 24, 1000, 100_000):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(grid.socket))
            with contextlib.suppress(OSError):
                raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" * dice.randrange(2))
                raw.sendall(dice.getrandbits(8 * size).to_bytes(size, "big"))
    assert_alive(grid)


def test_rubbish_in_a_request_is_refused_by_every_method(grid: Hosted) -> None:
    with grpc.insecure_channel(f"unix:{grid.socket}", options=CLIENT_OPTIONS) as channel:
        for method in METHODS[:-1]:
            with pytest.raises(grpc.RpcError) as caught:
                list(channel.unary_stream(f"/wiw.v1.Environment/{method}")(b"\xff\xff\xff", timeout=10.0))
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/wiw.v1.Environment/Step")(bytes(2**20 + 1), timeout=10.0)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert_alive(grid)


KILLED = """
import sys, time
from tests.wire.test_transport import WALK
from harness.wire.client import EnvironmentClient
rollouts = EnvironmentClient(sys.argv[1]).imagine([WALK] * 500, "front", [(1, 2, 3)] * 500)
next(rollouts)
print("in the middle", flush=True)
time.sleep(60)
"""


def test_a_client_that_dies_in_the_middle_of_a_stream_leaves_a_working_service(grid: Hosted) -> None:
    client = subprocess.Popen([sys.executable, "-c", KILLED, str(grid.socket)], cwd=ROOT, stdout=subprocess.PIPE)
    assert client.stdout is not None
    assert client.stdout.readline() == b"in the middle\n"
    client.kill()
    client.wait()
    client.stdout.close()
    assert_alive(grid)


def test_a_client_that_stops_reading_blocks_the_service_until_its_deadline_only() -> None:
    with hosted("environment", "GridEnvironment", options={"side": 512}) as host:
        lazy = EnvironmentClient(host.socket, Deadlines(imagine_s=1.5))
        rollouts = lazy.imagine([WALK] * 300, "front", [(1, 2, 3)] * 300)
        next(rollouts)
        start = time.monotonic()
        assert_alive(host)
        assert time.monotonic() - start < 15.0
        with pytest.raises(DeadlineExceeded):
            list(rollouts)


# ---- services that misbehave ----------------------------------------------------------------------------


@contextlib.contextmanager
def raw_server(folder: Path, answer: Callable[[socket.socket], None]) -> Iterator[Path]:
    """Accept connections and do something with them that is not gRPC."""
    path = folder / "s.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    held = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                answer(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: connection.close(),
        lambda connection: connection.sendall(random.Random(1).getrandbits(80_000).to_bytes(10_000, "big")),
        lambda connection: None,
    ],
    ids=["hangs up", "talks rubbish", "says nothing"],
)
def test_what_is_no_service_never_holds_the_client_beyond_its_deadline(folder: Path, answer: Any) -> None:
    with raw_server(folder, answer) as path:
        start = time.monotonic()
        with pytest.raises(ServiceError):
            EnvironmentClient(path, Deadlines(describe_s=1.0)).describe()
        assert not check_health(path, 1.0)
        assert time.monotonic() - start < 10.0


@contextlib.contextmanager
def grpc_server(folder: Path, answers: Any) -> Iterator[EnvironmentClient]:
    """Serve the bytes that ``answers`` names by method."""
    handlers = {}
    for method in METHODS:
        data = answers.get(method, b"")
        if method == "Imagine":
            handlers[method] = grpc.unary_stream_rpc_method_handler(lambda request, context, data=data: iter(data))
        else:
            handlers[method] = grpc.unary_unary_rpc_method_handler(lambda request, context, data=data: data)
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("wiw.v1.Environment", handlers),))
    path = folder / "g.sock"
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield EnvironmentClient(path, Deadlines(5.0, 5.0, 5.0, 5.0, 5.0))
    finally:
        server.stop(None).wait()


def description(version: int = PROTOCOL_VERSION, spec_digest: str = "") -> bytes:
    message = wiw_pb2.EnvironmentDescription(protocol_version=version, spec_digest=spec_digest or digest(SPEC))
    mapper.write(EnvironmentSpec, SPEC, message.spec, "spec")
    message.capabilities.extend(CAPABILITIES)
    data: bytes = message.SerializeToString()
    return data


def test_rubbish_in_a_reply_is_an_error_of_the_service(folder: Path) -> None:
    rubbish = b"\xff\xff\xff"
    answers = {"Describe": description(), "Step": rubbish, "Reset": b"", "Query": rubbish, "Imagine": [rubbish]}
    with grpc_server(folder, answers) as client:
        with pytest.raises(ServiceError, match="bad reply to Step: 3 bytes are no StepReply"):
            client.step(WALK.actions, [])
        with pytest.raises(ServiceError, match=r"bad reply to Reset: reset\.observation is missing"):
            client.reset(example_episode(), 0, [])
        with pytest.raises(ServiceError, match="bad reply to Query"):
            client.top_down_map()
        with pytest.raises(ServiceError, match="bad reply to Imagine: 3 bytes are no RolloutPart"):
            list(client.imagine([WALK], "front", [(1,)]))


def test_a_stream_that_ends_too_early_is_an_error_of_the_service(folder: Path) -> None:
    with (
        grpc_server(folder, {"Describe": description(), "Imagine": []}) as client,
        pytest.raises(ServiceError, match=r"rollouts \[0\] are missing"),
    ):
        list(client.imagine([WALK], "front", [(1,)]))


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (description(version=99), SpecMismatch, f"speaks protocol version 99, this side version {PROTOCOL_VERSION}"),
        (description(spec_digest="b" * 64), SpecMismatch, f"digest {'b' * 64}; its fields as read here give"),
        (bytes([8, PROTOCOL_VERSION]), ServiceError, r"description\.spec is missing"),
        (b"", SpecMismatch, "speaks protocol version 0"),
    ],
)
def test_a_service_of_another_release_is_refused(folder: Path, data: bytes, error: Any, match: str) -> None:
    with grpc_server(folder, {"Describe": data}) as client:
        start = time.monotonic()
        with pytest.raises(error, match=match):
            client.step(WALK.actions, [])
        assert time.monotonic() - start < 1.0


def test_an_environment_that_cannot_imagine_is_not_asked_to(folder: Path) -> None:
    spec = type(SPEC)("blind", "tests", SPEC.rig, ())
    message = wiw_pb2.EnvironmentDescription(protocol_version=PROTOCOL_VERSION, spec_digest=digest(spec))
    mapper.write(EnvironmentSpec, spec, message.spec, "spec")
    with (
        grpc_server(folder, {"Describe": message.SerializeToString()}) as client,
        pytest.raises(Refusal, match="blind cannot imagine"),
    ):
        list(client.imagine([WALK], "front", [(1,)]))


# ---- sockets --------------------------------------------------------------------------------------------


def test_only_a_private_socket_of_this_user_is_spoken_to(folder: Path, grid: Hosted) -> None:
    assert check_socket(grid.socket) == grid.socket
    plain = folder / "plain"
    plain.write_text("", encoding="utf-8")
    with pytest.raises(Refusal, match="is not a socket"):
        check_socket(plain)
    link = folder / "link"
    link.symlink_to(grid.socket)
    with pytest.raises(Refusal, match="is not a socket"):
        check_health(link, 1.0)
    with pytest.raises(ServiceError, match="there is no socket"):
        check_socket(folder / "absent")
    assert not check_health(folder / "absent", 1.0)
    with pytest.raises(Refusal, match="is too long"):
        check_socket(folder / ("x" * 100))
    with raw_server(folder, lambda connection: None) as path:
        folder.chmod(0o755)
        with pytest.raises(Refusal, match="is open to others"):
            check_socket(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a socket to another user")
def test_a_socket_of_another_user_is_not_spoken_to(folder: Path) -> None:
    with raw_server(folder, lambda connection: None) as path:
        os.chown(path, 12345, -1)
        with pytest.raises(Refusal, match="is not a socket of this user"):
            check_socket(path)


# ---- errors ---------------------------------------------------------------------------------------------


class Failed(grpc.RpcError):  # type: ignore[misc]
    """A status as the client sees it."""

    def __init__(self, code: grpc.StatusCode, metadata: Any = ()) -> None:
        self._code, self._metadata = code, metadata

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "details"

    def trailing_metadata(self) -> Any:
        return self._metadata


class Context:
    """Keeps what a method ended its call with."""

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.code, self.details = code, details


@pytest.mark.parametrize(
    "kind", [Refusal, SpecMismatch, LimitExceeded, ServiceError, DeadlineExceeded, EpisodeError, NotNavigable]
)
def test_every_error_class_crosses_the_wire(kind: Any) -> None:
    context = Context()
    errors.abort(context, kind("what\ud800 " + "x" * 9000, "next é"))
    error = errors.from_status(Failed(context.code, context.metadata), "it", "Step", 1.0)
    assert type(error) is kind
    assert error.what.startswith("what? xxx")
    assert len(error.what) <= errors.MAX_ERROR_TEXT
    assert error.next_step == "next é"


class Homemade(NotNavigable):
    """A class that the other side does not know."""


def test_an_unknown_error_class_becomes_the_nearest_known_one() -> None:
    for error, expected in ((Homemade("x"), NotNavigable), (WiwError("x"), ServiceError)):
        context = Context()
        errors.abort(context, error)
        assert type(errors.from_status(Failed(context.code, context.metadata), "it", "Step", 1.0)) is expected


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"error": "Exception", "what": "", "next_step": ""}', b"\xff"])
def test_rubbish_in_the_metadata_is_ignored(body: bytes) -> None:
    failed = Failed(grpc.StatusCode.UNAVAILABLE, (("other", "x"), (errors.METADATA_KEY, body)))
    assert "cannot be reached for Step: details" in errors.from_status(failed, "it", "Step", 1.0).what


@pytest.mark.parametrize(
    ("code", "kind", "match"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded, "did not answer Step within 2.5 s"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, LimitExceeded, "details"),
        (grpc.StatusCode.UNAVAILABLE, ServiceError, "cannot be reached"),
        (grpc.StatusCode.UNKNOWN, ServiceError, "failed with UNKNOWN"),
    ],
)
def test_other_statuses_become_contract_errors(code: grpc.StatusCode, kind: Any, match: str) -> None:
    error = errors.from_status(Failed(code, None), "it", "Step", 2.5)
    assert type(error) is kind
    assert match in error.what


def test_an_exception_that_was_never_raised_has_no_line() -> None:
    assert errors.from_user_code(ValueError("x"), "step").what == "step failed with ValueError: x."
