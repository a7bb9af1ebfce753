"""The Docker engine: reached through its local socket, or refused with a sentence that says why; and whose things are.

Containers share a Unix socket with the harness through a mounted folder, so engine and harness must run on one kernel:
a remote engine, or one in a virtual machine (Docker Desktop), cannot work and is refused before anything starts.
Labels say whose everything is that the harness makes in an engine. The owner is a process: its id, its start time and
the machine's boot id, because ids are used again.
"""

from __future__ import annotations

import base64
import difflib
import importlib
import io
import json
import os
import sys
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.contracts.errors import Refusal, ServiceError
from harness.contracts.hosts import boot_id
from harness.runtimes.docker_keeper import EngineConnection
from harness.runtimes.sockets import process_start_time

OWNER = "wiw.owner"
RUN = "wiw.run"
SERVICE = "wiw.service"
SCOPE = "wiw.scope"


def owner_labels(run: str, service: str) -> dict[str, str]:
    """Return the labels of something made now by this process; ``run`` says for which run, ``service`` for what."""
    pid = os.getpid()
    owner = f"{pid}-{process_start_time(pid)}-{boot_id()}"
    return {OWNER: owner, RUN: run, SERVICE: service, SCOPE: scope()}


@lru_cache(maxsize=1)
def scope() -> str:
    """Return who can judge whether a process of ours lives: this user, in this process namespace.

    Process ids of another namespace mean nothing here, and another user's may be hidden: what carries another scope
    is left alone.
    """
    return f"{os.geteuid()}-{Path('/proc/self/ns/pid').stat().st_ino}"


def owner_lives(owner: str) -> bool:
    """Say whether the process of an owner label lives; a label that cannot be read counts as living."""
    pid, _, rest = owner.partition("-")
    start, _, boot = rest.partition("-")
    if not (pid.isdigit() and start.isdigit() and boot):
        return True
    return boot == boot_id() and process_start_time(int(pid)) == int(start)


DEFAULT_SOCKET = "/var/run/docker.sock"
MIN_VERSION = (20, 10)
TIMEOUT_S = 60.0
MAX_IMAGE_FILE_BYTES = 1024**2
_TAR_BYTES = 64 * 1024
"""What an archive's headers and padding may add."""

_OWN_IMAGES = "wiw-bench/"
_LOCAL = "unix://"
_NOT_REGULAR = 0x8F280000
"""The type bits of Go's file modes (folder, link, device, pipe, socket, ...), which the engine answers with."""


@dataclass(frozen=True)
class Engine:
    """A local engine: the SDK's client, the engine's Unix socket, its version, processor and number of CPUs."""

    client: Any
    socket: Path
    version: str
    architecture: str
    cores: int

    @property
    def errors(self) -> Any:
        """The SDK's exceptions; the SDK is imported only where an engine is used."""
        return importlib.import_module("docker.errors")


def connect() -> Engine:
    """Return the local engine; raise Refusal with the reason and the next step where it cannot be used."""
    if not sys.platform.startswith("linux"):
        raise Refusal(f"containers need Linux, and this is {sys.platform}.", "Use --runtime process here.")
    socket = local_socket(os.environ.get("DOCKER_HOST", ""))
    try:
        sdk = importlib.import_module("docker")
    except ImportError as error:
        raise Refusal("the Docker SDK for Python is not installed.", "Run: pip install -e '.[docker]'") from error
    check_reachable(socket)
    try:
        client = sdk.DockerClient(base_url=f"{_LOCAL}{socket}", version="auto", timeout=TIMEOUT_S)
        version, info = client.version(), client.info()
    except (sdk.errors.DockerException, OSError) as error:
        raise Refusal(
            f"the Docker engine behind {socket} does not answer: {error}.", "Look at: systemctl status docker"
        ) from error
    check_engine(version, info, os.uname().release)
    return Engine(client, socket, version["Version"], str(version.get("Arch", "")), int(info.get("NCPU") or 1))


