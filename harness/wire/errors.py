"""Errors across the wire: a contract error becomes a gRPC status and the same class again on the other side.

The class travels by name in the trailing metadata, with ``what`` and ``next_step``; the status code is for people who
look at the service with other tools. Whatever else goes wrong becomes a `ServiceError` that says what is known.
"""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any, Dict, Optional, Type

import grpc

from harness.contracts import errors
from harness.contracts.errors import DeadlineExceeded, LimitExceeded, ServiceError, WiwError

METADATA_KEY = "wiw-error-bin"
MAX_ERROR_TEXT = 4000

SEE_LOG = "Look at its log."

_REPLY_TOO_LARGE = "CLIENT: Received message larger than max"
"""How gRPC's message size filter begins where it is the reply that is too large."""

_CODES: Dict[Type[WiwError], grpc.StatusCode] = {
    errors.Refusal: grpc.StatusCode.INVALID_ARGUMENT,
    errors.SpecMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.NotNavigable: grpc.StatusCode.OUT_OF_RANGE,
    errors.EpisodeError: grpc.StatusCode.ABORTED,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.ServiceError: grpc.StatusCode.INTERNAL,
    errors.MachineError: grpc.StatusCode.UNAVAILABLE,
}
_CLASSES: Dict[str, Type[WiwError]] = {kind.__name__: kind for kind in _CODES}


def _plain(value: str, limit: int = MAX_ERROR_TEXT) -> str:
    short = value if len(value) <= limit else value[: limit - 3] + "..."
    return short.encode("utf-8", "replace").decode("utf-8")


def _known_class(error: WiwError) -> Type[WiwError]:
    return next((kind for kind in type(error).__mro__ if kind in _CODES), ServiceError)


def from_user_code(error: BaseException, doing: str) -> WiwError:
    """Return the error to report for an exception in an environment or a model.

    A contract error is passed on; anything else becomes a ServiceError with its type, message and last line.
    """
    if isinstance(error, WiwError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""
    message = f"{type(error).__name__}: {_words(error)}"
    return ServiceError(f"{doing} failed with {message}{place}.", "The service's log has the traceback.")


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # the author's code again
        return f"(its message cannot be read: {type(broken).__name__})"


def log_traceback() -> None:
    """Write the whole traceback of the present exception to the service's log; a log that is full stops nothing."""
    with contextlib.suppress(Exception):
        traceback.print_exc(file=sys.stderr)


def abort(context: Any, error: WiwError) -> None:
    """End a call on the server with ``error``; never returns, since gRPC's abort raises."""
    kind = _known_class(error)
    what, next_step = _plain(error.what), _plain(error.next_step)
    body = json.dumps({"error": kind.__name__, "what": what, "next_step": next_step}).encode()
    context.set_trailing_metadata(((METADATA_KEY, body),))
    context.abort(_CODES[kind], _plain(str(error), 500))


def _sent_error(error: grpc.RpcError) -> Optional[WiwError]:
    """Return the contract error in the trailing metadata, or None if there is none that can be read."""
    for key, value in error.trailing_metadata() or ():
        if key == METADATA_KEY:
            try:
                body = json.loads(value)
                return _CLASSES[body["error"]](str(body["what"]), str(body["next_step"]))
            except (ValueError, KeyError, TypeError, RecursionError):  # a stranger's bytes
                return None
    return None


def from_status(error: grpc.RpcError, service: str, call: str, deadline_s: float, option: str = "") -> WiwError:
    """Return the contract error for a failed call on the client; ``option`` sets its deadline ("": none does)."""
    sent = _sent_error(error)
    if sent is not None:
        return sent
    code = error.code()
    details = _plain(str(error.details()), 500)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        limit = f"{deadline_s:g} s ({option} {deadline_s:g})" if option else f"{deadline_s:g} s"
        longer = f" If it only needs longer, give it more: {option} SECONDS." if option else ""
        return DeadlineExceeded(f"{service} did not answer {call} within {limit}.", f"{SEE_LOG}{longer}")
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED and _REPLY_TOO_LARGE in details:
        what = f"{service} sent a bad reply to {call}: it is larger than any reply to that may be ({details})."
        return ServiceError(what, "Fix the service that sent it.")
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return LimitExceeded(f"{call} to {service}: {details}.", "Send less, or look whether it is overloaded.")
    if code == grpc.StatusCode.UNAVAILABLE:
        what = f"{service} cannot be reached for {call}: {details}."
        return ServiceError(what, "It is not running or it died: see its log.")
    return ServiceError(f"{call} to {service} failed with {code.name}: {details}.", "Look at its log.")
