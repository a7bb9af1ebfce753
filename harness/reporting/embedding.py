"""Decides what goes into ``report.html`` itself and what stays beside it, so that the file never grows past its limit.

A report is first read from one file, sent by mail or opened over a slow link; pictures of a thousand episodes would
make that 200 MB. So the first episodes carry theirs inside, and the others load from ``episodes/`` when opened.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Tuple

from markupsafe import Markup

from harness.records.episode_files import GOAL, read_picture
from harness.records.pictures import is_small_jpeg

LIMIT_BYTES = 20_000_000
"""The largest report, whatever the run."""

PICTURE_BYTES = 12_000_000
DETAIL_BYTES = 5_000_000
MAP_BYTES = 1_000_000
ROW_BYTES = 1_500_000
"""Shares of the limit; they leave half a megabyte to the page, its style and its script."""


@dataclass(frozen=True)
class EmbeddedJson:
    """JSON that is safe inside a script element: no character of it can end the element."""

    text: Markup

    def __len__(self) -> int:
        return len(self.text.encode())


def embedded_json(value: Any) -> EmbeddedJson:
    """Return ``value`` as JSON for a script element: ``<``, ``>`` and ``&`` are written as escapes."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return EmbeddedJson(Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")))


def decision_picture(index: int) -> str:
    """Return the file name of a decision's strip."""
    return f"decision-{index:02d}.jpg"


def embedded_pictures(episodes: Iterable[Tuple[str, Path, int]], budget: int) -> Dict[str, str]:
    """Return data URIs by ``folder name/file name``, whole episodes in order until ``budget`` bytes are used.

    ``episodes`` gives folder name, folder and number of decisions. A file that is missing, that leads out of its folder
    or that is no small JPEG is passed over: the page then says that it is missing.
    """
    chosen: Dict[str, str] = {}
    used = 0
    for name, folder, decisions in episodes:
        files = [GOAL, *(decision_picture(index) for index in range(decisions))]
        pictures = ((f"{name}/{file}", read_picture(folder, file)) for file in files)
        found = {key: _data_uri(data) for key, data in pictures if data is not None and is_small_jpeg(data)}
        size = sum(len(key) + len(uri) + 6 for key, uri in found.items())
        if used + size > budget:
            break
        chosen.update(found)
        used += size
    return chosen


def within(items: Iterable[Tuple[str, Any]], budget: int) -> Dict[str, Any]:
    """Return the first items whose JSON fits into ``budget`` bytes together."""
    kept: Dict[str, Any] = {}
    used = 0
    for key, value in items:
        used += len(embedded_json({key: value}))
        if used > budget:
            break
        kept[key] = value
    return kept


def _data_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
