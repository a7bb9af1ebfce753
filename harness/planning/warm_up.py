"""Compiles a loop's score, and what its gap is measured with, before anything is played: that belongs to the start of a
worker, not to its first episode."""

from __future__ import annotations

import contextlib
from typing import Callable

import numpy as np

from harness.contracts.cameras import Camera
from harness.contracts.observations import View
from harness.planning.score_protocol import HeadingComparer, Score

Report = Callable[[int, int], None]


def compile_score(score: Score, agent: Camera, prompt: Camera, report: Report) -> None:
    """Score an empty view of the ``agent``'s camera against one of the ``prompt``'s, and compare it with itself.

    ``report`` gets how many kernels were compiled and how many there are, before each. Errors are left to the first
    episode, which tells them where they belong.
    """
    from harness.contracts import kernels

    with kernels.telling(report), contextlib.suppress(Exception):
        from harness.planning.ssim import ssim

        seen = np.zeros((agent.height, agent.width, 3), np.float32)
        ssim(seen, seen)
        comparer = score.against(_empty(prompt))
        comparer([_empty(agent)])
        if isinstance(comparer, HeadingComparer):
            comparer.at_headings(_empty(agent))


def _empty(camera: Camera) -> View:
    return View(camera, np.zeros((camera.height, camera.width, 3), np.uint8))
