"""Several replicas of one model: who is asked what, what becomes of one that fails, and how services start."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import USAGE, main
from harness.conformance.target import find_target
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.runtimes import gpus
from harness.runtimes.gpus import Gpu
from harness.throughput import asking, scenarios
from harness.throughput.asking import DIED, FAILED, LATE
from harness.throughput.decisions import Decisions, Purpose
from harness.throughput.measuring import REPLICAS_DIFFER, Findings, Session, measure_model
from harness.throughput.resources import Gpus, Meter
from harness.throughput.results import RESULT_FILE, read_result
from harness.throughput.roofline import requests_of
from harness.throughput.scenarios import (
    MULTI_STREAM,
    OFFLINE,
    SERVER,
    SINGLE_STREAM,
    UNANSWERED,
    WARM_UP_DECISIONS,
    Settings,
)
from harness.throughput.serving import serving
from tests.throughput.toy_models import (
    CLOCK,
    Blind,
    Dying,
    Failing,
    Honest,
    Sleeping,
    toy_manifest,
    toy_situations,
)

PRESENT = (Gpu(0, "GPU-a", "card"), Gpu(1, "GPU-b", "card"))
QUERIES = 8


def measured(models: Sequence[Any], scenario: str = OFFLINE, deterministic: bool = True, **settings: Any) -> Findings:
    found = Settings(scenario, **{"duration_s": 0.0, "min_queries": QUERIES, **settings})
    manifest = toy_manifest(deterministic=deterministic)
    return measure_model(Session(tuple(models)), manifest, toy_situations(), found, lambda *_: None)


def kinds(found: Findings) -> set[str]:
    return {finding.kind for finding in found.findings if finding.broken}


class Meeting(Honest):
    """Waits in its first query, after the warm-up, until the other replica is asked as well; notes its views."""

    def __init__(self, both: threading.Barrier) -> None:
        self._both = both
        self.views: list[bytes] = []

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.views.append(min(request.view.tobytes() for request in requests))
        if len(self.views) == WARM_UP_DECISIONS + 1:
            self._both.wait(60.0)
        return super().imagine_batch(requests)


@pytest.mark.parametrize(("scenario", "more"), [(OFFLINE, {}), (SERVER, {"rate": 1000.0})])
def test_replicas_are_asked_at_the_same_time_and_no_query_twice(scenario: str, more: dict[str, Any]) -> None:
    both = threading.Barrier(2)
    models = [Meeting(both), Meeting(both)]
    found = measured(models, scenario, **more)
    assert kinds(found) == set() and found.replicas == 2
    assert (found.counts.queries, found.counts.decisions, found.counts.rollouts) == (QUERIES, QUERIES, 4 * QUERIES)
    assert None not in found.latencies_s and len(found.warm_up.decisions_s) == 2 * WARM_UP_DECISIONS
    warm = [model.views[:WARM_UP_DECISIONS] for model in models]
    assert warm[0] == warm[1], "each is warmed up"
    decisions = Decisions(toy_manifest(), toy_situations(), 0)
    batches = [requests_of(toy_manifest(), decisions(Purpose.MEASURE, number)) for number in range(QUERIES)]
    asked = Counter(view for model in models for view in model.views[WARM_UP_DECISIONS:])
    times = [asked[min(request.view.tobytes() for request in batch)] for (batch,) in batches]
    assert times == [1] * QUERIES, "once each"


def test_decisions_are_counted_over_all_replicas_until_the_last_answer() -> None:
    found = measured([Honest(), Honest(), Honest()])
    assert found.rates.decisions_per_s == pytest.approx(QUERIES / found.seconds)
    assert found.output == measured([Honest()]).output


def test_an_offline_measurement_is_as_much_longer_as_there_are_replicas() -> None:
    one, two = (measured([Honest()] * n, duration_s=1.0, min_queries=0) for n in (1, 2))
    assert two.counts.queries == pytest.approx(2 * one.counts.queries, rel=0.5)


@pytest.mark.parametrize("scenario", [OFFLINE, SERVER])
def test_what_one_replica_fails_at_stays_in_the_count(scenario: str) -> None:
    found = measured([Failing(), Failing()], scenario, rate=1000.0 if scenario == SERVER else 0.0)
    assert FAILED in kinds(found) and found.counts.failed[FAILED] >= 2
    assert found.counts.queries == QUERIES == len(found.latencies_s)


@pytest.mark.parametrize(("make", "kind"), [(Sleeping, LATE), (Dying, DIED)])
def test_a_replica_that_is_lost_ends_the_measurement_of_all(make: Callable[[], Any], kind: str) -> None:
    found = measured([make(), make()], min_queries=40)
    assert found.counts.failed[kind] in (1, 2) and found.counts.failed[UNANSWERED] >= 30
    assert kinds(found) == {kind, UNANSWERED, "not-asked-again"}
    assert found.counts.queries == 40 and found.output is None


def test_a_replica_that_is_lost_at_once_is_named() -> None:
    found = measured([Honest(), Sleeping(from_call=1)])
    assert kinds(found) == {LATE} and found.counts.queries == 0
    assert "decision 1 of the warm-up of replica 1: nothing was measured" in found.findings[0].text


def test_an_error_of_the_harness_in_one_replica_is_raised() -> None:
    class Wrong(Honest):
        def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
            raise Refusal("no such thing.", "Do otherwise.")

    with pytest.raises(Refusal, match="no such thing"):
        measured([Honest(), Wrong()])


def test_replicas_that_answer_differently_are_found() -> None:
    found = measured([Honest(), Blind()])
    assert kinds(found) == {REPLICAS_DIFFER} and "of replica 1" in found.findings[-1].text
    assert REPLICAS_DIFFER not in kinds(measured([Honest(), Honest()]))
    unsure = measured([Honest(), Blind()], deterministic=False)
    assert unsure.findings[-1].kind == REPLICAS_DIFFER and kinds(unsure) == set()


@pytest.mark.parametrize("scenario", [SINGLE_STREAM, MULTI_STREAM])
def test_a_scenario_that_asks_one_after_another_refuses_several(
    scenario: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Refusal, match="one query after another"):
        measured([Honest(), Honest()], scenario)
    monkeypatch.setattr(gpus, "list_gpus", lambda: PRESENT)
    assert main(["throughput", "--wm", "warp", "--scenario", scenario, "--wm-gpu", "0,0"]) == USAGE
    assert "2 GPUs are given" in capsys.readouterr().err


@pytest.mark.parametrize(("wanted", "said"), [("0,1", "this machine has none"), ("1", "this machine has none")])
def test_without_a_gpu_none_can_be_asked_for(
    wanted: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpus, "list_gpus", lambda: ())
    assert main(["throughput", "--wm", "warp", "--wm-gpu", wanted]) == USAGE
    assert said in capsys.readouterr().err


def test_services_start_together_each_with_its_own_gpu_and_are_metered_together(tmp_path: Path) -> None:
    target = find_target("copy")
    plans = [target.plan.on_gpu(gpu.uuid) for gpu in PRESENT]
    with serving(plans, target.entry.manifest, Settings(OFFLINE), tmp_path / "service.log") as session:
        pids: list[int] = [service.pid for service in session.services]  # type: ignore[attr-defined]
        seen = [(Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0") for pid in pids]
        assert [b"CUDA_VISIBLE_DEVICES=" + gpu.uuid.encode() in words for words, gpu in zip(seen, PRESENT)] == [
            True
        ] * 2
        used = []
        for services in (session.services, session.services[:1]):
            with Meter(services, Gpus()) as meter:
                pass
            used.append(meter.found.rss_bytes or 0)
        assert used[0] > 1.5 * used[1] > 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert sorted(log.name for log in tmp_path.iterdir()) == ["service-0.log", "service-1.log"]


def test_one_that_does_not_start_leaves_no_other_one_behind(tmp_path: Path) -> None:
    target = find_target("copy")
    wrong = replace(target.plan, entry_point="nowhere:Nothing")
    before = children()
    started = serving([target.plan, wrong], target.entry.manifest, Settings(OFFLINE), tmp_path / "service.log")
    with pytest.raises(WiwError, match="nowhere"), started:
        pass
    for thread in threading.enumerate():
        if thread.name.startswith("replica"):
            thread.join(60.0)
    assert children() <= before


def children() -> set[str]:
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {pid for file in found for pid in file.read_text().split()}


@pytest.mark.slow
def test_two_replicas_of_a_real_model_answer_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpus, "list_gpus", lambda: PRESENT)
    asked = ("throughput", "--wm", "copy", "--duration", "0", "--min-queries", "6", "--candidates", "2")
    results = []
    for wanted in ("0", "0,1"):
        assert main([*asked, "--wm-gpu", wanted, "--out", str(tmp_path / wanted)]) == 0
        results.append(read_result(tmp_path / wanted / RESULT_FILE))
    one, two = results
    assert (one.replicas, two.replicas) == (1, 2) and one.output == two.output and two.counts.queries == 6
    assert "2 replicas" in capsys.readouterr().out
    assert "2 replicas" in (tmp_path / "0,1" / "throughput.html").read_text()


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "tmp_path" not in request.fixturenames:  # services work by the clock on the wall
        for module in (asking, scenarios):
            monkeypatch.setattr(module, "time", CLOCK)
