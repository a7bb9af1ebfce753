"""An interpreter that finds the double where RLBench and PyRep would be installed: what `--env-python` names in tests.

So the service, the environment and its imports are the real ones, in a process of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.images.rlbench import double

ROOT = Path(__file__).resolve().parents[3]


def double_python(folder: Path) -> Path:
    """Write packages `rlbench` and `pyrep` below ``folder``; return a program that is this Python with them."""
    packages = folder / "packages"
    for name, things in double.MODULES.items():
        path = packages / (name.replace(".", "/") + ".py")
        for parent in path.relative_to(packages).parents:
            (packages / parent).mkdir(parents=True, exist_ok=True)
            if parent != Path():
                (packages / parent / "__init__.py").touch()
        names = ", ".join(thing.__name__ for thing in things)
        path.write_text(f"from {double.__name__} import {names}\n")
    program = folder / "python"
    program.write_text(
        f'#!/bin/sh\nexport COPPELIASIM_ROOT="{folder}" PYTHONPATH="{packages}:{ROOT}"\nexec "{sys.executable}" "$@"\n'
    )
    program.chmod(0o755)
    return program
