"""Episodes and manifests: descriptions without images."""

from __future__ import annotations

from typing import Any

from harness.contracts.episodes import Episode
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.wire.codec.bodies import read_numbers, read_pose, read_texts, write_numbers, write_pose
from harness.wire.codec.messages import present
from harness.wire.limits import MAX_NAME, MAX_TAGS, MAX_TEXT, at_least_zero, few, finite, text, whole

_EPISODE_TEXTS = ("id", "task", "tier", "split", "scene", "home")
_EPISODE_METRES = ("radius_m", "geodesic_m")
_LONG = ("card", "description")
_MANIFEST_NAMES = ("name", "family", "kind", "conditioning", "view", "entry_point", "image", "licence", "base")
_MANIFEST_TEXTS = (*_MANIFEST_NAMES, "dtype", "home_suite", "card", "description")
_MANIFEST_COUNTS = ("height", "width", "frames", "steps", "context_max", "max_batch")
_MANIFEST_FLAGS = ("every_frame", "deterministic")


def write_episode(episode: Episode, message: Any, where: str = "episode") -> None:
    """Fill an Episode message."""
    few(episode.tags, f"{where}.tags", MAX_TAGS)
    for name in _EPISODE_TEXTS:
        setattr(message, name, text(getattr(episode, name), f"{where}.{name}"))
    for name in _EPISODE_METRES:
        setattr(message, name, at_least_zero(getattr(episode, name), f"{where}.{name}"))
    write_pose(episode.start, message.start, f"{where}.start")
    write_pose(episode.goal, message.goal, f"{where}.goal")
    message.reference_actions = whole(episode.reference_actions, f"{where}.reference_actions")
    message.tags.extend(text(tag, f"{where}.tags") for tag in episode.tags)


def read_episode(message: Any, where: str = "episode") -> Episode:
    """Return an episode."""
    values: Any = {name: text(getattr(message, name), f"{where}.{name}") for name in _EPISODE_TEXTS}
    values.update({name: at_least_zero(getattr(message, name), f"{where}.{name}") for name in _EPISODE_METRES})
    return Episode(
        start=read_pose(present(message, "start", where), f"{where}.start"),
        goal=read_pose(present(message, "goal", where), f"{where}.goal"),
        reference_actions=int(message.reference_actions),
        tags=read_texts(message.tags, f"{where}.tags"),
        **values,
    )


def _text_limit(name: str) -> int:
    return MAX_TEXT if name in _LONG else MAX_NAME


def write_manifest(manifest: ModelManifest, message: Any, where: str = "manifest") -> None:
    """Fill a ModelManifest message."""
    few(manifest.needs, f"{where}.needs", MAX_TAGS)
    for name in _MANIFEST_TEXTS:
        setattr(message, name, text(getattr(manifest, name), f"{where}.{name}", _text_limit(name)))
    for name in _MANIFEST_COUNTS:
        setattr(message, name, whole(getattr(manifest, name), f"{where}.{name}"))
    for name in _MANIFEST_FLAGS:
        setattr(message, name, bool(getattr(manifest, name)))
    message.guidance = finite(manifest.guidance, f"{where}.guidance")
    for name in ("source", "revision", "sha256"):
        setattr(message.checkpoint, name, text(getattr(manifest.checkpoint, name), f"{where}.checkpoint.{name}"))
    write_numbers(manifest.settings, message.settings, f"{where}.settings")
    message.needs.extend(text(need, f"{where}.needs") for need in manifest.needs)


def read_manifest(message: Any, where: str = "manifest") -> ModelManifest:
    """Return what a world model declares about itself."""
    values: Any = {n: text(getattr(message, n), f"{where}.{n}", _text_limit(n)) for n in _MANIFEST_TEXTS}
    values.update({name: int(getattr(message, name)) for name in _MANIFEST_COUNTS})
    values.update({name: bool(getattr(message, name)) for name in _MANIFEST_FLAGS})
    source = present(message, "checkpoint", where)
    checkpoint = Checkpoint(
        text(source.source, f"{where}.checkpoint.source"),
        text(source.revision, f"{where}.checkpoint.revision"),
        text(source.sha256, f"{where}.checkpoint.sha256"),
    )
    return ModelManifest(
        guidance=finite(message.guidance, f"{where}.guidance"),
        checkpoint=checkpoint,
        settings=read_numbers(message.settings, f"{where}.settings"),
        needs=read_texts(message.needs, f"{where}.needs"),
        **values,
    )
