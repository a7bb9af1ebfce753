"""A bounded folder of baked homes, so that a home is built once per machine.

Files are replaced atomically and carry a SHA-256, so that a crash, a full disk or two writers at once can
cost time but never give a wrong home: whatever does not verify is built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Callable, Optional, Union

from harness.contracts.errors import MachineError
from harness.contracts.sources import digest_of_sources
from images.embedded import homebytes, homes
from images.embedded.homebytes import HomeBytesError, decode_home, encode_home, home_digest
from images.embedded.homes import GENERATOR_VERSION, build_home
from images.embedded.homes.splits import parse_home
from images.embedded.mesh import Home

DEFAULT_MAX_BYTES = 4 * 1024**3
"""Room for about 200 homes."""
_DIGEST_BYTES = 32
_SUFFIX = ".home"


class CacheFolderError(MachineError):
    """The cache folder cannot be used: the user's to mend, so a run stops with it, counts nothing, and is resumed."""


class HomeCache:
    """Homes by name (``test-0007``), built on first use.

    Safe for any number of processes on one folder. ``max_bytes`` bounds the folder; the homes that were not
    used for longest go first.
    """

    def __init__(
        self,
        root: Union[str, Path],
        max_bytes: int = DEFAULT_MAX_BYTES,
        build: Callable[[int], Home] = build_home,
    ) -> None:
        self.root = Path(root)
        self.max_bytes = max_bytes
        self._build = build

    def path(self, name: str) -> Path:
        """Return the file of a home; its name carries the generator's version and the digest of its sources."""
        parse_home(name)
        return self.root / f"v{GENERATOR_VERSION}-{generator_digest()[:12]}-{name}{_SUFFIX}"

    def load(self, name: str) -> Home:
        """Return the home called ``name``, from the folder or freshly built."""
        _, seed = parse_home(name)
        self._prepare_root()
        path = self.path(name)
        home = self._read(path)
        if home is None:
            home = self._build(seed)
            self._write(path, encode_home(home))
            self._evict(keep=path)
        return home

    def _prepare_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> CacheFolderError:
        return CacheFolderError(
            f"cannot write the homes cache {self.root}: {error}.", "Set WIW_CACHE to a folder that you can write."
        )

    def _read(self, path: Path) -> Optional[Home]:
        """Return the stored home, or None (with a warning if the file is damaged)."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unwritable(error) from error
        stored, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != stored:
            _warn(f"home cache {path}: wrong checksum; building the home again and replacing the file")
            return None
        try:
            home = decode_home(body)
        except HomeBytesError as error:
            _warn(f"home cache {path}: {error}")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return home

    def _write(self, path: Path, body: bytes) -> None:
        """Write to a temporary file, force it to the disk, then rename it into place."""
        temporary = ""
        try:
            handle, temporary = tempfile.mkstemp(prefix=".partial-", dir=self.root)
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest())
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError as error:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            raise self._unwritable(error) from error

    def _evict(self, keep: Path) -> None:
        """Remove the least recently used homes (and leftovers of killed writers) beyond ``max_bytes``."""
        files = []
        for file in [*self.root.glob(f"*{_SUFFIX}"), *self.root.glob(".partial-*")]:
            with contextlib.suppress(OSError):
                status = file.stat()
                files.append((status.st_mtime_ns, file.name, status.st_size))
        total = 0
        for _, _, size in files:
            total += size
        for _, name, size in sorted(files):
            if total <= self.max_bytes:
                return
            if name != keep.name:
                with contextlib.suppress(OSError):
                    (self.root / name).unlink()
                    total -= size


@cache
def generator_digest() -> str:
    """Return the digest of all sources that a baked home depends on.

    The version is raised by hand, and only for homes that may be released; a home built before the last edit must not
    be taken for one of the code that runs.
    """
    return digest_of_sources([Path(homes.__file__), Path(homebytes.__file__)])


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


__all__ = ["CacheFolderError", "HomeCache", "home_digest"]