def local_socket(docker_host: str) -> Path:
    """Return the engine's Unix socket for a value of DOCKER_HOST; a remote engine raises Refusal."""
    if not docker_host:
        return Path(DEFAULT_SOCKET)
    if not docker_host.startswith(_LOCAL):
        raise Refusal(
            f"DOCKER_HOST is {docker_host}, a remote engine; containers share a Unix socket with the harness.",
            "Unset DOCKER_HOST and start the harness on the machine that runs the engine.",
        )
    return Path(docker_host[len(_LOCAL) :])


def check_reachable(socket: Path) -> None:
    """Raise Refusal unless this user can connect to the engine's socket."""
    import socket as sockets

    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        probe.settimeout(5.0)
        try:
            probe.connect(str(socket))
        except PermissionError as error:
            raise Refusal(
                f"this user may not use the Docker engine ({socket}: permission denied).",
                "Run: sudo usermod -aG docker $USER, then log in again.",
            ) from error
        except OSError as error:
            raise Refusal(
                f"no Docker engine is reachable at {socket} ({error.strerror or error}).",
                "Install Docker Engine and start it: sudo systemctl start docker; or use --runtime process.",
            ) from error


def check_engine(version: dict[str, Any], info: dict[str, Any], kernel: str) -> None:
    """Raise Refusal for an engine that is too old, not on this kernel, remaps users or runs without seccomp.

    ``version`` and ``info`` are the engine's answers; ``kernel`` is the release of the kernel below the harness.
    """
    number = str(version.get("Version", ""))
    if version.get("Os", "linux") != "linux" or version.get("KernelVersion", kernel) != kernel:
        raise Refusal(
            f"the Docker engine runs on {version.get('Os')} {version.get('KernelVersion')}, the harness on Linux "
            f"{kernel}: it is in a virtual machine (Docker Desktop?) and cannot share a socket folder.",
            "Install Docker Engine itself on this machine, or use --runtime process.",
        )
    if version_number(number) < MIN_VERSION:
        least = ".".join(map(str, MIN_VERSION))
        raise Refusal(f"the Docker engine is version {number}.", f"Install {least} or newer.")
    options = [str(option) for option in info.get("SecurityOptions") or []]
    for mapped in ("rootless", "userns"):
        if any(option.startswith(f"name={mapped}") for option in options):
            raise Refusal(
                f"the Docker engine maps user ids ({mapped}); who owns a socket would not be who it seems.",
                "Use an engine without it, or --runtime process.",
            )
    seccomp = [option for option in options if option.startswith("name=seccomp")]
    if not seccomp or any("unconfined" in option for option in seccomp):
        raise Refusal(
            "the Docker engine runs containers without a seccomp profile.",
            "Remove seccomp-profile from /etc/docker/daemon.json (a kernel without seccomp cannot run plugins).",
        )


