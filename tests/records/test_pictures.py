"""Strips show the steps that their reader is told."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from harness.contracts.trajectories import DecisionFrames
from harness.records.pictures import shown_steps, strip_jpeg


def test_a_strip_shows_the_steps_that_it_names() -> None:
    for count in range(1, 18):
        assert steps_in_strip(count) == list(shown_steps(count))


def steps_in_strip(count: int) -> list[int]:
    """Return which steps a strip of ``count`` steps shows, read off its pixels: each view has its own shade."""
    shades = [np.full((32, 32, 3), 10 + 14 * number, np.uint8) for number in range(count + 1)]
    strip = np.asarray(Image.open(io.BytesIO(strip_jpeg(DecisionFrames(shades[0], tuple(shades[1:]), {})))))
    columns = round((strip.shape[1] + 3) / 35)
    middles = [strip[16, 35 * column + 16, 0] for column in range(1, columns)]
    return [round((int(shade) - 10) / 14) for shade in middles]
