"""Episodes: descriptions without images."""

from __future__ import annotations

from typing import Any, Dict

from harness.contracts.cameras import Pose
from harness.contracts.digest import canonical_json
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.field_limits import FIX_SENDER, MAX_TAGS, MAX_TEXT, Few, Text, Whole
from harness.contracts.json_limits import parse_json
from harness.wire.codec import mapper
from harness.wire.codec.messages import present

_TEXTS = ("id", "task", "tier", "split", "scene", "home")
_TEXT, _PAYLOAD, _COUNT, _TAGS = Text(), Text(MAX_TEXT), Whole(), Few(MAX_TAGS)


def write_episode(episode: Episode, message: Any, where: str = "episode") -> None:
    """Fill an Episode message."""
    for name in _TEXTS:
        setattr(message, name, _TEXT.check(getattr(episode, name), f"{where}.{name}"))
    mapper.write(Pose, episode.start, message.start, f"{where}.start")
    message.payload = _PAYLOAD.check(canonical_json(episode.payload).decode(), f"{where}.payload")
    message.reference_actions = _COUNT.check(episode.reference_actions, f"{where}.reference_actions")
    message.tags.extend(_TEXT.check(tag, f"{where}.tags") for tag in _TAGS.check(episode.tags, f"{where}.tags"))


def read_episode(message: Any, where: str = "episode") -> Episode:
    """Return an episode."""
    values: Any = {name: _TEXT.check(getattr(message, name), f"{where}.{name}") for name in _TEXTS}
    return Episode(
        start=mapper.read(Pose, present(message, "start", where), f"{where}.start"),
        reference_actions=int(message.reference_actions),
        payload=_read_payload(message.payload, f"{where}.payload"),
        tags=tuple(_TEXT.check(tag, f"{where}.tags") for tag in _TAGS.check(message.tags, f"{where}.tags")),
        **values,
    )


def _read_payload(found: str, where: str) -> Dict[str, Any]:
    try:
        payload = parse_json(_PAYLOAD.check(found, where) or "{}")
    except ValueError as error:
        raise Refusal(f"{where} is no JSON: {error}.", FIX_SENDER) from error
    if not isinstance(payload, dict):
        raise Refusal(f"{where} is {type(payload).__name__}, not an object.", FIX_SENDER)
    return payload