def version_number(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version such as ``20.10.24+dfsg1``; (0, 0) for what is none."""
    parts = text.split(".")[:2]
    return tuple(int(part) for part in parts) if len(parts) == 2 and all(part.isdigit() for part in parts) else (0, 0)


def image_id(engine: Engine, reference: str) -> str:
    """Return the id (``sha256:...``) of a local image; raise Refusal with the nearest name where there is none."""
    return str(_image(engine, reference).id)


def repo_digest(engine: Engine, reference: str) -> str:
    """Return the registry's digest of a local image (``name@sha256:...``); "" for one that was built here."""
    digests = _image(engine, reference).attrs.get("RepoDigests") or []
    return str(sorted(digests)[0]) if digests else ""


def check_image(engine: Engine, reference: str, identifier: str) -> None:
    """Raise Refusal for an image that cannot run in the sandbox; ``reference`` is its name in messages."""
    attributes = _image(engine, identifier).attrs
    volumes = sorted((attributes.get("Config") or {}).get("Volumes") or {})
    if volumes:
        raise Refusal(
            f"the image {reference} declares VOLUME {' '.join(volumes)}: a way to write to the host's disk.",
            "Remove VOLUME from its Dockerfile (and from its base image) and build it again.",
        )
    architecture = str(attributes.get("Architecture") or engine.architecture)
    if engine.architecture and architecture != engine.architecture:
        raise Refusal(
            f"the image {reference} is built for {architecture}, and this machine is {engine.architecture}.",
            f"Build or pull it for linux/{engine.architecture} (docker build --platform).",
        )


def read_image_file(engine: Engine, identifier: str, path: str, labels: dict[str, str] | None = None) -> bytes:
    """Return one regular file of an image, at most 1 MiB, without running any of the image's code.

    The engine copies it out of a container that is created and never started. A link, a folder or anything else but
    a regular file raises Refusal, as does a file that is absent.
    """
    container = engine.client.containers.create(
        identifier,
        command=["none"],
        labels={**owner_labels("", "image file"), **(labels or {})},
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        log_config={"type": "none"},
    )
    try:
        return _only_file(_archive(engine, str(container.id), path), path)
    finally:
        container.remove(force=True, v=True)


def _archive(engine: Engine, container: str, path: str) -> bytes:
    """Return the tar archive of one path in a container; too large, or not a regular file, raises Refusal.

    On a connection of its own, closed at once: the engine keeps a container locked while an archive is being read.
    """
    connection = EngineConnection(str(engine.socket))
    try:
        connection.request("GET", f"/containers/{container}/archive?path={quote(path, safe='')}")
        answer = connection.getresponse()
        if answer.status == HTTPStatus.NOT_FOUND:
            raise Refusal(f"the image has no {path}.", "Build it from wiw-bench/wm_base as the template shows.")
        if answer.status != HTTPStatus.OK:
            raise ServiceError(f"the engine did not read {path} of the image: {answer.reason}.", "Try again.")
        status = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
        if int(status["mode"]) & _NOT_REGULAR or status.get("linkTarget"):
            raise Refusal(f"{path} of the image is not a regular file.", "Copy the file itself to that place.")
        if int(status["size"]) > MAX_IMAGE_FILE_BYTES:
            raise Refusal(f"{path} of the image is larger than {MAX_IMAGE_FILE_BYTES} bytes.", "Make it smaller.")
        return answer.read(MAX_IMAGE_FILE_BYTES + _TAR_BYTES)
    except (OSError, HTTPException, ValueError, TypeError, KeyError) as error:
        raise ServiceError(f"the engine did not read {path} of the image: {error}.", "Try again.") from error
    finally:
        connection.close()


def _only_file(data: bytes, path: str) -> bytes:
    """Return the content of the one regular file in a tar archive."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            members = archive.getmembers()
            if len(members) != 1 or not members[0].isreg() or members[0].size > MAX_IMAGE_FILE_BYTES:
                raise Refusal(f"{path} of the image is not one regular file.", "Copy the file itself to that place.")
            content = archive.extractfile(members[0])
            return content.read() if content is not None else b""
    except tarfile.TarError as error:
        raise ServiceError(f"the engine sent a broken archive of {path}: {error}.", "Try again.") from error


def _image(engine: Engine, reference: str) -> Any:
    """Return a local image. ``NAME@sha256:...`` may name the digest of a registry, or the id that the image has here:
    one that was built on this machine has no other."""
    absent = (engine.errors.ImageNotFound, engine.errors.NullResource, engine.errors.APIError)
    try:
        return engine.client.images.get(reference)
    except absent as error:
        digest = reference.partition("@")[2]
        if digest.startswith("sha256:"):
            with suppress(*absent):
                return engine.client.images.get(digest)
        tags = [tag for image in engine.client.images.list() for tag in image.tags]
        raise Refusal(f"there is no image {reference!r} here.", missing_image_step(reference, tags)) from error


def missing_image_step(reference: str, tags: list[str]) -> str:
    """Return what to do about an absent image: the nearest local name, and how to get it."""
    name = reference.rpartition("/")[2].partition("@")[0].partition(":")[0]
    own = reference.startswith(_OWN_IMAGES) or "/" not in reference
    steps = [f"Build it: python benchmark.py images build {name}" if own else f"Get it: docker pull {reference}"]
    near = difflib.get_close_matches(reference, tags, n=1, cutoff=0.5)
    if near:
        steps.insert(0, f"Did you mean {near[0]}?")
    return " ".join(steps)
