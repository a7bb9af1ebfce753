"""Gets an image from a registry, by digest alone."""

from __future__ import annotations

from collections.abc import Callable

from harness.contracts.errors import ServiceError
from harness.runtimes.docker_engine import Engine
from harness.runtimes.images.image_names import DigestReference


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
