"""What is walkable of an open scene: how much, what was left out and why, and which description it follows.

An environment tells it with the first observation of an episode, as plain numbers, so that whoever collects or measures
there can write it down: two data sets are walked on the same ground only where scene and digest are the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

_WORDS, _WORD_DIGITS = 8, 8
_AREA, _WORD, _OUT = "walkable_m2", "navmesh.{}", "left_out.{}_m2"
_ROW = "left_out_{}_m2"
_LEFT_OUT = re.compile(r"left_out\.([a-z_]+)_m2")

ROOFS, SMALL = "roofs", "small"
REASONS: Mapping[str, str] = {
    ROOFS: "roofs: open sky over them and a storey below",
    SMALL: "too small to live on",
}
"""Why a part of a navigation mesh does not count."""


@dataclass(frozen=True)
class Walkable:
    """``digest`` is the SHA-256 of all that decides the walkable area of a scene besides the scene itself.

    Areas are square metres: what counts, and by reason what does not.
    """

    digest: str
    area_m2: float
    left_out_m2: Mapping[str, float]

    def to_info(self) -> Dict[str, float]:
        """Return the numbers that travel with an observation; the digest as eight words of 32 bits."""
        words = (self.digest[i * _WORD_DIGITS : (i + 1) * _WORD_DIGITS] for i in range(_WORDS))
        return {
            _AREA: self.area_m2,
            **{_WORD.format(index): float(int(word, 16)) for index, word in enumerate(words)},
            **{_OUT.format(reason): area for reason, area in self.left_out_m2.items()},
        }

    def to_row(self) -> Dict[str, Any]:
        """Return what is written down of it, as a table's row has it."""
        left_out = {_ROW.format(reason): area for reason, area in sorted(self.left_out_m2.items())}
        return {"navmesh_digest": self.digest, _AREA: self.area_m2, **left_out}

    def sentence(self, scene: str) -> str:
        """Return what was left out of ``scene`` and why, "" for nothing."""
        parts = [f"{area:.1f} m² ({REASONS[why]})" for why, area in self.left_out_m2.items() if area > 0.0]
        return f"{scene}: {self.area_m2:.1f} m² are walkable; left out: {', '.join(parts)}." if parts else ""


def read_walkable(info: Mapping[str, float]) -> Optional[Walkable]:
    """Return what `Walkable.to_info` told; None where an environment told nothing."""
    if _AREA not in info:
        return None
    digest = "".join(f"{int(info[_WORD.format(index)]):08x}" for index in range(_WORDS))
    left_out = {found.group(1): info[name] for name in sorted(info) for found in [_LEFT_OUT.fullmatch(name)] if found}
    return Walkable(digest, info[_AREA], left_out)


def read_row(row: Mapping[str, Any]) -> Optional[Walkable]:
    """Return what `Walkable.to_row` wrote down; None where a row says nothing."""
    if "navmesh_digest" not in row:
        return None
    left_out = {
        reason: float(row[_ROW.format(reason)]) for reason in REASONS if row.get(_ROW.format(reason)) is not None
    }
    return Walkable(str(row["navmesh_digest"]), float(row[_AREA]), left_out)
