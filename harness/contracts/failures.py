"""Which failures are equal: the same words but for numbers, ids and paths, which differ with every try."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, Tuple

from harness.contracts.results import ERROR, TIMEOUT, EpisodeResult

BROKEN = (ERROR, TIMEOUT)
_PATH = re.compile(r"(?<![\w.])/[^\s:,'\")]+")
_ID = re.compile(r"\b(?=[0-9a-fA-F-]*\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{4,})*\b")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_SHOWN = 400


@dataclass(frozen=True)
class Failures:
    """Equal failures: the first one's words in one line and its episode, and how many there are."""

    error: str
    episode: str
    count: int


def kind_of(error: str) -> str:
    """Return what two equal failures share: the first line without its numbers, ids and paths."""
    lines = error.strip().splitlines()
    return _NUMBER.sub("#", _ID.sub("#", _PATH.sub("/", lines[0]))) if lines else ""


def distinct(results: Iterable[EpisodeResult]) -> Tuple[Failures, ...]:
    """Return the failures among ``results``, equal ones together, in the order of their first."""
    found: Dict[str, Failures] = {}
    for result in results:
        if result.state in BROKEN:
            kind = kind_of(result.error)
            first = found.get(kind, Failures(in_one_line(result.error), result.episode, 0))
            found[kind] = Failures(first.error, first.episode, first.count + 1)
    return tuple(found.values())


def in_one_line(error: str) -> str:
    """Return an error's words in one line, cut where they are long."""
    words = " ".join(error.split())
    return words if len(words) <= _SHOWN else words[: _SHOWN - 1] + "…"
