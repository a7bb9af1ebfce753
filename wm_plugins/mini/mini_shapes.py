"""What `mini` and `FTmini` are made of: sizes of their networks and of the floor plan, with and without torch."""

from __future__ import annotations

from typing import Dict, Iterator, Sequence, Tuple

Shape = Tuple[int, ...]

FEATURES = 2
"""Channels beside the colours that travel with every point."""
DEPTH_WIDTHS, DEPTH_BOTTOM = (32, 80, 128, 192), 1
REFINE_WIDTHS, REFINE_BOTTOM = (24, 48, 96, 160), 2
"""Channels at a half, a quarter, an eighth and a sixteenth of the size, and blocks at the smallest."""
STEP_WIDTHS = (16, 32, 48, 64)
STEP_HIDDEN = 64
MOTION_SCALE = 10.0
"""`stride` and `turn` times this are parts of an action's magnitude: so they learn as fast as the other weights."""
FRAMES = 14
"""Frames of a walk for which it is learnt where bodies are on average."""

CONTEXT_WEIGHT = 0.5
"""How much a point of an earlier view counts beside one of the view itself."""
ENOUGH = 0.05
"""Cover from which a pixel is its own; below, the mean of its surroundings joins in."""
LEAK = 0.1
"""What a rectifier leaves of negative values: a network that outputs nothing else can recover."""
NEAREST_M, FARTHEST_M = 0.15, 15.0
LEAST_LOG, MOST_LOG = -2.0, 2.7
"""Range of the natural logarithm of distance / 2 m."""

FLOOR_CHANNELS = 3
FLOOR_CELLS = 176
CROP_CELLS, CROP_CELL_M, CROP_BEHIND_M = 24, 0.05, 0.35
"""The floor plan, 176 x 176 cells of 5 cm around the camera, and the part around a body that a step is predicted from:
24 x 24 cells, from 0.35 m behind to 0.85 m ahead."""


def tensor_shapes() -> Dict[str, Shape]:
    """Return the shape of every tensor of a checkpoint, by its name."""
    shapes = {f"depth.{name}": shape for name, shape in _hourglass(4, DEPTH_WIDTHS, 2 + FEATURES, DEPTH_BOTTOM, True)}
    refine = _hourglass(6 + FEATURES, REFINE_WIDTHS, 4, REFINE_BOTTOM, False)
    shapes.update({f"refine.{name}": shape for name, shape in refine})
    shapes.update({f"steps.{name}": shape for name, shape in _steps()})
    return {**shapes, "stride": (), "turn": (), "drift": (FRAMES, 3)}


def _layer(name: str, inputs: int, outputs: int, size: int) -> Iterator[Tuple[str, Shape]]:
    yield f"{name}.convolution.weight", (outputs, inputs, size, size)
    yield f"{name}.convolution.bias", (outputs,)


def _block(name: str, channels: int) -> Iterator[Tuple[str, Shape]]:
    yield from _layer(f"{name}.first", channels, channels, 3)
    yield from _layer(f"{name}.second", channels, channels, 3)


def _hourglass(
    inputs: int, widths: Sequence[int], outputs: int, bottom: int, first_block: bool
) -> Iterator[Tuple[str, Shape]]:
    one, two, three, four = widths
    yield from _layer("stem", 4 * inputs, one, 3)
    if first_block:
        yield from _block("down.0.0", one)
    for number, (before, after) in enumerate(((one, two), (two, three)), start=1):
        yield from _layer(f"down.{number}.0", 4 * before, after, 1)
        yield from _block(f"down.{number}.1", after)
    yield from _layer("bottom.0", 4 * three, four, 1)
    for number in range(1, bottom + 1):
        yield from _block(f"bottom.{number}", four)
    for number, (after, before) in enumerate(((three, four), (two, three), (one, two))):
        yield from _layer(f"up.{number}.0", before, after, 1)
        yield from _block(f"up.{number}.1", after)
    yield from _layer("head", one, 4 * outputs, 3)


def _steps() -> Iterator[Tuple[str, Shape]]:
    one, two, three, four = STEP_WIDTHS
    yield from _layer("stem", FLOOR_CHANNELS, one, 3)
    yield from _layer("layers.0", 4 * one, two, 1)
    yield from _block("layers.1", two)
    yield from _layer("layers.2", 4 * two, three, 1)
    yield from _block("layers.3", three)
    yield from _layer("layers.4", 4 * three, four, 1)
    side = CROP_CELLS // 8
    yield from (("hidden.weight", (STEP_HIDDEN, four * side * side)), ("hidden.bias", (STEP_HIDDEN,)))
    yield from (("output.weight", (3, STEP_HIDDEN)), ("output.bias", (3,)))
