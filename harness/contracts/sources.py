"""Which source files some code stands on, and one digest of them all.

What is kept of code (machine code, baked homes) is stale as soon as *any* file changed that it was made by. So it is
kept under a digest of all of them: the files themselves and what they import, directly or not, wherever that is
somebody's source. Packages that are installed count by their version.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import sysconfig
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that the project is imported from: of a checkout, or of an image."""

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_INSTALLS_INTO = ("site-packages", "dist-packages")
"""Names of folders of installed packages, wherever they are: those of another prefix come through ``PYTHONPATH``."""
_STANDARD: FrozenSet[str] = getattr(sys, "stdlib_module_names", frozenset(sys.builtin_module_names))

_COMMENT = re.compile(rb"#[^\n]*")
_IMPORT = re.compile(
    rb"(?:^|[:;])[ \t]*(?:from[ \t]+(\.*)[ \t]*([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n;]*)|import[ \t]+([^\n;]+))",
    re.MULTILINE,
)


def digest_of_sources(files: Iterable[Path], also: Sequence[str] = (), folders: Sequence[Path] = ()) -> str:
    """Return the SHA-256 of ``files``, of all source files that they import, and of the texts of ``also``.

    Imports are read, not executed: those inside functions count, those by name (``importlib``) do not. Where a file
    lies is no part of it, so equal code in two places has one digest. ``folders`` are imported from before those of
    ``sys.path``. Raises OSError where a file cannot be read.
    """
    found, outside = closure(files, folders)
    parts = [f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for name, path in found]
    parts += [f"{name} {_version(name)}" for name in outside]
    return hashlib.sha256("\n".join([*sorted(parts), *also]).encode()).hexdigest()


def closure(files: Iterable[Path], folders: Sequence[Path] = ()) -> Tuple[List[Tuple[str, Path]], List[str]]:
    """Return ``files`` with all source files that they import, as (name below where it is imported from, path), and
    the names of the packages that are not source. A file that is no text of Python imports nothing.

    ``folders`` are imported from before those of ``sys.path``.
    """
    found, outside = _closure(files, folders)
    return sorted((name, path) for path, (name, _) in found.items()), sorted(outside - _STANDARD)


def imported_from(places: Iterable[Path], files: Iterable[Path], folders: Sequence[Path]) -> List[Tuple[str, Path]]:
    """Return those of the `closure` of ``files`` that are found in one of ``places``, as (name below it, path)."""
    found, _ = _closure(files, folders)
    wanted = {place.resolve() for place in places}
    return sorted((name, path) for path, (name, root) in found.items() if root.resolve() in wanted)


_Hit = Tuple[Path, Path, str]
"""A source file, links followed; the folder that it is imported from; and its name below that."""


def _closure(files: Iterable[Path], folders: Sequence[Path]) -> Tuple[Dict[Path, Tuple[str, Path]], Set[str]]:
    """Return (name, folder that it is imported from) of each file of a closure, and the packages that are no source."""
    searched = _Searched([*folders, *_search_path()])
    found: Dict[Path, Tuple[str, Path]] = {}
    outside: Set[str] = set()
    waiting = [_hit(path, import_root(path)) for path in (file.resolve() for file in files)]
    while waiting:
        path, root, name = waiting.pop()
        if path in found:
            continue
        found[path] = (name, root)
        for module in _imports(path, *_stamp(path)):
            hits = searched.files(root, module)
            if hits is None:
                outside.add(module.partition(".")[0])
            else:
                waiting += hits
    return found, outside


def _hit(file: Path, place: Path) -> _Hit:
    return file.resolve(), place, file.relative_to(place).as_posix()


class _Searched:
    """Finds modules in folders, each module once."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = places
        self._known: Dict[Tuple[Path, str], Optional[List[_Hit]]] = {}

    def files(self, root: Path, module: str) -> Optional[List[_Hit]]:
        """Return the files of a module and of the packages that it lies in; None where no folder has it.

        ``root`` is where the file that imports it was found; it is looked into first.
        """
        key = (root, module)
        if key not in self._known:
            hits = ([_hit(file, place) for file in _files(place, module)] for place in (root, *self._places))
            self._known[key] = next((found for found in hits if found), None)
        return self._known[key]


def import_root(path: Path) -> Path:
    """Return the folder that a file is imported from: where its topmost package lies."""
    folder = path.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _search_path() -> List[Path]:
    """Return the folders that Python imports from, less those of installed packages."""
    places = [CHECKOUT]
    for entry in sys.path:
        folder = Path(entry or os.curdir).resolve()
        if folder.is_dir() and not _is_installed(folder) and folder not in places:
            places.append(folder)
    return places


def _is_installed(folder: Path) -> bool:
    return folder.name in _INSTALLS_INTO or str(folder).startswith(_INSTALLED)


def _files(place: Path, module: str) -> Iterator[Path]:
    """Yield the files of a dotted module in ``place``: its own, and those of the packages that it lies in.

    Every start of a service asks for thousands of files, most of which are not there: paths are made of those that are.
    """
    folder = str(place)
    for part in module.split("."):
        folder = f"{folder}{os.sep}{part}"
        for file in (f"{folder}.py", f"{folder}{os.sep}__init__.py"):
            if os.path.isfile(file):  # noqa: PTH113
                yield Path(file)


def _stamp(path: Path) -> Tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4096)
def _imports(path: Path, time_ns: int, size: int) -> Tuple[str, ...]:
    """Return the dotted names that a file imports. Read by pattern: parsing would take ten times as long."""
    text = _COMMENT.sub(b"", path.read_bytes()).replace(b"\\\n", b" ")
    names: Dict[str, None] = {}
    for dots, module, parts, modules in _IMPORT.findall(text):
        if modules:
            names.update(dict.fromkeys(part.split()[0] for part in modules.decode().split(",") if part.strip()))
            continue
        package = _package(path, len(dots)) if dots else ""
        base = ".".join(filter(None, (package, module.decode())))
        # What is imported may be a module itself; where it is not, its package alone is found.
        inner = [part.split()[0] for part in parts.decode().strip("()").split(",") if part.strip()]
        names.update(dict.fromkeys([base, *(f"{base}.{name}" for name in inner if base)]))
        names.update(dict.fromkeys(name for name in inner if not base))
    return tuple(name for name in names if name)


def _package(path: Path, dots: int) -> str:
    """Return the dotted package that ``dots`` before a name mean in a file."""
    parts = path.relative_to(import_root(path)).parts[:-dots]
    return ".".join(parts)


def _version(name: str) -> str:
    try:
        return version(name)
    except (PackageNotFoundError, ValueError):
        return ""
