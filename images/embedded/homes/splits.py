"""Which seeds belong to which split, and the names of homes.

Ranges are disjoint by construction (each split owns a block of ten million seeds), so a test home can
never be met in training or tuning. The splits ``ood-validation`` and ``ood-test`` are homes of another distribution
(``homes.ood``); it has no split to train on.
"""

from __future__ import annotations

import difflib
import re
from typing import Tuple

from harness.contracts.errors import Refusal
from harness.contracts.names import nearest

_BLOCK = 10_000_000
OOD = "ood-"
"""Begins the splits of the other distribution."""
_SPLITS = {"train": 1, "validation": 2, "test": 3, "ood-validation": 5, "ood-test": 6}
SPLIT_SIZES = {"train": 10_000, "validation": 1_000, "test": 1_000, "ood-validation": 1_000, "ood-test": 1_000}
"""How many homes a split offers; episodes may use fewer."""

_NAME = re.compile(rf"({'|'.join(_SPLITS)})-(\d{{4}})")


class UnknownHomeError(Refusal):
    """A home, split or index that does not exist."""


def home_seed(split: str, index: int) -> int:
    """Return the seed of home ``index`` of a split (a key of ``SPLIT_SIZES``)."""
    if split not in _SPLITS:
        raise UnknownHomeError(f"there is no split {split!r} of homes.", nearest(split, _SPLITS))
    if not 0 <= index < SPLIT_SIZES[split]:
        raise UnknownHomeError(f"there is no home {index} of split {split!r}.", f"Use 0 to {SPLIT_SIZES[split] - 1}.")
    return _SPLITS[split] * _BLOCK + index


def is_ood(seed: int) -> bool:
    """Say whether a seed belongs to a split of the other distribution."""
    return seed // _BLOCK in {block for split, block in _SPLITS.items() if split.startswith(OOD)}


def home_name(split: str, index: int) -> str:
    """Return the name of home ``index`` of a split, such as ``test-0007``."""
    home_seed(split, index)
    return f"{split}-{index:04d}"


def parse_home(name: str) -> Tuple[str, int]:
    """Return (split, seed) of a home's name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise UnknownHomeError(f"there is no home {name!r}.", _nearest_home(name))
    split, index = match.group(1), int(match.group(2))
    return split, home_seed(split, index)


def _nearest_home(name: str) -> str:
    """Return the nearest home with the same number, else the names that homes have."""
    digits = re.search(r"[0-9]*$", name.strip())
    index = int(digits.group()[:9] or 0) if digits else 0
    known = [home_name(split, index) for split, size in SPLIT_SIZES.items() if index < size]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Names are {', '.join(f'{split}-0000 to {split}-{size - 1:04d}' for split, size in SPLIT_SIZES.items())}."
