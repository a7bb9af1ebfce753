"""Compiles every kernel that drawing the tabletop needs, once for each version of the code.

As a program it fills the folder that an image brings: ``python -m images.tabletop.warm_up``.
"""

from __future__ import annotations

from typing import Callable

from harness.contracts import kernels
from harness.wire.progress import tell

SCENE = "stack_cups/variation0/episode0"


def compile_kernels(report: Callable[[str], None]) -> None:
    """Draw one scene; ``report`` gets a line for each kernel whose machine code is not kept yet."""
    from images.tabletop.play import Play

    with kernels.telling(lambda done, known: report(f"compiling kernels, {done} of {known}")):
        play = Play(SCENE)
        play.stage.views(play.world, {"front": (True, True)})


if __name__ == "__main__":
    # Run by its own name, so that the folders are those that a service looks for.
    from images.tabletop import warm_up

    warm_up.compile_kernels(tell)
