"""Ranks: told apart where the episodes show it, shared where they do not, and wrong no oftener than promised."""

from __future__ import annotations

import numpy as np

from harness.scoring.ranking import standings

HOMES = [f"home-{number // 4}" for number in range(240)]


def played(*abilities: float, seed: int = 0) -> list[list[bool]]:
    rng = np.random.default_rng(seed)
    return [(rng.random(len(HOMES)) < ability).tolist() for ability in abilities]


def test_who_is_told_apart_has_a_rank_of_its_own_and_the_others_share() -> None:
    found = standings(np.array(played(0.95, 0.5, 0.5, 0.05)), HOMES)
    assert [each.ranks for each in found] == ["1", "2–3", "2–3", "4"]
    assert found[1].better == (0,) and found[1].alike == (2,) and found[1].worse == (3,)


def test_one_alone_is_first_and_equal_outcomes_are_alike() -> None:
    assert [each.ranks for each in standings(np.array(played(0.5)), HOMES)] == ["1"]
    same = np.array(played(0.5) * 3)
    assert {each.ranks for each in standings(same, HOMES)} == {"1–3"}


def test_the_order_of_the_rows_changes_nothing() -> None:
    solved = np.array(played(0.7, 0.3, 0.6, 0.5))
    forward, backward = standings(solved, HOMES), standings(solved[::-1], HOMES)
    assert [each.ranks for each in forward] == [each.ranks for each in reversed(backward)]


def test_equal_models_are_seldom_told_apart_in_any_pair() -> None:
    wrong = 0
    for seed in range(60):
        found = standings(np.array(played(*[0.5] * 6, seed=seed)), HOMES)
        wrong += any(each.ranks != "1–6" for each in found)
    assert wrong <= 8  # 5 % of 60 are 3; more than 8 has a chance of .4 %
