"""Frames a second of the embedded environment on one core (run with --benchmark-only).

Wanted: >= 100/s RGB+depth+ids at 256 x 256, >= 60/s panoramas at 128 x 256, >= 8/s at 576 x 1024, and >= 80/s for
step and front view at 256 x 256, in a home of about 30,000 triangles. Timings are CPU time of this thread.
"""

from __future__ import annotations

import time
from itertools import cycle
from typing import Any, List, Tuple

import numpy as np
import pytest

from harness.contracts.cameras import Camera, Vec3
from images.embedded.cache import HomeCache
from images.embedded.environment import RIG, Scene, make_scene
from images.embedded.motion import SPACE, Body

FRONT_256 = Camera("front", "pinhole", 256, 256, 90.0, 1.25)

pytestmark = pytest.mark.benchmark(timer=time.thread_time, warmup=True, min_rounds=25)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene("validation-0001", HomeCache().load("validation-0001"))


@pytest.fixture(scope="module")
def stands(scene: Scene) -> List[Tuple[Vec3, float]]:
    draws = np.random.default_rng(0)
    return [(scene.navigator.sample(draws), 22.5 * int(draws.integers(16))) for _ in range(25)]


@pytest.mark.parametrize(
    ("camera", "extra"), [(FRONT_256, True), (RIG.camera("pano"), False), (RIG.camera("pano_large"), False)]
)
def test_render(benchmark: Any, scene: Scene, stands: List[Tuple[Vec3, float]], camera: Camera, extra: bool) -> None:
    places = cycle(stands)
    benchmark.extra_info["triangles"] = scene.renderer.triangle_count
    benchmark(lambda: scene.renderer.render(camera, *next(places), depth=extra, ids=extra))


def test_step_and_front_view(benchmark: Any, scene: Scene, stands: List[Tuple[Vec3, float]]) -> None:
    draws = np.random.default_rng(1)
    bodies = [Body(position[0], position[2], int(draws.integers(16))) for position, _ in stands]
    moves = cycle([(body, SPACE.primitives[k % 3]) for k, body in enumerate(bodies)])

    def step() -> None:
        body, _ = scene.navigator.move(*next(moves))
        scene.renderer.render(FRONT_256, (body.x, 0.0, body.z), body.yaw_deg, depth=True, ids=True)

    benchmark(step)


def test_prepare_a_cached_home(benchmark: Any, scene: Scene) -> None:
    cache = HomeCache()
    benchmark.pedantic(lambda: make_scene("validation-0001", cache.load("validation-0001")), rounds=3)
