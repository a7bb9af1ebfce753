"""Episodes: descriptions without images."""

from __future__ import annotations

from typing import Any, Dict

from harness.contracts.digest import canonical_json
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.field_limits import FIX_SENDER, MAX_TEXT, Text
from harness.contracts.json_limits import parse_json
from harness.wire.codec import mapper

_PAYLOAD = Text(MAX_TEXT)


def write_episode(episode: Episode, message: Any, where: str = "episode") -> None:
    """Fill an Episode message; the task's own part travels as JSON."""
    mapper.write_fields(Episode, episode, message, where, "payload")
    message.payload = _PAYLOAD.check(canonical_json(episode.payload).decode(), f"{where}.payload")


def read_episode(message: Any, where: str = "episode") -> Episode:
    """Return an episode."""
    payload = _read_payload(message.payload, f"{where}.payload")
    return Episode(payload=payload, **mapper.read_fields(Episode, message, where, "payload"))


def _read_payload(found: str, where: str) -> Dict[str, Any]:
    try:
        payload = parse_json(_PAYLOAD.check(found, where) or "{}")
    except ValueError as error:
        raise Refusal(f"{where} is no JSON: {error}.", FIX_SENDER) from error
    if not isinstance(payload, dict):
        raise Refusal(f"{where} is {type(payload).__name__}, not an object.", FIX_SENDER)
    return payload
