"""One way to answer an unknown name: the nearest known one, or all of them."""

from __future__ import annotations

import difflib
from typing import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` where a known name is near (whatever its case), else the list of known names."""
    names = sorted(known)
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"Did you mean {by_lower[near[0]]!r}?" if near else f"Known: {', '.join(names)}."
