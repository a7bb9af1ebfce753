"""The image of the hostile plugin: the small image and the folder `probe_plugin`, as a stranger would submit it.

Beside its code it holds what a sandbox must not trust: a set-user-id program of root, and an image configuration that
asks for root.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.docker import small_image

FOLDER = Path(__file__).with_name("probe_plugin")
REPOSITORY = "wiw-test/probe"


def build(client: Any) -> str:
    """Return the tag of the hostile image, built if it is not there; its tag is the hash of its content."""
    base = small_image.build(client)
    recipe = (
        f"FROM {base}\n"
        "COPY plugin /plugin\n"
        "RUN cp /usr/bin/id /plugin/id_of_root && chmod 4755 /plugin/id_of_root && chmod -R a+rX /plugin\n"
        "ENV PYTHONPATH=/plugin:/opt/source:/opt/libraries\n"
        "LABEL wiw.test=1\n"
        "USER 0:0\n"
    )
    files = {f"plugin/tests/docker/probe_plugin/{file.name}": file for file in sorted(FOLDER.glob("*.py"))}
    files["plugin/plugin.toml"] = FOLDER / "plugin.toml"
    content = b"".join(name.encode() + b"\0" + file.read_bytes() for name, file in files.items())
    tag = f"{REPOSITORY}:{hashlib.sha256(recipe.encode() + content).hexdigest()[:16]}"
    with (Path(tempfile.gettempdir()) / "wiw-test-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not client.images.list(name=tag):
            client.images.build(fileobj=_context(recipe, files), custom_context=True, tag=tag, rm=True)
            for old in {old for image in client.images.list(name=REPOSITORY) for old in image.tags} - {tag}:
                with suppress(Exception):  # in use, or removed by another process
                    client.images.remove(old)
    return tag


def _context(recipe: str, files: dict[str, Path]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(recipe)
        archive.addfile(entry, io.BytesIO(recipe.encode()))
        for name, path in files.items():
            archive.add(path, name)
    buffer.seek(0)
    return buffer
