"""Plugins that were installed as Python packages: entry points of the group ``wiw_bench.plugins``.

Each names a folder with ``plugin.toml`` (or with families): a path, a function that returns one, or a package that is
the folder. A stranger's package must not be able to stop the harness, so one that fails is named and left out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path

from harness.runtimes.exits import describe_exit
from harness.worldmodels import entry_point_process
from harness.worldmodels.entry_point_process import reason_of

GROUP = "wiw_bench.plugins"
PATIENCE_S = 20.0
"""How long an entry point may take to say its folder: libraries are imported meanwhile, on a busy machine."""


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
    """Return the installed plugins and those that cannot be used, each sorted by name.

    No code of theirs runs in this process. A package that is the folder is found without running any; what else an
    entry point names is asked of a process of its own, all at once, for `PATIENCE_S` seconds.
    """
    broken: list[BrokenPlugin] = []
    points = _points(broken)
    if not points:
        return (), tuple(broken)
    with ThreadPoolExecutor(len(points)) as threads:
        answers = list(threads.map(_asked, points))
    found = [answer for answer in answers if isinstance(answer, Installed)]
    return tuple(found), (*broken, *(answer for answer in answers if isinstance(answer, BrokenPlugin)))


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


class _NoFolderError(Exception):
    """An entry point that names no folder; the words are for people."""


def _asked(point: EntryPoint) -> Installed | BrokenPlugin:
    """Return the folder that an entry point names, or why it names none."""
    label = point.name
    try:
        label = f"{point.name} ({point.dist.name})" if point.dist is not None else point.name
        return Installed(label, _folder(point))
    except _NoFolderError as error:
        return BrokenPlugin(label, str(error))
    except Exception as error:  # its metadata may be anything
        return BrokenPlugin(label, reason_of(error))


def _folder(point: EntryPoint) -> Path:
    folder = Path(_package_folder(point) or _folder_by_process(point.value))
    if not folder.is_absolute() or not folder.is_dir():
        raise FileNotFoundError(f"{point.value} names {folder}, which is no absolute path of a folder.")
    return folder


def _package_folder(point: EntryPoint) -> str:
    """Return the folder of the package that an entry point names, "" where it names something else.

    Only looked for: importing a package runs it, and those that it lies in.
    """
    if point.attr:
        return ""
    places: list[str] | None = None
    for depth in range(1, point.module.count(".") + 2):
        spec = PathFinder.find_spec(".".join(point.module.split(".")[:depth]), places)
        if spec is None or spec.submodule_search_locations is None:
            return ""
        places = list(spec.submodule_search_locations)
    return places[0] if places and len(places) == 1 else ""


def _folder_by_process(value: str) -> str:
    """Return the folder that an entry point names, asked of a process that may hang or end as it likes."""
    process = subprocess.Popen(
        [sys.executable, entry_point_process.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        encoding="utf-8",
    )
    try:
        said, _ = process.communicate(json.dumps({"path": sys.path, "value": value}), PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise _NoFolderError(f"importing {value} takes more than {PATIENCE_S:g} s") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it started
        process.wait()
    if not said:
        raise _NoFolderError(f"importing {value} ends the process ({describe_exit(process.returncode)[0]})")
    answer = json.loads(said)
    if "error" in answer:
        raise _NoFolderError(str(answer["error"]))
    return str(answer["folder"])
