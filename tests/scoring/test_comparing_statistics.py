"""The statistics of paired runs: against scipy, and by simulation with clustered homes."""

from __future__ import annotations

import itertools
import math
from typing import List, Tuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.scoring.comparing_effect import Effect, equivalence_test, success_effect
from harness.scoring.comparing_power import detectable_difference
from harness.scoring.comparing_tests import Outcomes, holm, mcnemar_test, permutation_test, sign_flip_test
from harness.scoring.intervals import Sample
from tests.scoring.simulated_pairs import home_names, sample_of, simulated_distances, simulated_pairs

COMPARISONS = 1000
SLACK = 2.6
"""Standard errors of a simulated share that are allowed to luck: a sound test fails here less than once in 100."""


def luck(share: float, comparisons: int = COMPARISONS) -> float:
    """Return how far a simulated share may lie from the true one."""
    return SLACK * math.sqrt(share * (1.0 - share) / comparisons)


def simulate(
    seed: int, homes: int, per_home: int, rates: Tuple[float, float], comparisons: int = COMPARISONS
) -> Tuple[npt.NDArray[np.int64], Tuple[str, ...]]:
    """Return paired differences of success, int64 [comparisons, homes, per_home], and the pairs' homes."""
    before, after = simulated_pairs(np.random.default_rng(seed), comparisons, homes, per_home, rates)
    return after.astype(np.int64) - before.astype(np.int64), home_names(homes, per_home)


def effects(differences: npt.NDArray[np.int64], names: Tuple[str, ...]) -> List[Effect]:
    return [success_effect(sample_of(each, names)) for each in differences]


# ---- against references


def by_listing(home_sums: npt.NDArray[np.int64]) -> float:
    """Return the sign-flip p-value by listing every assignment of signs."""
    signs = np.array(list(itertools.product((-1, 1), repeat=len(home_sums))))
    return float(np.mean(np.abs(signs @ home_sums) >= abs(home_sums.sum())))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
@settings(max_examples=80, deadline=None)
def test_sign_flip_equals_the_listing_of_all_flips(sums: List[int]) -> None:
    home_sums = np.array(sums)
    assert sign_flip_test(home_sums) == pytest.approx(by_listing(home_sums), abs=1e-12)
    assert sign_flip_test(-home_sums) == sign_flip_test(home_sums)
    assert sign_flip_test(np.concatenate([home_sums, [0, 0]])) == sign_flip_test(home_sums)


@pytest.mark.parametrize("homes", [8, 100])
def test_sign_flip_agrees_with_scipy(homes: int) -> None:
    sums = np.random.default_rng(homes).integers(-2, 4, size=homes)
    exact = stats.permutation_test(
        (sums,), lambda x, axis: np.abs(np.sum(x, axis=axis)), permutation_type="samples", vectorized=True,
        n_resamples=20_000, alternative="greater", random_state=np.random.default_rng(0),
    )  # fmt: skip
    assert sign_flip_test(sums) == pytest.approx(float(exact.pvalue), abs=1e-12 if homes == 8 else 0.004)


def test_sign_flip_of_single_pairs_is_mcnemar() -> None:
    outcomes = Outcomes(both=30, only_baseline=4, only_other=13, neither=9)
    sums = np.array([0] * 39 + [-1] * 4 + [1] * 13)
    assert sign_flip_test(sums) == pytest.approx(mcnemar_test(outcomes), abs=1e-12)
    assert mcnemar_test(outcomes) == pytest.approx(stats.binomtest(4, 17, 0.5).pvalue, abs=1e-12)


def test_no_difference_is_no_evidence() -> None:
    assert sign_flip_test(np.zeros(50, np.int64)) == 1.0
    assert permutation_test(np.zeros(50)) == 1.0
    assert mcnemar_test(Outcomes(5, 0, 0, 5)) == 1.0


def test_permutation_lists_few_homes_and_draws_many_with_a_fixed_seed() -> None:
    few = np.array([0.31, -0.12, 0.55, 0.02, 0.4])
    signs = np.array(list(itertools.product((-1, 1), repeat=5)))
    assert permutation_test(few) == pytest.approx(np.mean(np.abs(signs @ few) >= few.sum() - 1e-9), abs=1e-12)
    many = np.random.default_rng(1).normal(0.25, 1.0, 100)
    assert permutation_test(many) == permutation_test(many)
    assert permutation_test(many) == pytest.approx(stats.ttest_1samp(many, 0.0).pvalue, abs=0.01)


def test_whole_numbers_have_the_same_p_value_by_both_tests() -> None:
    sums = np.random.default_rng(3).integers(-2, 3, size=60)
    assert permutation_test(sums.astype(float)) == pytest.approx(sign_flip_test(sums), abs=0.012)


