"""Gets an image from a registry, by digest alone: what proves bytes, and what is only a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.contracts.errors import Refusal, ServiceError
from harness.runtimes.docker_engine import Engine

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9]+([._/:-]+[a-z0-9]+)*", re.IGNORECASE)


@dataclass(frozen=True)
class DigestReference:
    """An image of a registry by its digest: these bytes and no others."""

    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}"


def require_digest(reference: str) -> DigestReference:
    """Return the parts of ``NAME@sha256:...``; a mere tag raises Refusal, because its owner can move it any day."""
    name, separator, digest = reference.partition("@")
    if not separator:
        raise Refusal(
            f"{reference} is a tag: it can name other bytes tomorrow, so a result could not be traced to it.",
            "Give the digest: NAME@sha256:... (docker buildx imagetools inspect NAME shows it).",
        )
    if not _DIGEST.fullmatch(digest) or not _NAME.fullmatch(name):
        raise Refusal(f"{reference} is no image reference with a digest.", "Write NAME@sha256: and 64 hex digits.")
    return DigestReference(_without_tag(name), digest)


def _without_tag(name: str) -> str:
    """Return the name without its tag; the colon of a registry's port is no tag."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def pull_image(engine: Engine, reference: DigestReference, progress: Callable[[str], None]) -> str:
    """Pull and return the image's id; ServiceError says what the registry or the engine answered.

    The engine compares what it received with the digest. ``progress`` gets the engine's status lines, each layer's
    first and last.
    """
    seen: set[str] = set()
    try:
        for event in engine.client.api.pull(reference.name, tag=reference.digest, stream=True, decode=True):
            if "error" in event:
                raise _failed(reference, str(event["error"]))
            line = f"{event.get('id', '')} {event.get('status', '')}".strip()
            if line and line not in seen:
                seen.add(line)
                progress(line)
        return str(engine.client.images.get(str(reference)).id)
    except engine.errors.DockerException as error:
        raise _failed(reference, str(error)) from error


def _failed(reference: DigestReference, message: str) -> ServiceError:
    if "no space left" in message:
        return ServiceError(f"{reference} was not pulled: the engine's disk is full.", "Free room and pull again.")
    return ServiceError(
        f"{reference} was not pulled: {message.strip()}.",
        "Check the name, the login (docker login) and the network of the engine.",
    )
