"""The images that the project declares: folders of ``images/`` with an ``image.toml`` and a ``Dockerfile`` each.

A folder is one image of its name, or, where its ``image.toml`` has profiles, one image a profile of one Dockerfile.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Literal, Mapping, Tuple

import tomllib
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.errors import Refusal
from harness.contracts.names import nearest

CHECKOUT = Path(__file__).resolve().parents[3]
FOLDER = CHECKOUT / "images"
IMAGE_FILE = "image.toml"
PREFIX = "wiw-bench/"
"""Namespace of the project's images, on every engine."""


@dataclass(frozen=True)
class Supply:
    """A file that the user brings because nobody else may: its name, its place in the build context, its licence.

    ``sha256`` is "" where its owner publishes no checksum; the user must then give the one to be expected.
    """

    name: str
    file: str
    licence: str
    source: str
    sha256: str = ""


@dataclass(frozen=True)
class DeclaredImage:
    """One image, as its ``image.toml`` says.

    ``folder`` is its folder of ``images/`` where that has another name, ``arguments`` are the build arguments of its
    profile. ``stage`` is the Dockerfile's target ("" for the last). ``ci_stage`` is one that needs no registry but PyPI
    and Debian. ``bases`` maps build arguments to references; one of the project's own has no tag, since it always has
    this version. ``context`` are the paths of the checkout that the build sees. ``never_built`` says why the project
    itself has never built it ("" if CI does). An image that is not ``redistributable`` must not be pushed.
    """

    name: str
    title: str
    summary: str
    kind: str
    licences: str
    context: Tuple[str, ...]
    bases: Mapping[str, str]
    folder: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    stage: str = ""
    ci_stage: str = ""
    disk_gb: float = 1.0
    never_built: str = ""
    redistributable: bool = True
    supplies: Tuple[Supply, ...] = field(default_factory=tuple)

    @property
    def reference(self) -> str:
        """Its name on the engine; the tag is the project's version."""
        return own_reference(f"{PREFIX}{self.name}")

    @property
    def dockerfile(self) -> str:
        """Its Dockerfile, as a path of the checkout."""
        return f"images/{self.folder or self.name}/Dockerfile"

    @property
    def parents(self) -> Tuple[str, ...]:
        """Names of the project's images that it is built on."""
        return tuple(base[len(PREFIX) :] for base in self.bases.values() if is_own(base))


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _SupplyTable(_Table):
    name: str = Field(pattern=r"^[a-z0-9]+$")
    file: str = Field(pattern=r"^[a-z0-9.]+$")
    licence: str = Field(min_length=1)
    source: str = Field(min_length=1)
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class _Profile(_Table):
    title: str = Field(min_length=1)
    summary: str = Field(min_length=1)
    arguments: Dict[str, str] = {}


class _ImageFile(_Table):
    title: str = ""
    summary: str = ""
    profiles: Dict[str, _Profile] = {}
    kind: Literal["environment", "base", "plugin"]
    licences: str = Field(min_length=1)
    context: List[str] = Field(min_length=1)
    bases: Dict[str, str] = Field(min_length=1)
    stage: str = ""
    ci_stage: str = ""
    disk_gb: float = Field(default=1.0, gt=0.0)
    never_built: str = ""
    redistributable: bool = True
    supplies: List[_SupplyTable] = []


@functools.cache
def project_version() -> str:
    """Return the project's version, which is the tag of its images."""
    project: Dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def is_own(reference: str) -> bool:
    """Say whether a base is an image of the project: in its namespace and without a tag."""
    return reference.startswith(PREFIX) and ":" not in reference


def own_reference(name: str) -> str:
    """Return the reference of one of the project's images in this version."""
    return f"{name}:{project_version()}"


def read_images(file: Path) -> Tuple[DeclaredImage, ...]:
    """Return the images that an ``image.toml`` declares; Refusal names the file and the field that is wrong."""
    try:
        table = _ImageFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        own = _Profile(title=table.title, summary=table.summary) if not table.profiles else None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(f"{file}: {where}: {first['msg']}.", "See harness/runtimes/images/declared.py.") from error
    except (OSError, ValueError) as error:
        raise Refusal(f"{file} cannot be read: {error}.", "Fix the file.") from error
    folder = file.parent.name
    profiles = table.profiles if own is None else {folder: own}
    shared = table.model_dump(exclude={"supplies", "context", "profiles", "title", "summary"})
    supplies = tuple(Supply(**supply.model_dump()) for supply in table.supplies)
    return tuple(
        DeclaredImage(
            name=name, folder=folder, context=tuple(table.context), supplies=supplies, **shared, **profile.model_dump()
        )
        for name, profile in profiles.items()
    )


def declared_images(folder: Path = FOLDER) -> Tuple[DeclaredImage, ...]:
    """Return every declared image, each after those it is built on."""
    files = sorted(folder.glob(f"*/{IMAGE_FILE}"))
    waiting = {image.name: image for file in files for image in read_images(file)}
    ordered: List[DeclaredImage] = []
    while waiting:
        ready = [name for name, image in waiting.items() if not any(parent in waiting for parent in image.parents)]
        if not ready:
            raise Refusal(f"the images {', '.join(waiting)} are built on each other.", "Fix their bases.")
        ordered += [waiting.pop(name) for name in ready]
    return tuple(ordered)


def find_image(name: str, folder: Path = FOLDER) -> DeclaredImage:
    """Return the image called ``name``; Refusal with the nearest names otherwise."""
    images = {image.name: image for image in declared_images(folder)}
    if name not in images:
        raise Refusal(f"no image {name!r} is declared.", nearest(name, sorted(images)))
    return images[name]
