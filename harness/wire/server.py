"""Serves one object on a Unix socket, together with the standard health service.

The object is made, asked and closed by one thread: simulators are not thread-safe, and an OpenGL context belongs to
the thread that made it. Health is answered by other threads, so a busy service is still a healthy one. A call whose
client has gone before its turn is dropped unexecuted.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from harness.contracts.errors import WiwError
from harness.contracts.storage import storage_error
from harness.wire.buffers import widen_send_buffers
from harness.wire.channel import COMMON_OPTIONS, HANDSHAKE
from harness.wire.errors import abort, from_user_code, log_traceback
from harness.wire.limits import REQUEST_BYTES
from harness.wire.services import Service

MAX_WAITING_CALLS = 64
_HEALTH_THREADS = 2


def _report(context: Any, error: BaseException, method: str) -> None:
    """Log an exception of a method and end its call with it."""
    if not isinstance(error, WiwError):
        log_traceback()
    abort(context, storage_error(error) or from_user_code(error, method))


def _unary(method: str, answer: Callable[[bytes], bytes]) -> Callable[[bytes, Any], bytes]:
    def behavior(data: bytes, context: Any) -> bytes:
        if not context.is_active():
            return b""
        try:
            return answer(data)
        except BaseException as error:  # whatever the object raises becomes an error reply: gRPC would never end it
            _report(context, error, method)
        return b""

    return behavior


def _streaming(method: str, answer: Callable[[bytes], Iterator[bytes]]) -> Callable[[bytes, Any], Iterator[bytes]]:
    def behavior(data: bytes, context: Any) -> Iterator[bytes]:
        try:
            if context.is_active():
                yield from answer(data)
        except GeneratorExit:  # the client has gone
            raise
        except BaseException as error:  # whatever the object raises becomes an error reply: gRPC would never end it
            _report(context, error, method)

    return behavior


def _handlers(service: Service, thread: ThreadPoolExecutor, socket: Path) -> Any:
    """Return the methods of a service as gRPC handlers that run in ``thread``."""

    def shake_hands(data: bytes) -> bytes:  # the first call of every client
        widen_send_buffers(socket)
        return service.unary[HANDSHAKE](data)

    handlers = {}
    for name, answer in {**service.unary, HANDSHAKE: shake_hands}.items():
        once: Any = _unary(name, answer)
        once.experimental_thread_pool = thread
        handlers[name] = grpc.unary_unary_rpc_method_handler(once)
    for name, stream in service.streaming.items():
        many: Any = _streaming(name, stream)
        many.experimental_thread_pool = thread
        handlers[name] = grpc.unary_stream_rpc_method_handler(many)
    return grpc.method_handlers_generic_handler(service.name, handlers)


def start_server(service: Service, socket: Path, thread: ThreadPoolExecutor, calls: int = MAX_WAITING_CALLS) -> Any:
    """Serve on ``socket`` and report healthy; return the running gRPC server.

    It refuses more than ``calls`` at once. ``thread`` has one worker, the one that made the object; more only where the
    methods are safe in many threads.
    """
    server = grpc.server(
        ThreadPoolExecutor(_HEALTH_THREADS, thread_name_prefix="health"),
        options=(*COMMON_OPTIONS, ("grpc.max_receive_message_length", REQUEST_BYTES[service.name.rpartition(".")[2]])),
        maximum_concurrent_rpcs=calls,
    )
    address = socket.absolute()
    server.add_generic_rpc_handlers((_handlers(service, thread, address),))
    status = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    server.add_insecure_port(f"unix:{address}")
    server.start()
    status.set("", health_pb2.HealthCheckResponse.SERVING)
    return server
