"""The client's side of one socket: who may be behind it, how calls go out, and how they end.

Every call has a deadline, and whatever happens on the other side ends as one of the contract errors. The socket must
belong to this user and lie in a folder that nobody else can enter, so that no other user of the machine can pose as
the service.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Generator, Iterator, Sequence, Tuple, Union

import grpc
from grpc_health.v1 import health_pb2

from harness.contracts.errors import LimitExceeded, Refusal, ServiceError
from harness.wire.buffers import widen_send_buffers
from harness.wire.errors import from_status
from harness.wire.limits import MAX_CONTROL_BYTES, MAX_MESSAGE_BYTES, MIB, REPLY_BYTES
from harness.wire.memory import keep_freed_memory

MAX_SOCKET_PATH = 100
HEALTH_SERVICE = "grpc.health.v1.Health"
HEALTH_METHOD = f"/{HEALTH_SERVICE}/Check"
HANDSHAKE = "Describe"
"""The method that every client calls first."""

_NO_COMPRESSION_ALONE = 1
"""The bit of "identity" in gRPC's set of compressions. Pixels on a local socket gain nothing by any, and 250 kB of gzip
unpack to 256 MiB."""

Options = Sequence[Tuple[str, Union[int, str]]]

COMMON_OPTIONS: Options = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES + MIB),
    ("grpc.compression_enabled_algorithms_bitset", _NO_COMPRESSION_ALONE),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.http2.max_frame_size", 16 * MIB - 1),
    ("grpc.http2.lookahead_bytes", 8 * MIB),
    ("grpc.http2.bdp_probe", 0),
)
"""Options of both sides. Frames and window hold whole images: the defaults are made for slow networks."""


def _reply_limits() -> str:
    """Return gRPC's service config that holds each method to the size of its own replies."""
    limits = [
        {"name": [{"service": f"wiw.v1.{service}", "method": method}], "maxResponseMessageBytes": limit}
        for service, methods in REPLY_BYTES.items()
        for method, limit in methods.items()
    ]
    limits.append({"name": [{"service": HEALTH_SERVICE}], "maxResponseMessageBytes": MAX_CONTROL_BYTES})
    return json.dumps({"methodConfig": limits})


CLIENT_OPTIONS: Options = (
    *COMMON_OPTIONS,
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.service_config", _reply_limits()),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.default_authority", "localhost"),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass(frozen=True)
class Deadlines:
    """How long each kind of call may take, in seconds.

    ``imagine_option`` is the option of the command line that sets ``imagine_s``, for messages; "" where none does.
    """

    describe_s: float = 5.0
    reset_s: float = 120.0
    step_s: float = 30.0
    imagine_s: float = 600.0
    query_s: float = 30.0
    imagine_option: str = ""


def check_socket(socket: Union[str, os.PathLike[str]]) -> Path:
    """Return the path of a socket that is safe to speak to; raise ServiceError or Refusal otherwise.

    It must be a socket (not a link to one) of this user, in a folder of this user with mode 0700.
    """
    path = Path(socket)
    if len(os.fsencode(path)) >= MAX_SOCKET_PATH:
        raise Refusal(f"the socket path {path} is too long.", f"Use less than {MAX_SOCKET_PATH} bytes.")
    try:
        entry, folder = path.lstat(), path.parent.lstat()
    except OSError as error:
        raise ServiceError(f"there is no socket {path} ({error.strerror}).", "Start the service first.") from error
    if not stat.S_ISSOCK(entry.st_mode) or entry.st_uid != os.getuid():
        raise Refusal(f"{path} is not a socket of this user.", "Something else may pose as the service: remove it.")
    private = stat.S_ISDIR(folder.st_mode) and stat.S_IMODE(folder.st_mode) == 0o700
    if not private or folder.st_uid != os.getuid():
        raise Refusal(f"the folder of {path} is open to others.", "Put the socket into a fresh folder of mode 0700.")
    return path


class Connection:
    """One channel to one service. Bytes go in; messages, bytes or contract errors come out.

    ``name`` is what messages call the service; whoever knows a better one than its socket sets it.
    """

    def __init__(self, socket: Union[str, os.PathLike[str]], service: str) -> None:
        keep_freed_memory()
        self.socket = check_socket(socket)
        self.service = service
        self.name = f"{service} at {self.socket}"
        self._channel = grpc.insecure_channel(f"unix:{self.socket.absolute()}", options=CLIENT_OPTIONS)
        self._unary_calls: Dict[str, Any] = {}

    def unary(self, method: str, request: bytes, deadline_s: float, option: str = "") -> bytes:
        """Send one message and return the bytes of the one that answers it.

        ``option`` is the option of the command line that sets the deadline.
        """
        call = self._unary_calls.get(method)
        if call is None:
            call = self._unary_calls[method] = self._channel.unary_unary(f"/wiw.v1.{self.service}/{method}")
        try:
            reply: bytes = call(request, timeout=deadline_s)
        except grpc.RpcError as error:
            raise from_status(error, self.name, method, deadline_s, option) from error
        if method == HANDSHAKE:
            widen_send_buffers(self.socket.absolute())
        return reply

    def stream(self, method: str, request: bytes, deadline_s: float, option: str = "") -> Generator[bytes, None, None]:
        """Send one message and yield the bytes of those that answer it; leaving early cancels the call.

        ``option`` is the option of the command line that sets the deadline.
        """
        call = self._channel.unary_stream(f"/wiw.v1.{self.service}/{method}")
        answers = call(request, timeout=deadline_s)
        try:
            yield from answers
        except grpc.RpcError as error:
            raise from_status(error, self.name, method, deadline_s, option) from error
        finally:
            answers.cancel()

    def close(self) -> None:
        """Close the channel; the service lives on."""
        self._channel.close()


@contextmanager
def reading_reply(service: str, method: str) -> Iterator[None]:
    """Turn what the codec and the checks say about a reply into a ServiceError of the service that sent it."""
    try:
        yield
    except (LimitExceeded, Refusal) as error:
        what = f"{service} sent a bad reply to {method}: {error.what}"
        raise ServiceError(what, "Fix the service that sent it.") from error


def check_health(socket: Union[str, os.PathLike[str]], timeout_s: float) -> bool:
    """Say whether the service behind ``socket`` is ready; False if it is absent, silent or not serving.

    A socket that is unsafe to speak to raises Refusal.
    """
    try:
        path = check_socket(socket)
    except ServiceError:
        return False
    request = health_pb2.HealthCheckRequest().SerializeToString()
    with grpc.insecure_channel(f"unix:{path.absolute()}", options=CLIENT_OPTIONS) as channel:
        try:
            data = channel.unary_unary(HEALTH_METHOD)(request, timeout=timeout_s)
            reply = health_pb2.HealthCheckResponse.FromString(data)
        except (grpc.RpcError, ValueError):
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
