"""The packages that a world model needs in the Python that runs it: looked for before anything starts.

A family names them in its plugin.toml: ``packages``, and ``extra`` where one of the project's extras has them all. What
every service needs, whoever wrote it, is known here. What its code imports is read from its sources, without
running them.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

from harness.contracts.errors import Refusal
from harness.worldmodels.catalog import CatalogEntry
from harness.worldmodels.weights import Lack

OF_EVERY_SERVICE = {
    "numpy": "numpy",
    "google.protobuf": "protobuf",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
}
"""What the side of a service that talks to the harness imports, and what pip calls it."""

INSTALL_EXTRA = "pip install -c constraints.txt -e '.[{extra}]'"
PROBE_S = 60.0
_PROBE = """
import importlib.util, sys
def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
print("lacks", *(name for name in sys.argv[1:] if not found(name)))
"""


def package_lacks(entry: CatalogEntry, python: str = "") -> tuple[Lack, ...]:
    """Return what the interpreter ``python`` ("" is this one) lacks to run a model as a process; () where nothing."""
    missing = missing_packages(entry.packages, python)
    if not missing:
        return ()
    if python:
        step = f"{shlex.quote(python)} -m pip install {' '.join(missing)}"
    else:
        step = INSTALL_EXTRA.format(extra=entry.extra) if entry.extra else f"pip install {' '.join(missing)}"
    where = f" in {python}" if python else f" (the extra {entry.extra})" if entry.extra else ""
    several = "packages" if len(missing) > 1 else "package"
    what = f"the {several} {', '.join(missing)}{where}, which {entry.manifest.name} runs with"
    return (Lack(what, (step,), learnt=False, packages=True),)


def missing_packages(packages: Sequence[str], python: str = "") -> tuple[str, ...]:
    """Return which of ``packages``, and of those of every service, an interpreter lacks, as pip calls them."""
    if not python:
        return tuple(name for name in packages if not _is_here(name))
    return tuple(OF_EVERY_SERVICE.get(name, name) for name in _probed(python, (*OF_EVERY_SERVICE, *packages)))


def _is_here(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@functools.cache
def _probed(python: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of ``names`` that another interpreter cannot find; Refusal where it is none."""
    try:
        done = subprocess.run([python, "-c", _PROBE, *names], capture_output=True, text=True, timeout=PROBE_S)
        answer = done.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        answer, done = [str(error)], None
    if done is None or done.returncode != 0 or answer[:1] != ["lacks"]:
        said = " ".join(answer if done is None else (done.stderr or done.stdout).split())[-200:] or "nothing"
        raise Refusal(
            f"--wm-python {python} does not work as a Python interpreter: it says {said}.",
            "Give the path of a Python of 3.9 or later.",
        )
    return tuple(name for name in answer[1:] if name in names)


_KNOWN = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
"""What pip calls packages that are imported under another name, where they are not installed here to ask."""

_GUARDS = ("ImportError", "ModuleNotFoundError", "Exception")


@dataclass(frozen=True)
class Imports:
    """Top-level packages, with what pip installs for each.

    ``first`` are imported with the plugin's module, so that it fails without them; ``later`` by some function.
    """

    first: dict[str, str]
    later: dict[str, str]


def imports_of(module: str, folders: Sequence[Path]) -> Imports:
    """Return what the sources of ``module``, and those that it imports from ``folders``, import from elsewhere.

    An import that the code goes on without (``except ImportError``) is none. Sources that cannot be read are passed
    over: the service says more about them.
    """
    first: set[str] = set()
    later: set[str] = set()
    seen: set[Path] = set()
    waiting = [(module, True)]
    while waiting:
        name, at_once = waiting.pop()
        file = _source(name, folders)
        if file is None:
            (first if at_once else later).add(name.partition(".")[0])
        elif file not in seen:
            seen.add(file)
            waiting += [(found, at_once and top) for found, top in _imported(file, name)]
            waiting += [(found, at_once and top) for found, top in _members(file, name) if _source(found, folders)]
    outside = {name for name in first | later if name and name not in sys.stdlib_module_names}
    return Imports(_installed_as(outside & first), _installed_as(outside - first))


def _source(module: str, folders: Sequence[Path]) -> Path | None:
    parts = module.split(".")
    for folder in folders:
        for file in (folder.joinpath(*parts).with_suffix(".py"), folder.joinpath(*parts, "__init__.py")):
            if file.is_file():
                return file
        if folder.joinpath(*parts).is_dir():
            return folder.joinpath(*parts)  # a namespace: it is here, and holds no source itself
    return None


def _imported(file: Path, module: str) -> Iterator[tuple[str, bool]]:
    """Yield the modules that a source imports, and whether it does so as soon as it is imported itself."""
    for node, at_once in _statements(_tree(file), True):
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield _base(node, file, module), at_once


def _members(file: Path, module: str) -> Iterator[tuple[str, bool]]:
    """Yield what may be modules among the names that a source imports from others: ``b`` of ``from a import b``."""
    for node, at_once in _statements(_tree(file), True):
        if isinstance(node, ast.ImportFrom):
            base = _base(node, file, module)
            yield from ((f"{base}.{alias.name}", at_once) for alias in node.names if base)


def _tree(file: Path) -> list[ast.stmt]:
    try:
        return ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []


def _base(node: ast.ImportFrom, file: Path, module: str) -> str:
    """Return the module that a ``from`` import names, its dots resolved."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
    start = [base] if node.level and base else []
    return ".".join([*start, *([node.module] if node.module else [])])


def _statements(body: Sequence[ast.stmt], at_once: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield every statement that is certain to be reached with the module, or when a function is called."""
    for node in body:
        yield node, at_once
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _statements(node.body, False)
        elif isinstance(node, (ast.ClassDef, ast.With)):
            yield from _statements(node.body, at_once)
        elif isinstance(node, ast.If):
            if "TYPE_CHECKING" not in ast.dump(node.test):
                yield from _statements([*node.body, *node.orelse], False)
        elif isinstance(node, ast.Try) and not any(_guards(handler) for handler in node.handlers):
            yield from _statements([*node.body, *node.finalbody], at_once)


def _guards(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or any(name in ast.dump(handler.type) for name in _GUARDS)


def _installed_as(names: set[str]) -> dict[str, str]:
    """Return what pip installs for each package: what brought it here, else what is known, else its own name."""
    here = packages_distributions() if names else {}
    return {name: here.get(name, [_KNOWN.get(name, name)])[0] for name in sorted(names)}
