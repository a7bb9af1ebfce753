"""Frames a second of the tabletop on one core, and its physics (run with -n 0 --benchmark-only).

Wanted: >= 60/s of the arm in motion with RGB, depth and ids at 128 x 128 (everything is moved and both maps of light
are drawn for every frame), and physics faster than real time. Timings are CPU time of this thread.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from images.rlbench.actions import discrete_target
from images.tabletop.play import Play
from images.tabletop.scenes import SubGoal
from tests.images.tabletop.needs import needs_the_arm

pytestmark = [needs_the_arm, pytest.mark.benchmark(timer=time.thread_time, warmup=True, min_rounds=25)]


@pytest.fixture(scope="module")
def play() -> Play:
    return Play("stack_cups/variation7/episode3")


@pytest.mark.parametrize("camera", ["front", "overhead", "wrist", "front_large"])
def test_a_frame_in_motion(benchmark: Any, play: Play, camera: str) -> None:
    benchmark.extra_info["triangles"] = play.stage.painter.triangle_count

    def frame() -> None:
        play.stage.forget()
        play.stage.views(play.world, {camera: (True, True)})

    benchmark(frame)


def test_an_action_of_twenty_centimetres(benchmark: Any, play: Play) -> None:
    """About 20 ticks: 0.8 s of the world's time."""
    goals = [discrete_target(SubGoal(50, y, 40, 0, True).values()) for y in (40, 60)]

    def there_and_back() -> None:
        play.forget()
        for goal in goals:
            play.act(goal)

    benchmark.pedantic(there_and_back, rounds=10, warmup_rounds=1)
