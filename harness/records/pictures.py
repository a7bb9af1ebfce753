"""Small pictures of a played episode: strips of imagined beside real frames, the goal, the map.

Nothing here is hashed: pictures are for people, the trajectory's digests are for proof.
"""

from __future__ import annotations

import io
from typing import List, Sequence, Tuple

import numpy as np
from PIL import Image

from harness.contracts.observations import RGB, TopDownMap
from harness.contracts.trajectories import DecisionFrames

STRIP_BYTES = 25_000
MAX_PIXELS = 4096 * 4096
"""A picture or map of more pixels is none of ours: a few kilobytes of file can decode to gigabytes."""

_TILE_HEIGHT = 96
_STRIP_WIDTH = 1152
_MAX_TILES = 5
_GAP = 3
_BLANK = (60, 60, 60)
_QUALITIES = (80, 60, 44, 32)


def strip_jpeg(frames: DecisionFrames) -> bytes:
    """Return one decision as a JPEG of at most `STRIP_BYTES`: real frames above, imagined frames below.

    The first column is the view before the decision, the last the view after its last action; columns between are
    spread evenly. A grey tile means that this step was not imagined. One picture a decision keeps a report with a
    thousand episodes small, so quality gives way before the size does.
    """
    tiles = shown_steps(len(frames.real))
    height, width = _tile_size(frames.before, len(tiles) + 1)
    rows: List[List[Image.Image]] = [[_fit(frames.before, height, width)], [_blank(height, width)]]
    for step in tiles:
        rows[0].append(_fit(frames.real[step - 1], height, width))
        imagined = frames.imagined.get(step)
        rows[1].append(_blank(height, width) if imagined is None else _fit(imagined, height, width))
    sheet = Image.new("RGB", (len(rows[0]) * (width + _GAP) - _GAP, 2 * height + _GAP), (255, 255, 255))
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            sheet.paste(tile, (x * (width + _GAP), y * (height + _GAP)))
    return _jpeg(sheet, STRIP_BYTES)


def view_jpeg(rgb: RGB) -> bytes:
    """Return one view as a JPEG of at most `STRIP_BYTES`."""
    return _jpeg(Image.fromarray(rgb), STRIP_BYTES)


def map_png(top_down: TopDownMap) -> bytes:
    """Return the walkable area as a one-bit PNG, white where one can walk; row 0 is the smallest z."""
    return _saved(Image.fromarray(top_down.walkable.astype(np.uint8) * 255).convert("1"), "PNG", optimize=True)


def is_small_jpeg(data: bytes) -> bool:
    """Say whether ``data`` is a JPEG of at most `MAX_PIXELS`; only its head is looked at."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            return image.width * image.height <= MAX_PIXELS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def resized(rgb: RGB, height: int, width: int) -> RGB:
    """Return ``rgb`` at the given size, untouched when it has it already."""
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(_fit(rgb, height, width))


def shown_steps(steps: int) -> Sequence[int]:
    """Return the action numbers that a strip shows of ``steps``: all of a few, else evenly spread with the last."""
    if steps <= _MAX_TILES:
        return range(1, steps + 1)
    return sorted({1 + round(i * (steps - 1) / (_MAX_TILES - 1)) for i in range(_MAX_TILES)})


def _tile_size(rgb: RGB, columns: int) -> Tuple[int, int]:
    height, width = rgb.shape[:2]
    scale = min(1.0, _TILE_HEIGHT / height, _STRIP_WIDTH / columns / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _fit(rgb: RGB, height: int, width: int) -> Image.Image:
    return Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX)


def _blank(height: int, width: int) -> Image.Image:
    return Image.new("RGB", (width, height), _BLANK)


def _jpeg(image: Image.Image, limit: int) -> bytes:
    """Return a JPEG within ``limit`` bytes: quality gives way first, then size."""
    while True:
        for quality in _QUALITIES:
            data = _saved(image, "JPEG", quality=quality)
            if len(data) <= limit:
                return data
        image = image.resize((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)), Image.Resampling.BOX)


def _saved(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
