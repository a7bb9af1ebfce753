"""Compiles every kernel that the environment may call: a minute on a quiet machine, once for each version of the code.

It belongs to the start of a service, which may take long and says what it does; a call has a deadline. As a program it
fills the folder that an image brings: ``python -m images.embedded.warm_up``.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from pathlib import Path
from typing import IO, Callable, Iterator, Optional

import numpy as np

from harness.contracts import kernels
from harness.contracts.kernel_folders import kernel_folder
from harness.wire.progress import tell
from images.embedded.environment import RIG, make_scene
from images.embedded.homebytes import decode_home, encode_home
from images.embedded.homes import build_home
from images.embedded.homes.splits import parse_home
from images.embedded.motion import SPACE, Body
from images.embedded.navigation import Navigator

DONE = "complete"
HOME = "validation-0000"
_TELL_S = 10
Report = Callable[[str], None]


def compile_kernels(report: Report) -> None:
    """Compile what is not kept yet; ``report`` gets a line for each kernel.

    One process of a machine compiles, the others wait for it. Nothing is done where a file says that this version's
    kernels are all kept; the file lies in a folder named like theirs, and is forgotten with it.
    """
    folder = kernel_folder(Path(__file__), __name__)
    if folder is not None and (folder / DONE).exists():
        return
    with _alone(folder, report):
        if folder is not None and (folder / DONE).exists():
            return
        with kernels.telling(lambda done, known: report(f"compiling kernels, {done} of {known}")):
            use_all_kernels()
        if folder is not None:
            with contextlib.suppress(OSError):
                (folder / DONE).touch()


def use_all_kernels() -> None:
    """Build a home, draw it with every camera and walk in it: as it was built, and as it is read from the cache."""
    home = build_home(parse_home(HOME)[1])
    for version in (home, decode_home(encode_home(home))):
        scene = make_scene(HOME, version)
        for camera in RIG.cameras:
            scene.renderer.render(camera, (0.0, 0.0, 0.0), 0.0, depth=True, ids=True)
            scene.renderer.render(camera, (0.0, 0.0, 0.0), 0.0)
        _walk(scene.navigator)


def _walk(navigator: Navigator) -> None:
    """Move in every way, and ask all that can be asked of a map."""
    generator = np.random.default_rng(0)
    start, goal = navigator.sample(generator), navigator.sample(generator)
    for action in SPACE.primitives:
        navigator.move(Body(start[0], start[2], 0), action)
    navigator.geodesic_distance(start, goal)
    navigator.shortest_path(start, goal)
    navigator.reference_actions(start, 0.0, goal, radius_m=1000.0)


@contextlib.contextmanager
def _alone(folder: Optional[Path], report: Report) -> Iterator[None]:
    """Hold the lock of those who compile; without it where there is nowhere to lock."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = stack.enter_context((folder / "compiling").open("ab"))
                _take(lock, report)
        yield


def _take(lock: IO[bytes], report: Report) -> None:
    """Take the lock, and say now and then for how long it is waited for: silence is taken for a hang."""
    waited_s = 0
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if waited_s % _TELL_S == 0:
                report(f"waiting for a process that compiles, {waited_s} s")
            time.sleep(1.0)
            waited_s += 1


if __name__ == "__main__":
    # Run by its own name, so that the folders are those that a service looks for.
    from images.embedded import warm_up

    warm_up.compile_kernels(tell)
