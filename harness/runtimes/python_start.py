"""How a process of the checkout is started under any interpreter: its command and what it may import."""

from __future__ import annotations

import os
from pathlib import Path

from harness.contracts import from_source
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
