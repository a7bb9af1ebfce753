"""Homes of the training split as they are played, each built once a test process."""

from __future__ import annotations

from functools import lru_cache

from images.embedded.homes import build_home
from images.embedded.homes.splits import home_seed
from images.embedded.mesh import Home


@lru_cache(maxsize=2)
def built_home(index: int = 7) -> Home:
    """Return training home ``index``."""
    return build_home(home_seed("train", index))
