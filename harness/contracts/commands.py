"""The commands that messages tell a user to run, quoted for a shell: a path may have spaces in it."""

from __future__ import annotations

import os
import shlex
from typing import Union

FIRST_TASK = "ignav"
"""The task of examples, and of commands that are about one and are not told which."""


def command(*words: Union[str, os.PathLike[str]]) -> str:
    """Return ``python benchmark.py`` with ``words``, as a shell reads them."""
    return shlex.join(["python", "benchmark.py", *(os.fspath(word) for word in words)])
