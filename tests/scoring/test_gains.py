"""The gain's interval holds what it promises, also where two runs solve the same few episodes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from harness.contracts.results import FAILED, OK, EpisodeResult
from harness.scoring.gains import gain_interval


def outcomes(solved: np.ndarray, seed: int = 0) -> list[EpisodeResult]:
    """Return results of solved [homes, episodes a home]."""
    return [
        EpisodeResult(f"e{home}-{number}", f"home-{home}", seed, OK if value else FAILED, {}, "")
        for home, row in enumerate(solved)
        for number, value in enumerate(row)
    ]


def three_runs(
    rng: np.random.Generator, rates: tuple[float, float, float], homes: int, per_home: int
) -> list[np.ndarray]:
    """Return 0/1 outcomes of three runs whose homes and episodes are hard for all of them alike."""
    home, episode = rng.normal(size=(homes, 1)) * 0.35, rng.normal(size=(homes, per_home)) * 0.5
    own = np.sqrt(1.0 - 0.35**2 - 0.25)
    return [home + episode + own * rng.normal(size=(homes, per_home)) < norm.ppf(rate) for rate in rates]


@pytest.mark.parametrize(
    ("rates", "homes", "per_home"),
    [((0.5, 0.1, 0.85), 24, 1), ((0.1, 0.1, 0.85), 24, 1), ((0.4, 0.03, 0.9), 25, 4)],
)
def test_the_interval_covers_the_truth(rates: tuple[float, float, float], homes: int, per_home: int) -> None:
    model, baseline, ceiling = rates
    truth = (model - baseline) / (ceiling - baseline)
    rng = np.random.default_rng(7)
    ends = [gain_interval(*(outcomes(run) for run in three_runs(rng, rates, homes, per_home))) for _ in range(120)]
    covered = np.mean([low <= truth <= high for low, high in ends])
    assert covered >= 0.9, "95 % promised; 120 draws may lose four points to luck"


@pytest.mark.parametrize("same_as", ["baseline", "ceiling"])
def test_equal_outcomes_have_an_interval_all_the_same(same_as: str) -> None:
    baseline, ceiling = np.zeros((24, 1)), np.ones((24, 1))
    low, high = gain_interval(
        outcomes(baseline if same_as == "baseline" else ceiling), outcomes(baseline), outcomes(ceiling)
    )
    gain = 0.0 if same_as == "baseline" else 1.0
    assert low <= gain <= high and 0.05 < high - low < 0.5  # it ends where nothing is solved, or everything


def test_more_homes_tell_more() -> None:
    rng = np.random.default_rng(3)
    few = gain_interval(*(outcomes(run) for run in three_runs(rng, (0.5, 0.1, 0.9), 24, 1)))
    many = gain_interval(*(outcomes(run) for run in three_runs(rng, (0.5, 0.1, 0.9), 240, 1)))
    assert many[1] - many[0] < 0.5 * (few[1] - few[0])


def test_seeds_of_an_episode_are_one_episode() -> None:
    rng = np.random.default_rng(5)
    model, baseline, ceiling = three_runs(rng, (0.5, 0.1, 0.9), 24, 1)
    once = gain_interval(outcomes(model), outcomes(baseline), outcomes(ceiling))
    twice = gain_interval(outcomes(model) + outcomes(model, seed=1), outcomes(baseline), outcomes(ceiling))
    assert twice == pytest.approx(once)


def test_a_single_home_has_no_interval() -> None:
    one = np.array([[0, 1, 1]])
    assert all(np.isnan(gain_interval(outcomes(one), outcomes(0 * one), outcomes(0 * one + 1))))


def test_no_gain_is_promised_that_no_model_could_have() -> None:
    """Three episodes tell little, but that nobody solves fewer than none of them or more than all they do tell."""
    model, baseline, ceiling = np.array([[1], [0], [0]]), np.array([[0], [1], [0]]), np.array([[1], [1], [0]])
    low, high = gain_interval(outcomes(model), outcomes(baseline), outcomes(ceiling))
    assert (low, high) == pytest.approx((-1.0, 2.0))
