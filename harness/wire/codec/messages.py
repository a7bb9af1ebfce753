"""Bytes to messages: the one place where protobuf parses what somebody else sent."""

from __future__ import annotations

from typing import Any, Mapping, Tuple

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import FIX_SENDER, too_large
from harness.wire.codec.splice import leading_payload
from harness.wire.generated import wiw_pb2
from harness.wire.limits import MAX_CONTROL_BYTES, MAX_MESSAGE_BYTES, MAX_PART_BYTES

PROTOCOL_VERSION = 6
"""Changes whenever an old client and a new server would misunderstand each other."""

_WITH_IMAGES: Mapping[str, int] = {
    "ResetReply": MAX_MESSAGE_BYTES,
    "StepReply": MAX_MESSAGE_BYTES,
    "RenderReply": MAX_MESSAGE_BYTES,
    "QueryReply": MAX_MESSAGE_BYTES,
    "WorldModelImagineRequest": MAX_MESSAGE_BYTES,
    "RolloutPart": MAX_PART_BYTES,
    "ProposalRequest": MAX_MESSAGE_BYTES,
}


_PAYLOADS: Mapping[str, str] = {
    "ResetReply": "images",
    "StepReply": "images",
    "RenderReply": "images",
    "RolloutPart": "pixels",
    "ProposalRequest": "images",
}
"""The bytes field number 1 of the messages that have one."""


def parse(kind: str, data: bytes) -> Any:
    """Return the message of type ``kind`` in ``data``; its size is checked before protobuf sees it."""
    _check_size(kind, data)
    return _parsed(kind, data)


def parse_with_payload(kind: str, data: bytes) -> Tuple[Any, memoryview]:
    """Return a message and its images or pixels, read where they lie: protobuf would copy them twice.

    They stand in front; where they do not, protobuf reads them as in any message.
    """
    _check_size(kind, data)
    payload, rest = leading_payload(data)
    message = _parsed(kind, rest)
    later = getattr(message, _PAYLOADS[kind])
    return message, memoryview(later) if later else payload


def _check_size(kind: str, data: bytes) -> None:
    limit = _WITH_IMAGES.get(kind, MAX_CONTROL_BYTES)
    if len(data) > limit:
        raise too_large(kind, "bytes", len(data), limit)


def _parsed(kind: str, data: bytes) -> Any:
    try:
        return getattr(wiw_pb2, kind).FromString(data)
    except DecodeError as error:
        raise Refusal(f"{len(data)} bytes are no {kind} message.", FIX_SENDER) from error


def present(message: Any, field: str, where: str) -> Any:
    """Return a submessage that must be there."""
    if not message.HasField(field):
        raise Refusal(f"{where}.{field} is missing.", FIX_SENDER)
    return getattr(message, field)


def choice(message: Any, oneof: str, where: str) -> str:
    """Return the name of the member of a oneof that is set."""
    member = message.WhichOneof(oneof)
    if member is None:
        raise Refusal(f"{where}.{oneof} is missing or of an unknown kind.", FIX_SENDER)
    return str(member)
