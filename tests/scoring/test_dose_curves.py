"""Error-equivalents: exact where a curve is straight, honest at its ends, and silent where it does not belong."""

from __future__ import annotations

import dataclasses
from typing import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.results import Metric
from harness.scoring.data import RunData
from harness.scoring.dose_curves import DoseCurve, DosePoint, equivalent
from harness.scoring.summary import NO_CONTEXT, as_results, summarise
from tests.scoring.synthetic import synthetic_run

IDENTITY = synthetic_run().identity
JITTER = ((0.0, 0.9), (0.1, 0.8), (0.2, 0.6), (0.4, 0.2))


def curve(points: Sequence[tuple[float, float]] = JITTER, setting: str = "jitter_m") -> DoseCurve:
    """Return a curve of the synthetic runs' tier."""
    belongs = {name: getattr(IDENTITY, name) for name in ("tier", "suite_hash", "split", "stop")}
    doses = tuple(DosePoint(dose, Metric(rate, rate - 0.05, rate + 0.05, 400)) for dose, rate in points)
    return DoseCurve(setting, points=doses, **belongs)


def success(value: float, low: float, high: float) -> Metric:
    return Metric(value, low, high, 400)


def test_a_dose_is_read_between_the_measured_ones_with_the_interval_of_the_world_model() -> None:
    found = equivalent(success(0.7, 0.6, 0.8), curve())
    assert found.place == "within"
    assert [found.dose, found.least, found.most] == pytest.approx([0.15, 0.1, 0.2])
    assert found.text == "worth gtsim with 0.15 m of jitter (0.1 to 0.2)"


def test_outside_the_curve_no_dose_is_told() -> None:
    better = equivalent(success(0.95, 0.85, 0.99), curve())
    assert (better.place, better.dose) == ("better", None)
    assert [better.least, better.most] == pytest.approx([0.0, 0.05])
    assert better.text == "better than gtsim with any dose of jitter"
    worse = equivalent(success(0.1, 0.05, 0.3), curve())
    assert (worse.place, worse.dose, worse.most) == ("worse", None, None)
    assert worse.least == pytest.approx(0.35)
    assert worse.text == "worse than any dose of jitter (the largest: gtsim with 0.4 m of jitter)"


def test_an_interval_that_reaches_beyond_the_largest_dose_says_so() -> None:
    found = equivalent(success(0.25, 0.15, 0.4), curve())
    assert found.most is None and found.text.endswith("(0.3 to beyond 0.4)")


def test_motion_is_worth_less_the_less_of_it_is_imagined() -> None:
    found = equivalent(success(0.7, 0.6, 0.8), curve(((1.0, 0.9), (0.75, 0.7), (0.5, 0.1)), "motion_scale"))
    assert found.dose == pytest.approx(0.75) and found.least == pytest.approx(0.875)  # the least error is most motion
    assert found.most == pytest.approx(0.75 - 0.25 / 6)
    assert found.text.startswith("worth gtsim that imagines 0.75 of every forward (0.8")


def test_walls_are_told_as_a_share_of_episodes() -> None:
    found = equivalent(success(0.6, 0.5, 0.7), curve(((0.0, 0.8), (1.0, 0.2)), "through_obstacles"))
    assert found.text == "worth gtsim that walks through obstacles in 33 % of episodes (17 to 50)"


def test_noise_that_rises_is_levelled_and_a_level_stretch_is_told_by_its_middle() -> None:
    found = equivalent(success(0.6, 0.5, 0.7), curve(((0.0, 0.9), (0.1, 0.55), (0.3, 0.65), (0.4, 0.3))))
    assert found.dose == pytest.approx(0.2)  # the level from 0.1 to 0.3 at .6


@given(
    steps=st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(-0.1, 0.3)), min_size=1, max_size=6),
    rates=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5),
)
def test_more_success_is_never_worth_more_error(steps: list[tuple[float, float]], rates: list[float]) -> None:
    doses = np.concatenate([[0.0], np.cumsum([step for step, _ in steps])])
    measured = np.clip(0.9 - np.concatenate([[0.0], np.cumsum([fall for _, fall in steps])]), 0.0, 1.0)
    points = list(zip(doses.tolist(), measured.tolist(), strict=True))
    found = [equivalent(success(rate, rate, rate), curve(points)) for rate in sorted(rates)]
    outside = {"worse": float("inf"), "better": float("-inf")}
    order = [outside[each.place] if each.dose is None else each.dose for each in found]
    assert all(later <= earlier + 1e-9 for earlier, later in zip(order, order[1:], strict=False))
    for each in found:
        assert each.dose is None or 0.0 <= each.dose <= doses[-1]


def test_doses_that_do_not_grow_are_refused() -> None:
    with pytest.raises(ValueError, match="do not grow"):
        equivalent(success(0.5, 0.4, 0.6), curve(((0.0, 0.9), (0.2, 0.5), (0.2, 0.4))))


def told(run: RunData, *curves: DoseCurve) -> list[str]:
    context = dataclasses.replace(NO_CONTEXT, curves=curves)
    return [each["setting"] for each in as_results(summarise(run, context))["error_equivalents"]]


def test_a_run_is_read_only_on_curves_of_its_own_data() -> None:
    run = synthetic_run("FTmini")
    assert told(run, curve(), curve(((0.0, 0.9), (22.5, 0.3)), "heading_error_deg")) == [
        "jitter_m",
        "heading_error_deg",
    ]
    for name, other in {"suite_hash": "other", "tier": "detour", "split": "validation", "stop": "oracle"}.items():
        assert told(run, dataclasses.replace(curve(), **{name: other})) == []  # type: ignore[arg-type]


def test_nothing_is_told_of_a_partial_run_nor_of_the_simulator_itself() -> None:
    assert told(synthetic_run("FTmini", errors=1), curve()) == []
    assert told(synthetic_run("gtsim"), curve()) == []
    assert told(synthetic_run("gtsim", wm_overrides={"blur_px": 3.0}), curve()) == ["jitter_m"]


def test_a_run_that_searched_less_is_told_as_no_dose() -> None:
    limited = synthetic_run(specs={"search": {"candidates": 4}})
    assert curve().fits(IDENTITY) and not curve().fits(limited.identity)
    results = as_results(summarise(limited, dataclasses.replace(NO_CONTEXT, curves=(curve(),))))
    assert results["error_equivalents"] == [] and results["search"] == {"candidates": 4}
    assert "search" not in as_results(summarise(synthetic_run()))
