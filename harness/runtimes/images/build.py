"""Builds one declared image on the local engine, step by step, with its whole output in a log file.

Build arguments are its bases, labels, and the host's way to package indexes and proxies. Proxies are arguments that the
engine knows and keeps out of an image's history. The settings of pip are declared in the first stages alone; nothing of
them is in the image that comes out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal, ServiceError
from harness.runtimes.docker_engine import Engine
from harness.runtimes.images.context import (
    SOURCE_LABEL,
    Supplied,
    check_supplies,
    source_digest,
    supply_arguments,
    write_context,
)
from harness.runtimes.images.declared import PREFIX, DeclaredImage, is_own, own_reference, project_version
from harness.wire.codec.messages import PROTOCOL_VERSION

TAIL_LINES = 60
"""How many of the log's last lines are searched: earlier ones may tell of a try that was repeated and went well."""


@dataclass(frozen=True)
class _Cause:
    pattern: str
    what: str
    next_step: str


_CAUSES = (
    _Cause(
        r"no space left on device|ENOSPC|disk quota exceeded",
        "the disk of the engine is full",
        "Free room in its folder (docker info shows Docker Root Dir), then build again: finished steps are kept.",
    ),
    _Cause(
        r"DO NOT MATCH THE HASHES|checksum mismatch|sha256sum: WARNING|FAILED open or read|computed checksum",
        "something that was downloaded or supplied is not what the lock names",
        "Do not use it. Try again; if it stays so, make the lock anew and look at what changed.",
    ),
    _Cause(
        r"pull access denied|manifest (for .* )?(unknown|not found)|repository does not exist",
        "the registry has no such base image, or wants a login",
        "Check the reference, log in (docker login), or give another base: --base ARG=REFERENCE.",
    ),
    _Cause(
        r"registry-1|/v2/|net/http: |toomanyrequests|x509: |error pulling image|Error response from daemon: Get ",
        "the registry of the base image cannot be reached",
        "Check the engine's network and proxy, or give a base that is here: --base ARG=REFERENCE.",
    ),
    _Cause(
        r"(conda|mamba).*(HTTP|connection|resolve|download)|anaconda|conda-forge.*(error|timeout)",
        "the conda channels cannot be reached",
        "Check the network and proxy (HTTPS_PROXY goes along), then build again.",
    ),
    _Cause(
        r"Could not find a version|No matching distribution|NewConnectionError|SSLError|SSLCertVerification|"
        r"ReadTimeoutError|Max retries exceeded",
        "the Python package index cannot be reached, or lacks a locked version",
        "Check the network, PIP_INDEX_URL and the certificates of the base image, then build again.",
    ),
    _Cause(
        r"Unable to fetch some archives|Failed to fetch|Temporary failure resolving|Unable to locate package",
        "the Debian mirror cannot be reached, or lacks a package",
        "Check the network and the base image's apt sources, then build again.",
    ),
    _Cause(
        r"unable to access 'https?://|Could not resolve host|fatal: (unable|couldn't|remote error)",
        "a source repository cannot be reached",
        "Check the network and proxy, then build again.",
    ),
    _Cause(
        r"returned a non-zero code: 137|exit code: 137|\bKilled\b",
        "a step was killed, most likely for memory",
        "Close other programs or use a machine with more memory.",
    ),
)


def explain(image: str, message: str, tail: Sequence[str], log: Path) -> ServiceError:
    """Return the error for a build that failed with the engine's ``message``; ``tail`` are the log's last lines."""
    text = "\n".join([*tail[-TAIL_LINES:], message])
    for cause in _CAUSES:
        if re.search(cause.pattern, text, flags=re.IGNORECASE):
            return ServiceError(
                f"image {image} was not built: {cause.what} ({message}).", f"{cause.next_step} Log: {log}"
            )
    return ServiceError(f"image {image} was not built: {message}.", f"Its log says more: {log}")


_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy")
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "default-timeout")


def base_references(image: DeclaredImage, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the reference of each base; ``chosen`` replaces some, and an unknown one raises Refusal."""
    unknown = sorted(set(chosen) - set(image.bases))
    if unknown:
        known = ", ".join(f"{name}={reference}" for name, reference in image.bases.items())
        raise Refusal(f"image {image.name} has no base {unknown[0]!r}.", f"It has: {known}")
    declared = {name: own_reference(base) if is_own(base) else base for name, base in image.bases.items()}
    return {**declared, **chosen}


def base_label(argument: str) -> str:
    """Return the label that holds the reference of the base that a build argument named."""
    return f"wiw.base.{argument.lower()}"


def label_arguments(revision: str) -> dict[str, str]:
    """Return the arguments that the version labels are made from."""
    return {"VERSION": project_version(), "REVISION": revision or "unknown"}


def network_arguments(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return proxies and pip settings of this machine, so that a build finds what the host finds.

    Folders of the host (``file://``) are left out: a build does not see them.
    """
    proxies = {name: value for name, value in environment.items() if name.lower() in _PROXIES and value}
    settings = {**pip_configuration(), **_pip_variables(environment)}
    pip = {f"PIP_{name.upper().replace('-', '_')}": _remote(value) for name, value in settings.items()}
    return {**proxies, **{name: value for name, value in pip.items() if value}}


def _pip_variables(environment: Mapping[str, str]) -> dict[str, str]:
    names = {name: f"PIP_{name.upper().replace('-', '_')}" for name in _PIP_SETTINGS}
    return {name: environment[variable] for name, variable in names.items() if environment.get(variable)}


def pip_configuration() -> dict[str, str]:
    """Return what pip's configuration files say about where packages come from; empty where there is no pip."""
    try:
        command = (sys.executable, "-m", "pip", "config", "list")
        listing = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_pip_configuration(listing)


def parse_pip_configuration(listing: str) -> dict[str, str]:
    """Return the settings of `pip config list` that matter to a build, by name."""
    found = re.findall(r"^(?:global|install)\.([a-z-]+)='(.*)'$", listing, flags=re.MULTILINE)
    return {name: value for name, value in found if name in _PIP_SETTINGS}


def _remote(value: str) -> str:
    return " ".join(part for part in value.split() if not part.startswith("file://") and not part.startswith("/"))


_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)")
_REDISTRIBUTABLE_LABEL = "wiw.redistributable"
PROTOCOL_LABEL = "wiw.protocol"
"""Holds the version of the wire that an image was built with; images that are built on it inherit it."""


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
    bases = base_references(image, options.bases)
    check_own_bases(engine, image, bases)
    check_room(image, Path(str(engine.client.info().get("DockerRootDir", "/"))))
    build_arguments = {
        **bases,
        **image.arguments,
        **label_arguments(revision),
        **network_arguments(),
        **(supply_arguments(image, given) if whole else {}),
    }
    reference = image.reference if whole else f"{image.reference}-{options.stage}"
    labels = {
        SOURCE_LABEL: source_digest(image),
        PROTOCOL_LABEL: str(PROTOCOL_VERSION),
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
