"""Other interpreters: how one starts a process of the checkout, and what it lacks to run a service.

What is missing is found out before anything starts, and said all at once.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.contracts import from_source
from harness.contracts.errors import Refusal
from harness.contracts.from_source import CHECKOUT

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Variables that say how many threads a numerical library uses."""


def module_command(python: str, module: str) -> list[str]:
    """Return the command that runs a module of the checkout from its sources, in place of ``python -m module``."""
    return [python, from_source.__file__, module]


def python_path() -> str:
    """Return the PYTHONPATH of such a process: the checkout, then the user's own.

    The user's folders are those that they are here, since the process starts in another folder.
    """
    own = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return os.pathsep.join(dict.fromkeys([str(CHECKOUT), *(str(Path(entry).absolute()) for entry in own)]))


OLDEST = (3, 9)
SERVICE = {
    "numpy": "numpy>=1.21",
    "grpc": "grpcio>=1.62",
    "google.protobuf": "protobuf>=4.25",
    "grpc_health": "grpcio-health-checking>=1.62",
}
"""What every service imports, and what to install for it."""

_PROBE = """
import json, sys
version = list(sys.version_info[:2])
if version < [3, 4]:
    print(json.dumps([version, []]))
    sys.exit()
from importlib.util import find_spec
def here(name):
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False
print(json.dumps([version, [name for name in sys.argv[1:] if not here(name)]]))
"""
_PROBE_S = 60.0


def check_interpreter(
    python: str,
    option: str,
    needed: Mapping[str, str],
    likely: Mapping[str, str] | None = None,
    path: tuple[str, ...] = (),
) -> None:
    """Raise Refusal unless ``python``, which ``option`` named, can import what a service and ``needed`` name.

    ``needed`` and ``likely`` map modules to what pip installs for them. What is only ``likely`` needed is no reason to
    refuse, but is named with the rest. ``path`` are folders that the service imports from as well.
    """
    likely = likely or {}
    wanted = {**SERVICE, **needed, **likely}
    version, missing = _ask(python, option, tuple(wanted), path)
    if version < OLDEST:
        raise Refusal(
            f"{option} {python} is Python {version[0]}.{version[1]}; services need {OLDEST[0]}.{OLDEST[1]} or later.",
            "Name a newer interpreter.",
        )
    if all(name in likely for name in missing):
        return
    packages = list(dict.fromkeys(wanted[name] for name in missing))
    paths = f" (PYTHONPATH={os.environ['PYTHONPATH']} was looked through)" if os.environ.get("PYTHONPATH") else ""
    raise Refusal(
        f"{option} {python} (Python {version[0]}.{version[1]}) lacks {', '.join(missing)}{paths}.",
        f"Install it all: {shlex.join([python, '-m', 'pip', 'install', *packages])}",
    )


def _ask(
    python: str, option: str, modules: tuple[str, ...], path: tuple[str, ...]
) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return the version of an interpreter and which of ``modules`` it cannot find; Refusal where it is none."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    variables["PYTHONPATH"] = os.pathsep.join([python_path(), *path])
    why = ""
    cause: Exception
    try:
        done = subprocess.run(
            [python, "-c", _PROBE, *modules],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PROBE_S,
            env=variables,
            cwd=Path(__file__).resolve().parents[2],
        )
        why = "".join(done.stderr.strip().splitlines()[-1:]) or f"it ends with {done.returncode} and does not answer"
        version, missing = json.loads(done.stdout.strip().splitlines()[-1])
        return (int(version[0]), int(version[1])), tuple(str(name) for name in missing)
    except subprocess.TimeoutExpired as error:
        why, cause = f"it does not answer within {_PROBE_S:g} s", error
    except (OSError, ValueError, IndexError, TypeError) as error:
        why, cause = why or str(error), error
    raise Refusal(
        f"{option} {python} does not work as a Python interpreter: {why.rstrip('.')}.",
        "Give the path of a Python of 3.9 or later.",
    ) from cause
