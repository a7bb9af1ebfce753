"""`images.lock`: what the images of a machine consist of, down to digests and package versions.

Locks of requirements say what a build may install; this file says what it did install, base images and Debian and
conda packages included. Two machines with equal files play with equal software.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal, ServiceError
from harness.contracts.json_limits import parse_json
from harness.runtimes import docker_engine
from harness.runtimes.docker_engine import Engine
from harness.runtimes.docker_labels import owner_labels
from harness.runtimes.images.arguments import base_label, base_references
from harness.runtimes.images.context import SOURCE_LABEL
from harness.runtimes.images.declared import DeclaredImage

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
