"""Collecting on this machine: frames per second of one process, and how much more two record.

    python -m pytest tests/benchmarks/test_collect_speed.py --benchmark-only -n 0

Homes are baked before anything is timed. To reach on 2 cores with 2 processes: 150 frames/s of 128 × 128 views, 60 of
128 × 256 panoramas; below 1 GB a process.
"""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.collecting.config import make_plan
from harness.collecting.layouts import UNITS, WORK
from harness.collecting.pipeline import CollectProgress, collect
from harness.collecting.plan import CollectPlan
from harness.collecting.services import Machine
from harness.collecting.simulators import make_backend
from harness.collecting.worker import record
from harness.contracts.folders import cache_root
from tests.collecting.test_refusals import question

HOMES = 2


def plan_of(camera: str, clips: int, policy: str = "waypoints") -> CollectPlan:
    return make_plan(question(camera=camera, clips=clips, scenes=str(HOMES), policy=policy), "benchmark")


@pytest.mark.parametrize("camera", ("front", "pano"))
@pytest.mark.parametrize("policy", ("waypoints", "random"))
def test_one_process(benchmark: pytest.FixtureRequest, tmp_path: Path, camera: str, policy: str) -> None:
    plan = replace(plan_of(camera, 150, policy), clips_per_trajectory=25)
    backend = make_backend("embedded", plan.camera, Machine(str(cache_root())), tmp_path / "log")
    (tmp_path / WORK / UNITS).mkdir(parents=True)
    record(tmp_path, plan, backend, 0)
    benchmark.pedantic(record, (tmp_path, plan, backend, 2), rounds=3)  # type: ignore[attr-defined]
    frames = plan.units[2].clips * plan.clip_frames
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    extra = benchmark.extra_info  # type: ignore[attr-defined]
    extra.update({"frames_per_s": round(frames / benchmark.stats["mean"]), "peak_mb": round(peak)})  # type: ignore[attr-defined]
    assert peak < 1000


@pytest.mark.parametrize("camera", ("front", "pano"))
def test_two_processes(benchmark: pytest.FixtureRequest, tmp_path: Path, camera: str) -> None:
    """Times from when each process has recorded about one trajectory to the last, so that starting is not counted.

    From the first one on, what the other process has done by then would be counted without its time.
    """
    plan = plan_of(camera, 300)
    speeds = {}

    def both() -> None:
        for processes in (1, 2):
            moments: list[tuple[float, int]] = []

            def report(progress: CollectProgress, seen: list[tuple[float, int]] = moments) -> None:
                seen.append((time.monotonic(), progress.clips))

            collect(tmp_path / str(processes), plan, Machine(str(cache_root())), processes, report)
            first = sum(unit.clips for unit in plan.units[:processes])
            begin, end = (next(s for s, clips in moments if clips >= wanted) for wanted in (first, plan.clips))
            speeds[processes] = (plan.clips - first) * plan.clip_frames / (end - begin)

    benchmark.pedantic(both, rounds=1)  # type: ignore[attr-defined]
    speeds_found = {f"frames_per_s_{processes}": round(speed) for processes, speed in speeds.items()}
    gain = {"gain": round(speeds[2] / speeds[1], 2)}
    benchmark.extra_info.update({**speeds_found, **gain})  # type: ignore[attr-defined]
