"""The commands that messages tell a user to run, quoted for a shell: a path may have spaces in it."""

from __future__ import annotations

import os
import shlex
from typing import Mapping, Union


def command(*words: Union[str, os.PathLike[str]]) -> str:
    """Return ``python benchmark.py`` with ``words``, as a shell reads them."""
    return shlex.join(["python", "benchmark.py", *(os.fspath(word) for word in words)])


def resume_command(run: Union[str, os.PathLike[str]], counts: Mapping[str, int]) -> str:
    """Return the command that plays what a run with these counts by state has left, its errors too where it has any."""
    broken = counts.get("error", 0) + counts.get("timeout", 0)
    return command("--resume", run, *(["--retry-errors"] if broken else []))
