"""Where compiled machine code is kept, and under which name: one rule for every process.

numba looks at a function's own file to see whether its machine code is stale. A kernel that another one calls, and a
constant of another module, are compiled in as well; so old code would run after they change. Here each folder is named
by a digest of *all* sources that its code stands on, with numba, llvmlite, Python, the CPU and numba's settings: other
sources, another folder.

The folder is ``NUMBA_CACHE_DIR``, else ``kernels`` in the user's cache; where that cannot be written, or has no room, a
private one in the temporary folder. Old folders are removed by a process that finds itself alone there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import uuid
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Iterator, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.code_files import SMALL, code_files
from harness.contracts.errors import Refusal
from harness.contracts.folders import user_cache
from harness.contracts.sources import digest_of_sources

CHOSEN = "NUMBA_CACHE_DIR"
SHIPPED = "WIW_KERNELS"
"""Variable of an image: the folder of machine code that it came with."""
KEPT = 128
"""Folders that survive cleaning, the last used first. A whole set of the project's kernels is about 15 of them."""
LEAST_FREE_BYTES = 64 << 20
_NAME = re.compile(r"[\w.]+-[0-9a-f]{16}")
_REMOVED = ".removed-"
_PLACES_ONLY = (CHOSEN, "NUMBA_NUM_THREADS", "NUMBA_DEBUG_CACHE", "NUMBA_CACHE_LOCATOR_CLASSES")
"""numba's variables that change no machine code."""

_in_use: List[IO[bytes]] = []
"""Open locks: this process uses the folders as long as it lives."""


def kernel_folder(file: Path, module: str, options: str = "") -> Optional[Path]:
    """Return the folder for the machine code of the functions of ``module``, whose source is ``file``.

    ``options`` says how they are compiled. None where nothing can be kept on this machine. The module's name counts:
    numba looks its functions' globals up by it.
    """
    base = kernels_base()
    if base is None or not file.is_file():
        return None
    return _taken(base, f"{module}-{_digest((file,), (), module, options)}")


def name_folder_of_service(files: Sequence[Path], folders: Sequence[Path]) -> None:
    """Set ``NUMBA_CACHE_DIR`` of this process for code of strangers, which calls numba itself.

    ``files`` are its entry points, ``folders`` are imported from. Every file in ``folders`` counts that is part of what
    the model is (`code_files`): what is imported by name could not be seen, and a constant may come from a data file.
    Call it before numba is imported; without numba it does nothing.
    """
    base = kernels_base()
    if base is None or importlib.util.find_spec("numba") is None:
        return
    try:
        found = [(path.relative_to(folder), path) for folder in folders for path in code_files(folder)]
        sources = sorted({*files, *(path for _, path in found if path.suffix == ".py")})
        data = sorted(f"{name} {_content(path)}" for name, path in found if path.suffix != ".py")
        digest = _digest(tuple(sources), tuple(folders), *data)
    except (Refusal, OSError):  # it cannot be known what the code is: compiled anew at each start
        digest = uuid.uuid4().hex[:16]
    os.environ[CHOSEN] = str(_taken(base, f"service-{digest}"))


def _content(path: Path) -> str:
    """Return what tells a data file from what it was: its hash, or of a very large one its inode, size and times."""
    status = path.stat()
    if status.st_size > SMALL:
        return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def kernels_base() -> Optional[Path]:
    """Return the folder of this process's kernel folders, the first of those it may use; None where there is none."""
    for place in _places():
        with contextlib.suppress(OSError):
            _open(place)
            return place
    return None


def _places() -> Iterator[Path]:
    chosen = os.environ.get(CHOSEN)
    with contextlib.suppress(RuntimeError):  # a user without a home
        yield Path(chosen).absolute() if chosen else user_cache() / "kernels"
    with contextlib.suppress(OSError):
        yield _private()


def _private() -> Path:
    """Return a folder of this user alone in the temporary folder: machine code of others must never be run."""
    place = Path(tempfile.gettempdir()) / f"wiw-kernels-{os.geteuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    status = place.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{place} is not this user's own")
    return place


def _open(place: Path) -> None:
    """Make sure that ``place`` can be used, clean it if nobody else uses it, and hold its lock from now on."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=place):
        pass
    if shutil.disk_usage(place).free < LEAST_FREE_BYTES:
        raise OSError(f"{place} has no room")
    lock = (place / "in-use").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _clean(place)
    except OSError:
        pass  # others use it, or the file system has no locks: nothing is removed
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_SH)
    _in_use.append(lock)


def _clean(place: Path) -> None:
    """Remove all but the `KEPT` folders that were used last, and what killed cleaners left."""
    folders: List[Tuple[int, Path]] = []
    for folder in place.iterdir():
        if folder.name.startswith(_REMOVED):
            shutil.rmtree(folder, ignore_errors=True)
        elif _NAME.fullmatch(folder.name) and folder.is_dir():
            folders.append((folder.stat().st_mtime_ns, folder))
    for _, folder in sorted(folders, reverse=True)[KEPT:]:
        gone = folder.with_name(_REMOVED + folder.name)
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _taken(base: Path, name: str) -> Path:
    """Return a folder of ``base``, marked as used now; the image's machine code is copied to it first, if it has any.

    A copy, since numba keeps only what it can add to.
    """
    folder = base / name
    shipped = Path(os.environ.get(SHIPPED, os.devnull)) / name
    if not folder.exists() and shipped.is_dir():
        copy = base / f"{_REMOVED}{uuid.uuid4().hex}"
        with contextlib.suppress(OSError):
            shutil.copytree(shipped, copy)
            copy.rename(folder)
    with contextlib.suppress(OSError):
        os.utime(folder)
    return folder


@cache
def _digest(files: Tuple[Path, ...], folders: Tuple[Path, ...], *also: str) -> str:
    return digest_of_sources(files, (*compiler(), *also), folders)[:16]


@cache
def compiler() -> Tuple[str, ...]:
    """Return what machine code depends on beside its sources, as texts."""
    made_by = [f"python {sys.version}", *(f"{name} {_version(name)}" for name in ("numba", "llvmlite", "numpy"))]
    return (*made_by, *settings(os.environ), *([] if _cpu_is_chosen(os.environ) else _this_cpu()))


def settings(variables: Mapping[str, str]) -> List[str]:
    """Return numba's settings, less those that change no machine code; the CPU's name and features are among them."""
    return sorted(f"{k}={v}" for k, v in variables.items() if k.startswith("NUMBA_") and k not in _PLACES_ONLY)


def _cpu_is_chosen(variables: Mapping[str, str]) -> bool:
    """Say whether the code is not for this CPU, but for one that is named with its features (``generic`` has none)."""
    name = variables.get("NUMBA_CPU_NAME", "")
    return bool(name) and (name == "generic" or "NUMBA_CPU_FEATURES" in variables)


def _this_cpu() -> Iterator[str]:
    """Yield the lines that describe the first CPU. Read from the kernel: asking LLVM would load 170 MB."""
    yield platform.machine()
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.strip():
                break
            if re.match(r"vendor_id|cpu family|model|stepping|flags|Features|CPU ", line):
                yield line.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
