"""Frames a second of the embedded environment on one core (run with -n 0 --benchmark-only).

Wanted: >= 100/s RGB+depth+ids at 256 x 256, >= 60/s panoramas at 128 x 256, >= 8/s at 576 x 1024, and >= 80/s for
step and front view at 256 x 256, in a home of about 30,000 triangles. Timings are CPU time of this thread.
"""

from __future__ import annotations

import time
from itertools import cycle
from typing import Any, List, Tuple

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, TURN_LEFT, Primitive
from harness.contracts.cameras import Camera, Rig, Vec3
from harness.contracts.folders import cache_root
from harness.contracts.observations import ViewRequest
from images.embedded import environment as environment_module
from images.embedded.cache import HomeCache
from images.embedded.environment import RIG, Scene, make_scene
from tasks.suite import load_suite

FRONT_256 = Camera("front", "pinhole", 256, 256, 90.0, 1.25)

pytestmark = pytest.mark.benchmark(timer=time.thread_time, warmup=True, min_rounds=25)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene("validation-0001", HomeCache(cache_root()).load("validation-0001"))


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


def test_step_and_front_view(benchmark: Any, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole `Step` of the environment with its front view, at 256 x 256 and with nothing remembered."""
    monkeypatch.setattr(environment_module, "RIG", Rig((FRONT_256,)))
    environment = environment_module.EmbeddedEnvironment(str(cache_root()))
    episodes = load_suite("embedded-v1").episodes("easy", "validation")
    episode = next(episode for episode in episodes if episode.scene == scene.name)
    environment.reset(episode, 0, [])
    environment._views = environment_module.SceneViews(scene, most_bytes=0)
    moves = cycle([Primitive(name, size) for name, size in ((FORWARD, 0.2), (TURN_LEFT, 22.5), (FORWARD, 0.2))])
    wanted = [ViewRequest("front", depth=True, ids=True)]
    benchmark.pedantic(lambda: environment.step([next(moves)], wanted), rounds=40, warmup_rounds=5)


def test_prepare_a_cached_home(benchmark: Any, scene: Scene) -> None:
    cache = HomeCache(cache_root())
    benchmark.pedantic(lambda: make_scene("validation-0001", cache.load("validation-0001")), rounds=3)
