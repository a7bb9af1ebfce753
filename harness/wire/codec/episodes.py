"""Episodes and manifests: descriptions without images."""

from __future__ import annotations

from typing import Any, Dict

from harness.contracts.digest import canonical_json
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.json_limits import parse_json
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.wire.codec.basic_messages import read_pose, read_texts, write_pose
from harness.wire.codec.messages import present
from harness.wire.codec.settings import read_settings, write_settings
from harness.wire.limits import FIX_SENDER, MAX_NAME, MAX_PATH, MAX_TAGS, MAX_TEXT, few, finite, text, whole

_EPISODE_TEXTS = ("id", "task", "tier", "split", "scene", "home")
_LIMITS = {"card": MAX_TEXT, "description": MAX_TEXT, "weights": MAX_PATH}
_MANIFEST_NAMES = ("name", "family", "kind", "conditioning", "view", "entry_point", "image", "licence", "base")
_MANIFEST_TEXTS = (*_MANIFEST_NAMES, "dtype", "home_suite", "card", "description", "weights")
_MANIFEST_COUNTS = ("height", "width", "frames", "steps", "context_max", "max_batch")
_MANIFEST_FLAGS = ("every_frame", "deterministic")
_MANIFEST_NUMBERS = ("guidance", "fps", "download_gb")
_CHECKPOINTS = ("checkpoint", "base_checkpoint")
_CHECKPOINT_TEXTS = ("source", "revision", "sha256")


def write_episode(episode: Episode, message: Any, where: str = "episode") -> None:
    """Fill an Episode message."""
    few(episode.tags, f"{where}.tags", MAX_TAGS)
    for name in _EPISODE_TEXTS:
        setattr(message, name, text(getattr(episode, name), f"{where}.{name}"))
    write_pose(episode.start, message.start, f"{where}.start")
    message.payload = text(canonical_json(episode.payload).decode(), f"{where}.payload", MAX_TEXT)
    message.reference_actions = whole(episode.reference_actions, f"{where}.reference_actions")
    message.tags.extend(text(tag, f"{where}.tags") for tag in episode.tags)


def read_episode(message: Any, where: str = "episode") -> Episode:
    """Return an episode."""
    values: Any = {name: text(getattr(message, name), f"{where}.{name}") for name in _EPISODE_TEXTS}
    return Episode(
        start=read_pose(present(message, "start", where), f"{where}.start"),
        reference_actions=int(message.reference_actions),
        payload=_read_payload(message.payload, f"{where}.payload"),
        tags=read_texts(message.tags, f"{where}.tags"),
        **values,
    )


def _read_payload(found: str, where: str) -> Dict[str, Any]:
    try:
        payload = parse_json(text(found, where, MAX_TEXT) or "{}")
    except ValueError as error:
        raise Refusal(f"{where} is no JSON: {error}.", FIX_SENDER) from error
    if not isinstance(payload, dict):
        raise Refusal(f"{where} is {type(payload).__name__}, not an object.", FIX_SENDER)
    return payload


def _text_limit(name: str) -> int:
    return _LIMITS.get(name, MAX_NAME)


def _checkpoint_limit(name: str) -> int:
    return MAX_PATH if name == "source" else MAX_NAME


def _write_checkpoint(checkpoint: Checkpoint, message: Any, where: str) -> None:
    message.SetInParent()
    for name in _CHECKPOINT_TEXTS:
        setattr(message, name, text(getattr(checkpoint, name), f"{where}.{name}", _checkpoint_limit(name)))


def _read_checkpoint(message: Any, where: str) -> Checkpoint:
    values = (text(getattr(message, n), f"{where}.{n}", _checkpoint_limit(n)) for n in _CHECKPOINT_TEXTS)
    return Checkpoint(*values)


def write_manifest(manifest: ModelManifest, message: Any, where: str = "manifest") -> None:
    """Fill a ModelManifest message."""
    few(manifest.needs, f"{where}.needs", MAX_TAGS)
    for name in _MANIFEST_TEXTS:
        setattr(message, name, text(getattr(manifest, name), f"{where}.{name}", _text_limit(name)))
    for name in _MANIFEST_COUNTS:
        setattr(message, name, whole(getattr(manifest, name), f"{where}.{name}"))
    for name in _MANIFEST_FLAGS:
        setattr(message, name, bool(getattr(manifest, name)))
    for name in _MANIFEST_NUMBERS:
        setattr(message, name, finite(getattr(manifest, name), f"{where}.{name}"))
    for name in _CHECKPOINTS:
        _write_checkpoint(getattr(manifest, name), getattr(message, name), f"{where}.{name}")
    write_settings(manifest.settings, message.settings, f"{where}.settings")
    message.needs.extend(text(need, f"{where}.needs") for need in manifest.needs)


def read_manifest(message: Any, where: str = "manifest") -> ModelManifest:
    """Return what a world model declares about itself."""
    values: Any = {n: text(getattr(message, n), f"{where}.{n}", _text_limit(n)) for n in _MANIFEST_TEXTS}
    values.update({name: int(getattr(message, name)) for name in _MANIFEST_COUNTS})
    values.update({name: bool(getattr(message, name)) for name in _MANIFEST_FLAGS})
    values.update({name: finite(getattr(message, name), f"{where}.{name}") for name in _MANIFEST_NUMBERS})
    for name in _CHECKPOINTS:
        values[name] = _read_checkpoint(present(message, name, where), f"{where}.{name}")
    return ModelManifest(
        settings=read_settings(message.settings, f"{where}.settings"),
        needs=read_texts(message.needs, f"{where}.needs"),
        **values,
    )
