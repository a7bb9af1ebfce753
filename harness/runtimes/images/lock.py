"""`images.lock` and states: what the images of a machine consist of, which are here, and why the others are not.

Locks of requirements say what a build may install; this file says what it did install, base images and Debian and
conda packages included. Two machines with equal files play with equal software.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

from harness.contracts.errors import Refusal, ServiceError
from harness.contracts.json_limits import parse_json
from harness.runtimes import docker_engine
from harness.runtimes.docker_engine import Engine, owner_labels
from harness.runtimes.images.build import base_label, base_references
from harness.runtimes.images.context import SOURCE_LABEL, source_digest
from harness.runtimes.images.declared import PREFIX, DeclaredImage, own_reference

LOCK_FILE = "images.lock"
FORMAT = 1

Packages = dict[str, dict[str, str]]
"""Version by package, by the manager that installed it: ``python``, ``debian``, ``conda``."""

_LIST_PACKAGES = """
import importlib.metadata, json, pathlib
debian = {}
status = pathlib.Path("/var/lib/dpkg/status")
for block in status.read_text(errors="replace").split("\\n\\n") if status.exists() else []:
    fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
    if fields.get("Status", "").endswith(" installed"):
        debian[fields["Package"]] = fields["Version"]
conda = {}
for file in pathlib.Path("/opt").glob("*/conda-meta/*.json"):
    record = json.loads(file.read_text())
    conda[record["name"]] = record["version"] + "=" + record["build"]
python = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions()}
print(json.dumps({"python": python, "debian": debian, "conda": conda}))
"""


@dataclass(frozen=True)
class LockedImage:
    """One image as it is here: ``bases`` maps each base's reference to its digest (or id, if no registry has it).

    ``repo_digest`` is "" for an image that was built here and never pushed; ``source`` is the digest of its context.
    """

    reference: str
    id: str
    repo_digest: str
    size_bytes: int
    source: str
    bases: dict[str, str] = field(default_factory=dict)
    packages: Packages = field(default_factory=dict)


def lock_image(engine: Engine, image: DeclaredImage) -> LockedImage:
    """Return what ``image`` consists of on this engine; Refusal if it is not here."""
    identifier = docker_engine.image_id(engine, image.reference)
    attributes = engine.client.images.get(identifier).attrs
    labels = (attributes.get("Config") or {}).get("Labels") or {}
    return LockedImage(
        reference=image.reference,
        id=identifier,
        repo_digest=docker_engine.repo_digest(engine, identifier),
        size_bytes=int(attributes["Size"]),
        source=labels.get(SOURCE_LABEL, ""),
        bases=_base_digests(engine, image, labels),
        packages=list_packages(engine, identifier),
    )


def _base_digests(engine: Engine, image: DeclaredImage, labels: dict[str, str]) -> dict[str, str]:
    found = {}
    for argument, declared in base_references(image, {}).items():
        reference = labels.get(base_label(argument), declared)
        try:
            attributes = engine.client.images.get(reference).attrs
        except engine.errors.ImageNotFound:
            found[reference] = ""  # the base was removed since; the image stands without it
            continue
        digests = sorted(attributes.get("RepoDigests") or [])
        found[reference] = digests[0] if digests else attributes["Id"]
    return found


def list_packages(engine: Engine, identifier: str) -> Packages:
    """Return the packages inside an image, listed by its own Python in a container without network."""
    try:
        output = engine.client.containers.run(
            identifier,
            entrypoint=["python", "-c"],
            command=[_LIST_PACKAGES],
            labels=owner_labels("", "image packages"),
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit="1g",
            pids_limit=64,
            remove=True,
        )
        found = json.loads(output)
    except (engine.errors.DockerException, ValueError) as error:
        raise ServiceError(
            f"the packages of {identifier} cannot be listed: {error}.", "Build the image again."
        ) from error
    return {manager: dict(sorted(packages.items())) for manager, packages in found.items() if packages}


def write_lock(path: Path, images: Iterable[LockedImage]) -> None:
    """Write ``images.lock``; images that it held already and that are not given stay in it."""
    kept = read_lock(path) if path.exists() else {}
    kept.update({image.reference: image for image in images})
    content = {"format": FORMAT, "images": [asdict(kept[reference]) for reference in sorted(kept)]}
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)


def read_lock(path: Path) -> dict[str, LockedImage]:
    """Return the locked images by reference; Refusal if the file is not a lock of this format."""
    try:
        content: Any = parse_json(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT}")
        images = [_locked(fields) for fields in content["images"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} is no lock of images: {error}.", "Make it anew: images lock") from error
    return {image.reference: image for image in images}


def _locked(fields: Any) -> LockedImage:
    image = LockedImage(**fields)
    texts = (image.reference, image.id, image.repo_digest, image.source)
    tables = (image.bases, image.packages, *image.packages.values()) if isinstance(image.packages, dict) else (None,)
    if not all(isinstance(text, str) for text in texts) or type(image.size_bytes) is not int:
        raise ValueError(f"an image is described as {str(fields)[:80]}")
    if not all(isinstance(table, dict) and all(isinstance(key, str) for key in table) for table in tables):
        raise ValueError(f"the packages or bases of {image.reference} are no tables")
    return image


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