def test_holm_by_hand() -> None:
    """The numbers are also those of statsmodels 0.15."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    equal_and_large = [0.2, 0.001, 0.02, 0.02, 0.6, 0.5, 0.004]
    assert holm(equal_and_large) == pytest.approx((0.6, 0.007, 0.1, 0.1, 1.0, 1.0, 0.024))
    assert holm([]) == ()


def test_the_interval_of_one_pair_a_home_is_that_of_agresti_and_min() -> None:
    values = [1.0] * 14 + [-1.0] * 5 + [0.0] * 81
    effect = success_effect(Sample.of(values, [str(i) for i in range(100)]))
    n, more, fewer = 100 / effect.design_effect, 14, 5
    assert effect.design_effect == pytest.approx(1.0, abs=1e-9)
    centre = (more - fewer) / (n + 2)
    error = math.sqrt((more + fewer + 1 - (more - fewer) ** 2 / (n + 2)) / (n + 2) ** 2)
    half = float(stats.t.ppf(0.975, 99)) * error
    assert effect.value == pytest.approx(0.09)
    assert effect.interval() == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_many_discordant_pairs_have_the_cluster_t_interval() -> None:
    differences, _ = simulate(1, 100, 40, (0.5, 0.6), comparisons=1)
    effect = effects(differences, home_names(100, 40))[0]
    clusters = stats.ttest_1samp(differences[0].mean(axis=1), 0.0).confidence_interval(0.95)
    assert effect.interval() == pytest.approx((clusters.low, clusters.high), abs=0.002)


def test_equivalence_is_the_90_percent_interval_inside_the_margin() -> None:
    differences, names = simulate(2, 60, 4, (0.5, 0.53), comparisons=60)
    verdicts = []
    for effect in effects(differences, names):
        low, high = effect.interval(0.90)
        verdicts.append(equivalence_test(effect, 0.08) <= 0.05)
        assert verdicts[-1] == (low >= -0.08 and high <= 0.08)
    assert 0 < sum(verdicts) < 60


def test_no_discordant_pair_still_has_an_interval() -> None:
    effect = success_effect(Sample.of([0.0] * 400, home_names(100, 4)))
    low, high = effect.interval()
    assert effect.value == 0.0 and low == -high and 0.003 < high < 0.02
    assert equivalence_test(effect) < 0.001


def test_what_can_be_detected_is_what_was_published_for_this_design() -> None:
    def effect(n: float) -> Effect:
        return Effect(0.0, 0.0, 0.03, 10_000, 0.3, n, 1.0)

    at_400, at_200 = (detectable_difference(effect(n), alpha=0.01) for n in (400.0, 200.0))
    assert at_400 == pytest.approx(0.095, abs=0.002)
    assert at_200 == pytest.approx(0.135, abs=0.003)
    assert detectable_difference(effect(3.0)) is None


# ---- by simulation: 50 and 100 homes, ICC .12, models that interact with homes


@pytest.mark.parametrize(("homes", "rate"), [(50, 0.5), (50, 0.85), (100, 0.05), (100, 0.5)])
def test_false_positives_of_the_primary_test_stay_within_5_percent(homes: int, rate: float) -> None:
    differences, _ = simulate(homes, homes, 4, (rate, rate))
    positives = np.mean([sign_flip_test(sums) <= 0.05 for sums in differences.sum(axis=2)])
    assert positives <= 0.05 + luck(0.05)


def test_false_positives_of_the_permutation_test_stay_within_5_percent() -> None:
    differences = simulated_distances(np.random.default_rng(5), COMPARISONS, 50, 4)
    positives = np.mean([permutation_test(sums, resamples=399) <= 0.05 for sums in differences.sum(axis=2)])
    assert 0.05 - luck(0.05) <= positives <= 0.05 + luck(0.05)


def test_mcnemar_errs_more_often_when_homes_are_few_and_models_interact_with_them() -> None:
    differences, _ = simulate(7, 12, 30, (0.5, 0.5))
    flat = differences.reshape(COMPARISONS, -1)
    counts = zip((flat > 0).sum(axis=1), (flat < 0).sum(axis=1), strict=True)
    naive = np.mean([mcnemar_test(Outcomes(0, int(fewer), int(more), 0)) <= 0.05 for more, fewer in counts])
    ours = np.mean([sign_flip_test(sums) <= 0.05 for sums in differences.sum(axis=2)])
    assert naive > 0.15
    assert ours <= 0.05 + luck(0.05)


@pytest.mark.parametrize("homes", [50, 100])
@pytest.mark.parametrize("rates", [(0.5, 0.5), (0.54, 0.86), (0.9, 0.85), (0.05, 0.02)])
def test_the_interval_covers_93_to_97_percent(homes: int, rates: Tuple[float, float]) -> None:
    differences, names = simulate(homes + 1, homes, 4, rates)
    intervals = [effect.interval() for effect in effects(differences, names)]
    coverage = np.mean([low <= rates[1] - rates[0] <= high for low, high in intervals])
    assert 0.93 <= coverage <= 0.975


def test_equivalence_is_claimed_in_5_percent_at_most_where_it_is_false() -> None:
    differences, names = simulate(11, 100, 4, (0.5, 0.58))
    claims = np.mean([equivalence_test(effect, 0.08) <= 0.05 for effect in effects(differences, names)])
    assert claims <= 0.05 + luck(0.05)


def test_the_detectable_difference_is_found_4_times_in_5() -> None:
    null, names = simulate(13, 100, 4, (0.5, 0.5), comparisons=200)
    detectable = float(np.mean([detectable_difference(effect) or np.nan for effect in effects(null, names)]))
    differences, _ = simulate(14, 100, 4, (0.5, 0.5 + detectable))
    found = np.mean([sign_flip_test(sums) <= 0.05 for sums in differences.sum(axis=2)])
    assert 0.75 <= found <= 0.86


@pytest.mark.parametrize("sums", [[], [0.0, 0.0], [0.0, 0.3], [-2.0]])
def test_fewer_than_two_homes_that_differ_show_nothing(sums: list[float]) -> None:
    assert permutation_test(np.array(sums, dtype=np.float64)) == 1.0
