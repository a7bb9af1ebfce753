"""What data a checkpoint was trained on: one hash of a data set, and every file that is read compared with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from harness.collecting.dataset_writer import CHECKSUMS
from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.worldmodels.digests import Progress, hash_files, quiet


class Checksums:
    """The SHA-256 of each file of a data set by its path; ``sha256`` stands for all of them."""

    def __init__(self, folder: Path, listed: dict[str, str], sha256: str) -> None:
        self._folder = folder
        self._listed = listed
        self.sha256 = sha256

    @classmethod
    def stated(cls, folder: Path) -> Checksums:
        """Return what the data set's own list says, whose hash is the data set's; Refusal where it has none."""
        try:
            content = (folder / CHECKSUMS).read_bytes()
        except OSError as error:
            raise Refusal(
                f"{folder} is not complete: it has no {CHECKSUMS}.", "Run the same collect command to go on."
            ) from error
        lines = (line.partition("  ") for line in content.decode("utf-8", "replace").splitlines())
        return cls(folder, {name: sha256 for sha256, _, name in lines if name}, hashlib.sha256(content).hexdigest())

    @classmethod
    def computed(cls, folder: Path, files: Sequence[Path], progress: Progress = quiet) -> Checksums:
        """Return the hashes of ``files``, which are below ``folder``, as they are now."""
        hashes = {str(file.relative_to(folder)): sha256 for file, sha256 in hash_files(files, progress).items()}
        return cls(folder, hashes, digest(hashes))

    def read(self, path: str) -> bytes:
        """Return the bytes of the file ``path`` below the data set; Refusal where they are gone or others."""
        try:
            content = (self._folder / path).read_bytes()
        except OSError as error:
            raise Refusal(f"{self._folder / path} cannot be read ({error.strerror}).", CHECK) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self._listed.get(path):
            raise Refusal(f"{self._folder / path} is not the file that its data set lists (SHA-256 {found}).", CHECK)
        return content


CHECK = "Check the data: python benchmark.py collect --check FOLDER."
