"""What a measurement says of honest models and of others; all in this process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.throughput import asking, scenarios
from harness.throughput.asking import DIED, FAILED, LATE
from harness.throughput.caching import chance
from harness.throughput.decisions import Decisions, Purpose
from harness.throughput.measuring import Findings, Session, measure_model
from harness.throughput.scenarios import (
    MULTI_STREAM,
    OFFLINE,
    SERVER,
    SINGLE_STREAM,
    UNANSWERED,
    Settings,
    arrival_times,
)
from tests.throughput.toy_models import (
    CLOCK,
    Blind,
    Caching,
    Dying,
    Failing,
    Honest,
    Remembering,
    Sleeping,
    toy_manifest,
    toy_situations,
)


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (asking, scenarios):
        monkeypatch.setattr(module, "time", CLOCK)


def measured(model: Any, scenario: str = SINGLE_STREAM, steps: int = 0, **settings: Any) -> Findings:
    few = {"duration_s": 0.0, "min_queries": 8, **settings}
    found = Settings(scenario, **few)
    return measure_model(Session((model,)), toy_manifest(steps=steps), toy_situations(), found, lambda *_: None)


def kinds(found: Findings) -> set[str]:
    return {finding.kind for finding in found.findings if finding.broken}


def test_an_honest_model_is_valid_and_its_parts_add_up() -> None:
    found = measured(Honest(), steps=20)
    assert kinds(found) == set() and found.cache.same_seeds is False
    assert [finding.kind for finding in found.findings] == ["few-queries"]
    assert (found.counts.queries, found.counts.rollouts, found.counts.frames) == (8, 32, 96)
    assert set(found.split_s) == {"prepare", "denoise", "transport"}
    took = [seconds for seconds in found.latencies_s if seconds is not None]
    assert sum(found.split_s.values()) == pytest.approx(sum(took) / 8, rel=0.01)
    assert found.rates.decisions_per_s == pytest.approx(8 / found.seconds)


def test_equal_measurements_have_equal_output_whatever_the_seed() -> None:
    one, other = (measured(Honest(), seed=seed).output for seed in (0, 5))
    assert one is not None and one == other and one.rollouts == 8


def test_failures_stay_in_the_count() -> None:
    found = measured(Failing())
    assert kinds(found) >= {FAILED}
    assert found.counts.queries == 8 and found.counts.failed == {FAILED: 3}
    assert found.latencies_s.count(None) == 3
    assert found.latency[-1].value_s is None
    assert any("3 of 8 queries" in f.text and "no noise left" in f.text for f in found.findings)


@pytest.mark.parametrize(("model", "kind"), [(Sleeping(), LATE), (Dying(), DIED)])
def test_a_service_that_is_lost_ends_the_measurement(model: Any, kind: str) -> None:
    found = measured(model, OFFLINE, min_queries=6)
    assert found.counts.failed == {kind: 1, UNANSWERED: 3}
    assert kinds(found) == {kind, UNANSWERED, "not-asked-again"}
    assert found.counts.queries == 6 and found.output is None


def test_a_service_that_sleeps_at_once_is_said_to() -> None:
    found = measured(Sleeping(from_call=1))
    assert kinds(found) == {LATE} and found.counts.queries == 0
    assert "did not answer Imagine within 0.1 s" in found.findings[0].text


def test_kept_answers_are_found() -> None:
    found = measured(Caching())
    assert kinds(found) == {"cached"}
    assert found.cache.questions is not None and found.cache.questions.ratio < 0.5


def test_who_does_not_look_for_kept_answers_says_so() -> None:
    found = measured(Caching(), cache_check=False)
    assert kinds(found) == set() and found.findings[0].kind == "not-asked-again"
    assert found.cache.questions is None and found.output is not None


def test_the_rank_test_is_exact() -> None:
    assert chance([-1.0 - n for n in range(8)]) == 1 / 256
    assert chance([0.5, *(-1.0 - n for n in range(7))]) == 2 / 256
    assert chance([0.0] * 8) == 1.0


def test_remembered_views_are_no_kept_answers() -> None:
    found = measured(Remembering())
    assert kinds(found) == set()
    assert "remembers-views" in {finding.kind for finding in found.findings}


def test_one_answer_to_everything_is_found() -> None:
    assert kinds(measured(Blind())) == {"same-views"}
    assert kinds(measured(Blind(), steps=20)) == {"same-views", "same-seeds"}


def test_a_query_of_several_decisions_ends_with_its_last() -> None:
    found = measured(Honest(), MULTI_STREAM, min_queries=2, per_query=3)
    assert (found.counts.queries, found.counts.decisions) == (2, 6)
    assert min(s for s in found.latencies_s if s is not None) > 3 * 4 * 0.002


def test_arrivals_come_from_the_seed_and_have_the_rate() -> None:
    settings = Settings(SERVER, seed=1, rate=50.0, duration_s=40.0)
    times = arrival_times(settings)
    assert times == arrival_times(settings) != arrival_times(Settings(SERVER, seed=2, rate=50.0, duration_s=40.0))
    assert len(times) == pytest.approx(2000, rel=0.1) and times == sorted(times)


def test_waiting_for_the_model_is_latency() -> None:
    found = measured(Honest(), SERVER, min_queries=20, rate=1000.0)
    took = [seconds for seconds in found.latencies_s if seconds is not None]
    assert len(took) == 20 and max(took) > 10 * 4 * 0.002


def test_what_is_not_answered_at_the_end_is_counted_and_breaks_the_bound() -> None:
    found = measured(Honest(), SERVER, min_queries=600, rate=10_000.0, longest_s=0.1, bound_s=0.05)
    assert found.counts.queries == 600 and found.counts.failed == {UNANSWERED: 587}
    assert kinds(found) == {UNANSWERED, "bound"}


def test_no_two_decisions_of_a_measurement_show_the_same_view() -> None:
    decisions = Decisions(toy_manifest(), toy_situations(), seed=0)
    views = [decisions(purpose, n).view.rgb for purpose in Purpose for n in range(100)]
    assert len({np.roll(rgb, columns, 1).tobytes() for rgb in views for columns in range(0, 32, 4)}) == 300 * 8
    plain = toy_situations()[3].view.rgb
    assert np.abs(views[3].astype(int) - plain).max() <= 1


def test_candidates_are_cut_to_what_the_model_can_imagine() -> None:
    decision = Decisions(toy_manifest(frames=2, every_frame=False), toy_situations(), 0, 2)(Purpose.MEASURE, 0)
    assert [len(candidate) for candidate in decision.candidates] == [2, 6]
    assert decision.frames == ((2,), (6,))
