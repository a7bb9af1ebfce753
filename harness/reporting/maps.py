"""Top-down maps as vector shapes: small enough to embed a hundred of them, and drawn in the reader's colours."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.records.episode_files import MapInfo
from harness.records.pictures import MAX_PIXELS

Run = Tuple[int, int]


@dataclass(frozen=True)
class MapShape:
    """The walkable area as an SVG path in cells; ``origin`` (x, z) of its corner and ``cell_m`` place it in metres."""

    path: str
    origin: Tuple[float, float]
    cell_m: float
    rows: int
    columns: int

    def plain(self) -> Dict[str, Any]:
        """Return the JSON form that the report's script draws."""
        return {
            "path": self.path,
            "x": self.origin[0],
            "z": self.origin[1],
            "cell": self.cell_m,
            "rows": self.rows,
            "columns": self.columns,
        }


MAX_EDGES = 200_000
"""More changes between walkable and not than any building has: such a map would take minutes to draw."""


def map_shape(png: bytes, info: MapInfo) -> Optional[MapShape]:
    """Return the shape of a one-bit map PNG (white: walkable); None where it is not the map that ``info`` describes.

    Its size is compared before it is decoded: half a megabyte of PNG can hold a gigabyte of one colour.
    """
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.size != (info.columns, info.rows) or image.width * image.height > MAX_PIXELS:
                return None
            walkable = np.asarray(image.convert("L")) > 127
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if np.count_nonzero(np.diff(walkable, axis=1)) > MAX_EDGES:
        return None
    return MapShape(rectangles_path(walkable), info.origin, info.cell_m, info.rows, info.columns)


def rectangles_path(walkable: npt.NDArray[np.bool_]) -> str:
    """Return an SVG path of rectangles that cover exactly the true cells of [rows, columns].

    Runs of a row that continue unchanged in the next row become one rectangle: rooms are rectangles, so a home of
    200 x 200 cells takes a few kilobytes.
    """
    pieces: List[str] = []
    open_since: Dict[Run, int] = {}
    for row in range(walkable.shape[0] + 1):
        runs = set(_runs(walkable[row])) if row < walkable.shape[0] else set()
        for run in sorted(set(open_since) - runs):
            start = open_since.pop(run)
            width = run[1] - run[0]
            pieces.append(f"M{run[0]} {start}h{width}v{row - start}h-{width}z")
        for run in runs - set(open_since):
            open_since[run] = row
    return "".join(pieces)


def _runs(cells: npt.NDArray[np.bool_]) -> List[Run]:
    """Return (start, end) of each run of true cells; ``end`` is exclusive."""
    edges = np.flatnonzero(np.diff(cells.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
