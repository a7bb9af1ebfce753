"""What the wire stands on: gRPC alone, handing out the bytes of one reply that was made beforehand.

``python -m tests.benchmarks.grpc_server SOCKET`` prints a line when it is ready and answers until its input ends. Two
RGB images of 256 x 256 answer every request, which is not read; channel options, send buffers, kept memory and the one
thread that answers are those of a service.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, List

from harness.contracts.actions import Primitive
from harness.contracts.observations import ViewRequest
from harness.wire.buffers import widen_send_buffers
from harness.wire.channel import COMMON_OPTIONS
from harness.wire.codec.observations import write_observations
from harness.wire.memory import keep_freed_memory
from tests.wire.objects import StillEnvironment

SERVICE = "benchmark.Bare"
METHOD = "Answer"


def main(socket: str) -> None:
    """Serve until the input ends."""
    import grpc  # not before harness.wire, which chooses how gRPC polls

    keep_freed_memory()
    forward = Primitive("forward", 0.2)
    reply = write_observations(StillEnvironment().step([forward] * 2, [ViewRequest("front")])).serialized()

    widened: List[int] = []

    def answer(request: bytes, context: Any) -> bytes:
        if not widened:
            widened.append(widen_send_buffers(Path(socket)))
        return reply

    behavior: Any = answer
    behavior.experimental_thread_pool = ThreadPoolExecutor(1)
    methods = {METHOD: grpc.unary_unary_rpc_method_handler(behavior)}
    server = grpc.server(ThreadPoolExecutor(1), options=COMMON_OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(None).wait()


if __name__ == "__main__":
    main(sys.argv[1])
