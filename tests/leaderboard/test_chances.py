"""How likely a replay finds a cheat: the formulas against draws that are really made."""

from __future__ import annotations

import math
import random

import pytest

from harness.auditing.audit import Audited
from harness.leaderboard import chances
from harness.leaderboard.drawing import drawn_rows
from harness.leaderboard.submitting import examine
from tests.leaderboard.conftest import ROWS, Ready


def close(found: int, of: int, probability: float) -> bool:
    """Say whether a frequency lies within 4 standard errors of a probability."""
    return abs(found / of - probability) <= 4.0 * math.sqrt(probability * (1.0 - probability) / of)


@pytest.mark.parametrize(("total", "share", "drawn"), [(400, 0.05, 20), (400, 0.01, 40), (100, 0.5, 3), (30, 0.1, 10)])
def test_a_forged_episode_is_drawn_as_often_as_is_said(total: int, share: float, drawn: int) -> None:
    draws = random.Random(f"{total} {share} {drawn}")
    forged = round(share * total)
    found = sum(min(draws.sample(range(total), drawn)) < forged for _ in range(2000))
    assert close(found, 2000, chances.caught(total, share, drawn))


@pytest.fixture(scope="module")
def audited(made: Ready) -> Audited:
    return examine(made.asked).runs[0]


def test_the_draw_of_a_bundle_finds_forged_rows_as_often_as_is_said(audited: Audited) -> None:
    forged = {row.key for row in audited.rows[:3]}
    found = sum(
        any(row.key in forged for _, row in drawn_rows([audited], "ab" * 32, f"round {number}", 4))
        for number in range(500)
    )
    assert close(found, 500, chances.caught(ROWS, 0.25, 4))


def test_nothing_forged_is_never_found_and_everything_always() -> None:
    assert chances.caught(400, 0.0, 400) == 0.0
    assert chances.caught(400, 1.0, 1) == chances.caught(400, 0.001, 400) == 1.0


def test_the_test_of_success_is_wrong_as_rarely_as_it_says() -> None:
    draws = random.Random(3)
    refuted = 0
    for _ in range(2000):  # an honest model, a third of whose episodes end otherwise from time to time
        changed = [draws.random() < 0.5 for _ in range(60) if draws.random() < 1 / 3]
        refuted += chances.by_chance(sum(changed), len(changed) - sum(changed)) < chances.P
    assert refuted / 2000 <= chances.P + 4.0 * math.sqrt(chances.P / 2000)


@pytest.mark.parametrize(("compared", "share"), [(40, 0.2), (100, 0.1), (20, 0.5)])
def test_the_power_is_that_of_the_test(compared: int, share: float) -> None:
    draws = random.Random(f"{compared} {share}")
    found = sum(
        chances.by_chance(sum(draws.random() < share for _ in range(compared)), 0) < chances.P for _ in range(2000)
    )
    assert close(found, 2000, chances.power(compared, share))


def test_seven_lost_episodes_are_the_fewest() -> None:
    assert chances.fewest_lost() == 7 and chances.power(6, 1.0) == 0.0


def test_thousands_of_episodes_are_counted_too() -> None:
    assert chances.power(10_000, 0.01) == pytest.approx(1.0)
    assert chances.caught(200_000, 0.01, 5_000) == pytest.approx(1.0)
    assert chances.by_chance(2_100, 1_900) == pytest.approx(8.2e-4, rel=0.05)
