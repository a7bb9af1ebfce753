"""Which declared images are here, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from harness.runtimes.docker_engine import Engine
from harness.runtimes.images.context import SOURCE_LABEL, source_digest
from harness.runtimes.images.declared import PREFIX, DeclaredImage, own_reference
from harness.runtimes.images.lock import LockedImage

BUILT, OUTDATED, ABSENT, NEVER_BUILT, UNKNOWN = "built", "outdated", "not built", "never built here", "engine absent"


@dataclass(frozen=True)
class ImageState:
    """One declared image on this engine.

    ``state`` is one of the constants above: `OUTDATED` was built from other sources than the checkout's, `NEVER_BUILT`
    is not here and was never built by the project. ``locked`` is ``yes``, ``no`` or ``differs``. ``note`` says what
    is missing.
    """

    name: str
    kind: str
    state: str
    reference: str
    id: str = ""
    size_bytes: int = 0
    locked: str = "no"
    note: str = ""


def image_state(engine: Optional[Engine], image: DeclaredImage, lock: Mapping[str, LockedImage]) -> ImageState:
    """Return the state of ``image``; without an engine only what is declared can be told."""
    if engine is None:
        return ImageState(image.name, image.kind, UNKNOWN, image.reference, note=what_is_missing(image))
    try:
        attributes = engine.client.images.get(image.reference).attrs
    except engine.errors.ImageNotFound:
        state = NEVER_BUILT if image.never_built else ABSENT
        return ImageState(image.name, image.kind, state, image.reference, note=what_is_missing(image))
    why = _why_outdated(engine, image, attributes)
    note = f"{why}: images build {image.name}" if why else ""
    locked = "no"
    if image.reference in lock:
        locked = "yes" if lock[image.reference].id == attributes["Id"] else "differs"
    return ImageState(
        name=image.name,
        kind=image.kind,
        state=OUTDATED if why else BUILT,
        reference=image.reference,
        id=attributes["Id"],
        size_bytes=int(attributes["Size"]),
        locked=locked,
        note=note,
    )


def _why_outdated(engine: Engine, image: DeclaredImage, attributes: Mapping[str, Any]) -> str:
    """Return which of the things that an image was built from has changed since: its sources, its base, or ""."""
    labels = (attributes.get("Config") or {}).get("Labels") or {}
    if labels.get(SOURCE_LABEL, "") != source_digest(image):
        return "built from other sources"
    layers = attributes["RootFS"]["Layers"]
    for parent in image.parents:
        reference = own_reference(f"{PREFIX}{parent}")
        try:
            below = engine.client.images.get(reference).attrs["RootFS"]["Layers"]
        except engine.errors.ImageNotFound:
            continue  # the base was removed since; the image stands without it
        if layers[: len(below)] != below:
            return f"built on another {reference}"
    return ""


def what_is_missing(image: DeclaredImage) -> str:
    """Return what a build of ``image`` needs that this project does not bring."""
    needs = [f"{supply.name} (--{supply.name} PATH, its licence and checksum)" for supply in image.supplies]
    parts = [f"needs {', '.join(needs)}"] if needs else []
    if image.never_built:
        parts.append(image.never_built)
    return "; ".join(parts) or f"images build {image.name}"
