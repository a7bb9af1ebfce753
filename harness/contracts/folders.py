"""Where the project keeps what it can make again: one rule, for the command line, the environment and its tools."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Return ``wiw-bench`` in the user's cache: ``XDG_CACHE_HOME``, or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wiw-bench"


def cache_root() -> Path:
    """Return the folder of baked homes: ``WIW_CACHE``, or ``homes`` in `user_cache`.

    An environment is always told its folder, since it may run in a container that sees another one.
    """
    named = os.environ.get("WIW_CACHE")
    return Path(named) if named else user_cache() / "homes"
