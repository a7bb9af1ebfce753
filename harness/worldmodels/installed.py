"""Plugins that were installed as Python packages: entry points of the group ``wiw_bench.plugins``.

Each names a folder with ``plugin.toml`` (or with families): a path, a function that returns one, or a package that is
the folder. A stranger's package must not be able to stop the harness, so one that fails is named and left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

GROUP = "wiw_bench.plugins"


@dataclass(frozen=True)
class BrokenPlugin:
    """An installed plugin that cannot be used, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"installed plugin {self.name!r} is left out: {self.reason}"


@dataclass(frozen=True)
class Installed:
    """The folder that an entry point called ``name`` of a distribution names."""

    name: str
    folder: Path


def installed_plugins() -> tuple[tuple[Installed, ...], tuple[BrokenPlugin, ...]]:
    """Return the installed plugins and those that cannot be used, each sorted by name."""
    found: list[Installed] = []
    broken: list[BrokenPlugin] = []
    for point in _points(broken):
        label = point.name
        try:
            label = f"{point.name} ({point.dist.name})" if point.dist is not None else point.name
            found.append(Installed(label, _folder(point)))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's package may raise anything while it is imported
            broken.append(BrokenPlugin(label, reason_of(error)))
    return tuple(found), tuple(broken)


def reason_of(error: BaseException) -> str:
    """Return what an error of a stranger says, even where it cannot say it."""
    try:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    except Exception:
        return type(error).__name__


def _points(broken: list[BrokenPlugin]) -> list[EntryPoint]:
    """Return the entry points of the group, sorted; one package with a damaged list of its own is left out alone."""
    try:
        points = list(entry_points(group=GROUP))
    except Exception:
        points = []
        for package in distributions():
            try:
                points += [point for point in package.entry_points if point.group == GROUP]
            except Exception as error:
                broken.append(BrokenPlugin(str(getattr(package, "_path", "a package")), reason_of(error)))
    return sorted(points, key=lambda point: (point.name, point.value))


def _folder(point: EntryPoint) -> Path:
    named: Any = point.load()
    if isinstance(named, ModuleType):
        named = _package_folder(named)
    elif callable(named):
        named = named()
    if not isinstance(named, (str, os.PathLike)):
        raise TypeError(f"{point.value} is {type(named).__name__}; it must be a folder, or return one.")
    folder = Path(named)
    if not folder.is_absolute() or not folder.is_dir():
        raise FileNotFoundError(f"{point.value} names {folder}, which is no absolute path of a folder.")
    return folder


def _package_folder(package: ModuleType) -> str:
    paths = list(getattr(package, "__path__", ()))
    if len(paths) != 1:
        raise TypeError(f"{package.__name__} is no package with one folder.")
    return str(paths[0])
