"""Episodes: descriptions without images."""

from __future__ import annotations

from typing import Any

from harness.contracts.cameras import Pose
from harness.contracts.episodes import Episode
from harness.contracts.field_limits import MAX_TAGS, Few, Number, Text, Whole
from harness.wire.codec import mapper
from harness.wire.codec.messages import present

_TEXTS = ("id", "task", "tier", "split", "scene", "home")
_METRES = ("radius_m", "geodesic_m")
_POSES = ("start", "goal")
_TEXT, _LENGTH, _COUNT, _TAGS = Text(), Number(low=0.0), Whole(), Few(MAX_TAGS)


def write_episode(episode: Episode, message: Any, where: str = "episode") -> None:
    """Fill an Episode message."""
    for name in _TEXTS:
        setattr(message, name, _TEXT.check(getattr(episode, name), f"{where}.{name}"))
    for name in _METRES:
        setattr(message, name, _LENGTH.check(getattr(episode, name), f"{where}.{name}"))
    for name in _POSES:
        mapper.write(Pose, getattr(episode, name), getattr(message, name), f"{where}.{name}")
    message.reference_actions = _COUNT.check(episode.reference_actions, f"{where}.reference_actions")
    message.tags.extend(_TEXT.check(tag, f"{where}.tags") for tag in _TAGS.check(episode.tags, f"{where}.tags"))


def read_episode(message: Any, where: str = "episode") -> Episode:
    """Return an episode."""
    values: Any = {name: _TEXT.check(getattr(message, name), f"{where}.{name}") for name in _TEXTS}
    values.update({name: _LENGTH.check(getattr(message, name), f"{where}.{name}") for name in _METRES})
    values.update({name: mapper.read(Pose, present(message, name, where), f"{where}.{name}") for name in _POSES})
    tags = tuple(_TEXT.check(tag, f"{where}.tags") for tag in _TAGS.check(message.tags, f"{where}.tags"))
    return Episode(reference_actions=int(message.reference_actions), tags=tags, **values)
