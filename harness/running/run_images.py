"""The images of a run: found once when it is planned, and found to be the same when it is continued."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Mapping

from harness.contracts.errors import Refusal, SpecMismatch
from harness.records.identity import ImageRecord

PROCESS, DOCKER = "process", "docker"
"""The two runtimes, as ``--runtime`` names them."""

if TYPE_CHECKING:  # the engine's module is imported only where an engine is asked
    from harness.runtimes.docker_engine import Engine


def find_image(reference: str) -> ImageRecord:
    """Return the image that ``reference`` names on the local engine now; Refusal where there is no such image.

    Whatever starts later names the id found here, so that every worker of a run plays with the same bytes.
    """
    from harness.runtimes import docker_engine

    engine = _engine()
    image_id = docker_engine.image_id(engine, reference)
    return ImageRecord(reference, image_id, docker_engine.repo_digest(engine, image_id))


def own_image(name: str) -> str:
    """Return the reference of one of the project's images (its folder's name) in this version."""
    from harness.runtimes.images.declared import PREFIX, own_reference

    return own_reference(f"{PREFIX}{name}")


def image_with(path: str) -> str:
    """Return the name of the project's image that holds a path of the checkout; Refusal where none does."""
    from harness.runtimes.images.declared import declared_images

    for image in declared_images():
        if path in image.context and image.kind == "environment":
            return image.name
    raise Refusal(
        f"no image of the project holds {path}.",
        "Run it as a process (--runtime process), or build an image of your own and give it as --wm-image NAME.",
    )


def read_file(image: ImageRecord, path: str) -> bytes:
    """Return one file of an image, read without running anything in it; Refusal where it is not there."""
    from harness.runtimes import docker_engine

    return docker_engine.read_image_file(_engine(), image.id, path)


@functools.cache
def _engine() -> Engine:
    """Return the local engine, asked once for what a plan needs: connecting takes longer than any question."""
    from harness.runtimes import docker_engine

    return docker_engine.connect()


def check_images(began: Mapping[str, ImageRecord], now: Mapping[str, ImageRecord]) -> None:
    """Raise SpecMismatch unless each service runs in the image that the run ``began`` with, or in none as it did.

    Episodes from two versions of an image in one run would have no meaning, so it is refused, not continued.
    """
    for kind in sorted({*began, *now}):
        first, present = began.get(kind), now.get(kind)
        if (first and first.id) == (present and present.id):
            continue
        name = kind.replace("_", " ")
        if first is None or present is None:
            how = "in a container" if present is None else "as a process"
            raise SpecMismatch(
                f"the {name} of the run was started {how}, and now it would not be.",
                f"Continue it with --runtime {DOCKER if present is None else PROCESS}.",
            )
        raise SpecMismatch(
            f"image {present.reference} of the {name} is {present.id} now, but the run began with {first.id}.",
            f"Give the old image its name back (docker tag {first.id} {present.reference}), or start a new run.",
        )
