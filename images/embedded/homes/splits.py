"""Which seeds belong to which split, and the names of homes.

Ranges are disjoint by construction (each split owns a block of ten million seeds), so a test home can
never be met in training or tuning. The splits ``ood-validation`` and ``ood-test`` are homes of another distribution
(``homes.ood``); it has no split to train on.

A split ``fresh-<16 hex digits>`` (``ood-fresh-…``) has the homes that these digits give: they do not exist before
somebody names them. Their seeds lie beyond all blocks.
"""

from __future__ import annotations

import difflib
import re
from typing import Tuple

from harness.contracts import seeds
from harness.contracts.errors import Refusal
from harness.contracts.names import nearest

_BLOCK = 10_000_000
OOD = "ood-"
"""Begins the splits of the other distribution."""
_SPLITS = {"train": 1, "validation": 2, "test": 3, "ood-validation": 5, "ood-test": 6}
SPLIT_SIZES = {"train": 10_000, "validation": 1_000, "test": 1_000, "ood-validation": 1_000, "ood-test": 1_000}
"""How many homes a split offers; episodes may use fewer."""
FRESH_HOMES = 1_000
"""How many homes each fresh split offers."""

_FRESH = re.compile(r"(ood-)?fresh-([0-9a-f]{16})")
_FRESH_BITS = 64
_FRESH_BLOCK, _OOD_FRESH_BLOCK = 2, 3
_NAME = re.compile(rf"({'|'.join(_SPLITS)}|{_FRESH.pattern})-(?P<index>\d{{4}})")


class UnknownHomeError(Refusal):
    """A home, split or index that does not exist."""


def home_seed(split: str, index: int) -> int:
    """Return the seed of home ``index`` of a split (a key of ``SPLIT_SIZES``, or a fresh one)."""
    fresh = _FRESH.fullmatch(split)
    if fresh is None and split not in _SPLITS:
        raise UnknownHomeError(f"there is no split {split!r} of homes.", nearest(split, _SPLITS))
    size = SPLIT_SIZES[split] if fresh is None else FRESH_HOMES
    if not 0 <= index < size:
        raise UnknownHomeError(f"there is no home {index} of split {split!r}.", f"Use 0 to {size - 1}.")
    if fresh is None:
        return _SPLITS[split] * _BLOCK + index
    drawn = seeds.derive(int(fresh[2], 16), split, -1, index, "fresh home") >> 64
    return ((_OOD_FRESH_BLOCK if fresh[1] else _FRESH_BLOCK) << _FRESH_BITS) | drawn


def is_ood(seed: int) -> bool:
    """Say whether a seed belongs to a split of the other distribution."""
    if seed >> _FRESH_BITS:
        return seed >> _FRESH_BITS == _OOD_FRESH_BLOCK
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
    split, index = match.group(1), int(match["index"])
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
