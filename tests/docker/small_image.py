"""A small image for tests: the base image, this checkout's harness, and services that behave badly.

Libraries are copied from the interpreter that runs the tests, so that building it asks no registry and takes seconds.
Its tag is the hash of its content: it is built once, by whoever comes first, and again when the harness changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import io
import sys
import tarfile
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

ROOT = Path(__file__).resolve().parents[2]
BASE = "wiw-bench/debian:bookworm-python"
REPOSITORY = "wiw-test/services"
LIBRARIES = ("grpc", "grpc_health", "google", "numpy", "numpy.libs", "typing_extensions.py")
SOURCES = ("harness/__init__.py", "harness/contracts", "harness/wire", "tests/docker/services")

DOCKERFILE = f"""\
FROM {BASE}
COPY libraries /opt/libraries
COPY source /opt/source
ENV PYTHONPATH=/opt/source:/opt/source/tests/docker/services:/opt/libraries
RUN python3 -m compileall -q /opt/libraries /opt/source || true
LABEL wiw.test=1
ENTRYPOINT ["python3", "-m", "harness.wire.host", "--spec", "/run/wiw/spec.json"]
"""


def build(client: Any) -> str:
    """Return the tag of the small image, built if it is not there."""
    content = dict(_content())
    digest = hashlib.sha256(DOCKERFILE.encode() + str(client.images.get(BASE).id).encode())
    for name in sorted(content):
        digest.update(name.encode() + hashlib.sha256(content[name].read_bytes()).digest())
    tag = f"{REPOSITORY}:{digest.hexdigest()[:16]}"
    with (Path(tempfile.gettempdir()) / "wiw-test-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes build one image
        if not client.images.list(name=tag):
            client.images.build(fileobj=_context(content), custom_context=True, tag=tag, rm=True)
            _remove_others(client, tag)
    return tag


def _remove_others(client: Any, tag: str) -> None:
    """Remove what earlier versions of the harness left more than an hour ago; an image in use stays."""
    hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    for image in client.images.list(name=REPOSITORY):
        if image.attrs["Created"] > hour_ago.isoformat():  # both in UTC, largest unit first
            continue
        for old in image.tags:
            if old != tag:
                with suppress(Exception):  # in use, or removed by another process
                    client.images.remove(old)


def _content() -> Iterator[tuple[str, Path]]:
    site = Path(str(importlib.util.find_spec("numpy").origin)).parents[1]  # type: ignore[union-attr]
    for library in LIBRARIES:
        yield from _files(site / library, f"libraries/{library}")
    for source in SOURCES:
        yield from _files(ROOT / source, f"source/{source}")


def _files(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield name, path
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if file.is_file() and not {"__pycache__", "tests"} & set(relative.parts):
            yield f"{name}/{relative}", file


def _context(content: dict[str, Path]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        recipe = tarfile.TarInfo("Dockerfile")
        recipe.size = len(DOCKERFILE)
        archive.addfile(recipe, io.BytesIO(DOCKERFILE.encode()))
        for name, path in sorted(content.items()):
            archive.add(path, name)
    buffer.seek(0)
    return buffer


def python_of(client: Any) -> str:
    """Return the version of the base image's Python, as ``3.11``."""
    said = client.containers.run(BASE, ["python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                                 remove=True, network_mode="none")  # fmt: skip
    return str(said.decode().strip())


def fitting(client: Any) -> str:
    """Return why the small image cannot be built here, or ""."""
    if not client.images.list(name=BASE):
        return f"there is no image {BASE}: run tests/docker/make_base.sh"
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    there = python_of(client)
    return "" if here == there else f"{BASE} has Python {there}, and the tests run under {here}"
