"""Builds one declared image on the local engine, step by step, with its whole output in a log file."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal, ServiceError
from harness.runtimes.docker_engine import Engine
from harness.runtimes.images import arguments
from harness.runtimes.images.arguments import base_label
from harness.runtimes.images.context import SOURCE_LABEL, source_digest, write_context
from harness.runtimes.images.declared import PREFIX, DeclaredImage
from harness.runtimes.images.diagnosis import TAIL_LINES, explain
from harness.runtimes.images.user_files import Supplied, check_supplies, supply_arguments

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)")
_REDISTRIBUTABLE_LABEL = "wiw.redistributable"


@dataclass(frozen=True)
class BuildOptions:
    """How to build: other bases by build argument, another stage ("" for the image's own), without finished steps."""

    bases: Mapping[str, str] = field(default_factory=dict)
    stage: str = ""
    fresh: bool = False


@dataclass(frozen=True)
class BuildStep:
    """The step that runs now: ``number`` of ``total`` (0 before the first), and what it does."""

    number: int
    total: int
    text: str


@dataclass(frozen=True)
class BuiltImage:
    """What came out: its reference, id, size in bytes, how long it took, and where the log is."""

    reference: str
    id: str
    size_bytes: int
    seconds: float
    log: Path


def build_image(
    engine: Engine,
    image: DeclaredImage,
    options: BuildOptions,
    given: Mapping[str, Supplied],
    revision: str,
    log: Path,
    progress: Callable[[BuildStep], None],
) -> BuiltImage:
    """Build ``image`` and return it; a Refusal names what is missing, a ServiceError what went wrong.

    Everything that can be known before is checked first: consent, files, checksums, bases of the project, room.
    """
    started = time.monotonic()
    stage = options.stage or image.stage
    whole = not options.stage
    supplied = check_supplies(image, given) if whole else {}
    bases = arguments.base_references(image, options.bases)
    check_own_bases(engine, image, bases)
    check_room(image, Path(str(engine.client.info().get("DockerRootDir", "/"))))
    build_arguments = {
        **bases,
        **arguments.label_arguments(revision),
        **arguments.network_arguments(),
        **(supply_arguments(image, given) if whole else {}),
    }
    reference = image.reference if whole else f"{image.reference}-{options.stage}"
    labels = {
        SOURCE_LABEL: source_digest(image),
        _REDISTRIBUTABLE_LABEL: "yes" if image.redistributable else "no",
        **{base_label(argument): base for argument, base in bases.items()},
    }
    with tempfile.TemporaryFile() as context:
        write_context(image, supplied, context)
        context.seek(0)
        events = engine.client.api.build(
            fileobj=context,
            custom_context=True,
            dockerfile=image.dockerfile,
            tag=reference,
            target=stage or None,
            buildargs=build_arguments,
            labels=labels,
            network_mode="host",
            nocache=options.fresh,
            rm=True,
            forcerm=True,
            decode=True,
        )
        try:
            _follow(image, events, log, progress)
        except engine.errors.DockerException as error:
            raise explain(image.name, str(error), [], log) from error
    attributes = engine.client.images.get(reference).attrs
    return BuiltImage(reference, attributes["Id"], int(attributes["Size"]), time.monotonic() - started, log)


def check_own_bases(engine: Engine, image: DeclaredImage, bases: Mapping[str, str]) -> None:
    """Raise Refusal where a base that the project builds itself is not here: no registry has it."""
    for reference in bases.values():
        if not reference.startswith(PREFIX):
            continue
        try:
            engine.client.images.get(reference)
        except engine.errors.ImageNotFound as error:
            name = reference[len(PREFIX) :].partition(":")[0]
            raise Refusal(
                f"image {image.name} is built on {reference}, which is not here.",
                f"Build it first: python benchmark.py images build {name}",
            ) from error


def check_room(image: DeclaredImage, root: Path) -> None:
    """Raise Refusal where the engine's disk has less room than the build needs."""
    while not root.exists() and root != root.parent:
        root = root.parent
    free = shutil.disk_usage(root).free / 1e9
    if free < image.disk_gb:
        raise Refusal(
            f"building image {image.name} needs {image.disk_gb:g} GB, and {root} has {free:.1f} GB free.",
            "Free room there, or move the engine's data root.",
        )


def _follow(
    image: DeclaredImage, events: Iterable[Mapping[str, Any]], log: Path, progress: Callable[[BuildStep], None]
) -> None:
    """Write the engine's output to ``log`` and report each step; raise ServiceError when the engine gives up."""
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    step = BuildStep(0, 0, "sending the context")
    progress(step)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        for event in events:
            text = str(event.get("stream") or event.get("error") or event.get("status") or "")
            file.write(text if text.endswith("\n") or not text else f"{text}\n")
            file.flush()
            tail.extend(text.splitlines())
            if "error" in event:
                raise explain(image.name, str(event["error"]).strip(), list(tail), log)
            found = _STEP.match(text)
            if found:
                step = BuildStep(int(found.group(1)), int(found.group(2)), found.group(3).strip())
                progress(step)
    if not tail:
        raise ServiceError(f"the engine said nothing while it built image {image.name}.", f"Look at {log}.")
