"""The packages that a world model needs in the Python that runs it: looked for before anything starts.

A family names them in its plugin.toml: ``packages``, and ``extra`` where one of the project's extras has them all. What
every service needs, whoever wrote it, is known here.
"""

from __future__ import annotations

import functools
import importlib.util
import shlex
import subprocess
from collections.abc import Sequence

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
