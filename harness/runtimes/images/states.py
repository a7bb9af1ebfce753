"""Which declared images are here, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from harness.runtimes.docker_engine import Engine
from harness.runtimes.images.context import SOURCE_LABEL, source_digest
from harness.runtimes.images.declared import DeclaredImage
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
    labels = (attributes.get("Config") or {}).get("Labels") or {}
    current = labels.get(SOURCE_LABEL, "") == source_digest(image)
    note = "" if current else f"built from other sources: images build {image.name}"
    locked = "no"
    if image.reference in lock:
        locked = "yes" if lock[image.reference].id == attributes["Id"] else "differs"
    return ImageState(
        name=image.name,
        kind=image.kind,
        state=BUILT if current else OUTDATED,
        reference=image.reference,
        id=attributes["Id"],
        size_bytes=int(attributes["Size"]),
        locked=locked,
        note=note,
    )


def what_is_missing(image: DeclaredImage) -> str:
    """Return what a build of ``image`` needs that this project does not bring."""
    needs = [f"{supply.name} (--{supply.name} PATH, its licence and checksum)" for supply in image.supplies]
    parts = [f"needs {', '.join(needs)}"] if needs else []
    if image.never_built:
        parts.append(image.never_built)
    return "; ".join(parts) or f"images build {image.name}"
