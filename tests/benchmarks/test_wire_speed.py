"""Round trips over the wire, beside gRPC alone and pickles of the same images over TCP in the same run.

``python -m pytest tests/benchmarks/test_wire_speed.py -n 0 --benchmark-only`` (``-s`` prints p50 and p99 in ms).
Services run in processes of their own; the client is the one that the harness uses. The images are made once, so
nothing but the way of the bytes is measured. On two busy cores the figures vary by a factor of two between runs:
docs/wire.md has medians of several.
"""

from __future__ import annotations

import contextlib
import math
import pickle
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, Tuple

import numpy as np
import pytest

from harness.contracts.actions import Candidate, Primitive
from harness.contracts.cameras import Camera
from harness.contracts.digest import to_plain
from harness.contracts.observations import ViewRequest
from harness.contracts.rollouts import RolloutRequest
from harness.wire.channel import CLIENT_OPTIONS
from harness.wire.client import EnvironmentClient, WorldModelClient
from harness.wire.memory import keep_freed_memory
from tests.benchmarks.grpc_server import METHOD, SERVICE
from tests.benchmarks.pickle_server import receive, send
from tests.wire.hosting import ROOT, hosted
from tests.wire.objects import example_manifest

FORWARD = Primitive("forward", 0.2)
PANO_LARGE = Camera("pano_large", "equirect", 576, 1024, 360.0, 1.25)
WALK = Candidate((FORWARD,) * 14)
VIEW = np.zeros((576, 1024, 3), np.uint8)

Ask = Callable[[], Tuple[int, ...]]
"""Makes one round trip and returns the shape of what came back."""


@contextlib.contextmanager
def wire_images() -> Iterator[Ask]:
    """Two actions, two RGB images of 256 x 256 (393 kB)."""
    with hosted("environment", "StillEnvironment") as host:
        client = EnvironmentClient(host.socket)

        def ask() -> Tuple[int, ...]:
            observations = client.step([FORWARD] * 2, [ViewRequest("front")])
            return (len(observations), *observations[1].views["front"].rgb.shape)

        yield ask


@contextlib.contextmanager
def wire_rollout() -> Iterator[Ask]:
    """One panorama of 576 x 1024, one rollout of 14 (24.8 MB)."""
    with hosted("world_model", "StillModel", manifest=to_plain(example_manifest())) as host:
        client = WorldModelClient(host.socket)
        request = RolloutRequest(0, 0, VIEW, PANO_LARGE, WALK, tuple(range(1, 15)))
        yield lambda: client.imagine(request).rgb.shape


@contextlib.contextmanager
def _served(module: str, *arguments: str) -> Iterator[str]:
    """Run a module as a server until the block ends; yield the line that it prints when it is ready."""
    command = [sys.executable, "-m", module, *arguments]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        yield server.stdout.readline()
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait()


@contextlib.contextmanager
def grpc_images() -> Iterator[Ask]:
    """The bytes of the same reply by gRPC alone; neither side reads or checks anything."""
    import grpc  # not before harness.wire, which chooses how gRPC polls

    keep_freed_memory()
    with tempfile.TemporaryDirectory(prefix="wiw") as folder:
        socket_path = Path(folder) / "s.sock"
        with (
            _served("tests.benchmarks.grpc_server", str(socket_path)),
            grpc.insecure_channel(f"unix:{socket_path}", options=CLIENT_OPTIONS) as channel,
        ):
            call = channel.unary_unary(f"/{SERVICE}/{METHOD}")
            pixels = math.prod(IMAGES)

            def ask() -> Tuple[int, ...]:
                reply = call(b"", timeout=30.0)
                return IMAGES if len(reply) > pixels else (len(reply),)

            yield ask


@contextlib.contextmanager
def _pickles() -> Iterator[socket.socket]:
    with (
        _served("tests.benchmarks.pickle_server") as port,
        socket.create_connection(("127.0.0.1", int(port))) as connection,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


@contextlib.contextmanager
def pickle_images() -> Iterator[Ask]:
    """The same two images as pickles over TCP."""
    with _pickles() as connection:

        def ask() -> Tuple[int, ...]:
            send(connection, {"method": "step", "actions": [FORWARD] * 2, "views": [ViewRequest("front")]})
            images = receive(connection)
            return (len(images), *images[1].shape)

        yield ask


@contextlib.contextmanager
def pickle_rollout() -> Iterator[Ask]:
    """The same rollout as a pickle over TCP."""
    with _pickles() as connection:

        def ask() -> Tuple[int, ...]:
            send(connection, {"method": "imagine", "view": VIEW, "candidate": pickle.dumps(WALK)})
            return tuple(receive(connection).shape)

        yield ask


IMAGES = (2, 256, 256, 3)
ROLLOUT = (14, 576, 1024, 3)
CASES = {
    "images-wire": (wire_images, IMAGES, 1000),
    "images-grpc": (grpc_images, IMAGES, 1000),
    "images-pickle": (pickle_images, IMAGES, 1000),
    "rollout-wire": (wire_rollout, ROLLOUT, 60),
    "rollout-pickle": (pickle_rollout, ROLLOUT, 60),
}


@pytest.mark.parametrize("name", CASES)
def test_round_trip(name: str, benchmark: Any) -> None:
    serve, shape, rounds = CASES[name]
    benchmark.group = name.split("-")[0]
    with serve() as ask:
        assert ask() == shape
        benchmark.pedantic(ask, rounds=rounds, warmup_rounds=rounds // 10)
    if benchmark.stats is None:  # --benchmark-disable
        return
    milliseconds = np.array(benchmark.stats.stats.data) * 1e3
    p50, p99 = np.percentile(milliseconds, [50, 99])
    benchmark.extra_info.update({"p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)})
    print(f"\n{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, fastest {milliseconds.min():.2f} ms, {rounds} rounds")
