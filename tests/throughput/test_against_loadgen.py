"""Our arrivals and stopping rules beside LoadGen's own: ``pip install mlcommons-loadgen`` (CPython 3.11).

LoadGen is not used for the measurement itself: it knows no failed query, wants every answer before it ends, and takes
its latencies to a log. Each of its tests here runs in a process of its own, which it would end if it were displeased.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.throughput.sampling import PERCENTILES, discarded, fewest_fast, needed
from harness.throughput.scenarios import SERVER, Settings, arrival_times

pytest.importorskip("mlperf_loadgen", reason="pip install mlcommons-loadgen")

PROGRAM = """
import sys, time
import mlperf_loadgen as lg

settings = lg.TestSettings()
settings.mode = lg.TestMode.PerformanceOnly
settings.min_duration_ms = 0
settings.min_query_count = settings.max_query_count = int(sys.argv[2])
if sys.argv[1] == "server":
    settings.scenario = lg.TestScenario.Server
    settings.server_target_qps, settings.server_target_latency_ns = 200.0, int(sys.argv[3])
else:
    settings.scenario = lg.TestScenario.SingleStream
    settings.single_stream_expected_latency_ns = 1000
times = []

def issue(samples):
    times.append(time.perf_counter())
    lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0) for sample in samples])

sut = lg.ConstructSUT(issue, lambda: None)
qsl = lg.ConstructQSL(64, 64, lambda _: None, lambda _: None)
lg.StartTest(sut, qsl, settings, "")
lg.DestroyQSL(qsl)
lg.DestroySUT(sut)
print(" ".join(f"{at - times[0]:.6f}" for at in times))
"""


RATE = 200.0


def loadgen(folder: Path, *arguments: str) -> tuple[str, list[float]]:
    """Return LoadGen's summary of a test, and when it asked."""
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, *arguments), cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    return (folder / "mlperf_log_summary.txt").read_text(), [float(at) for at in done.stdout.split()]


def test_too_few_queries_need_as_many(tmp_path: Path) -> None:
    summary, _ = loadgen(tmp_path, "single-stream", "40")
    assert f"Need to process at least {needed(0.9)} queries for early stopping" in summary


def test_as_many_of_the_slowest_are_discarded(tmp_path: Path) -> None:
    summary, _ = loadgen(tmp_path, "single-stream", "3000")
    told = re.search(r"Would discard (\d+) highest latency queries", summary)
    assert told is not None and int(told.group(1)) == discarded(3000, 0.9) - 1


def test_a_bound_that_nothing_keeps_needs_as_many_more(tmp_path: Path) -> None:
    summary, _ = loadgen(tmp_path, "server", "100", "1")
    told = re.search(r"run at least (\d+) more queries", summary)
    assert told is not None and int(told.group(1)) == fewest_fast(100, 0.99) + 100 - 100


def test_queries_arrive_as_often_and_as_irregularly(tmp_path: Path) -> None:
    _, theirs = loadgen(tmp_path, "server", "400", "1000000000")
    ours = arrival_times(Settings(SERVER, rate=RATE, duration_s=2.0, min_queries=400))
    for times in (theirs, ours[:400]):
        gaps = sorted(after - before for before, after in zip(times, times[1:], strict=False))
        for share in (0.25, 0.5, 0.75):  # of a Poisson process: the gaps have an exponential distribution
            assert gaps[int(share * len(gaps))] == pytest.approx(-math.log(1.0 - share) / RATE, rel=0.25)


def test_the_percentiles_are_among_those_of_its_summary(tmp_path: Path) -> None:
    summary, _ = loadgen(tmp_path, "single-stream", "64")
    assert all(f"{100 * p:.2f} percentile latency (ns)" in summary for p in PERCENTILES)
