"""A limited search: which ends are left to choose among, and in which decisions the world model is asked."""

from __future__ import annotations

import pytest

from harness.contracts.search import WHOLE, Search, search_of
from harness.contracts.trajectories import PlayedEpisode
from harness.planning.proposals import End
from harness.worldmodels.imaginer import EnvironmentImaginer, Imaginer
from tasks.ignav.task import TASK
from tests.planning.test_loop import toy_tier
from tests.planning.toy import CopyImaginer, ToyEnvironment, toy_episode

CANDIDATES = 8


def play(number: int, wm: str, search: Search = WHOLE, seed: int = 0) -> PlayedEpisode:
    environment = ToyEnvironment()
    imaginers: dict[str, Imaginer | None] = {"gtsim": EnvironmentImaginer(environment), "copy": CopyImaginer()}
    imaginer = imaginers.get(wm)
    return TASK.play_episode(environment, imaginer, toy_episode(number), toy_tier(), seed, wm, "self", search)


def first_ends(wm: str, candidates: int, seed: int = 0) -> tuple[End, ...]:
    """Return what the first decision of an episode chooses among."""
    seen: list[tuple[End, ...]] = []

    class Watching(EnvironmentImaginer):
        def imagine(self, view, candidates, *rest):  # type: ignore[no-untyped-def]
            seen.append(tuple(candidates))
            return super().imagine(view, candidates, *rest)

    environment = ToyEnvironment()
    imaginer = Watching(environment)
    search = Search(candidates=candidates)
    TASK.play_episode(environment, imaginer, toy_episode(0), toy_tier(decisions=1), seed, wm, "self", search)
    return seen[0]


def test_only_so_many_candidates_are_imagined_and_chosen_among() -> None:
    for limit in (1, 3, CANDIDATES):
        for decision in play(1, "gtsim", Search(candidates=limit)).trajectory.decisions:
            assert 1 <= decision.rollouts <= limit and decision.candidates == limit
            assert len(decision.scores) == decision.ends <= limit * 3


def test_all_candidates_are_what_no_limit_is() -> None:
    assert play(2, "gtsim", Search(CANDIDATES)).trajectory.digest() == play(2, "gtsim").trajectory.digest()


def test_fewer_candidates_are_a_part_of_more_and_depend_on_seed_and_not_on_the_world_model() -> None:
    few, more = first_ends("gtsim", 2), first_ends("gtsim", 5)
    assert set(few) < set(more) and (len(few), len(more)) == (2, 5)
    assert first_ends("warp", 2) == few
    assert len({first_ends("gtsim", 2, seed) for seed in range(8)}) > 3


def test_every_candidate_is_drawn_about_as_often() -> None:
    counts: dict[object, int] = {}
    for seed in range(96):
        for candidate in first_ends("gtsim", 2, seed):
            counts[candidate] = counts.get(candidate, 0) + 1
    assert len(counts) == CANDIDATES and 10 <= min(counts.values()) <= max(counts.values()) <= 42


def test_without_being_asked_a_world_model_plays_as_none_does() -> None:
    for number in range(4):
        never = play(number, "gtsim", Search(wm_share=0.0)).trajectory
        none = play(number, "none").trajectory
        assert [d.chosen for d in never.decisions] == [d.chosen for d in none.decisions]
        assert never.stopped == none.stopped and all(not d.rollouts for d in never.decisions)
        assert (
            play(number, "gtsim", Search(wm_share=1.0)).trajectory.digest() == play(number, "gtsim").trajectory.digest()
        )


def test_the_share_says_in_how_many_decisions_it_is_asked() -> None:
    decisions = [d for n in range(20) for d in play(n, "gtsim", Search(wm_share=0.5), seed=n).trajectory.decisions]
    asked = sum(decision.rollouts > 0 for decision in decisions) / len(decisions)
    assert len(decisions) > 40 and 0.35 < asked < 0.65


def test_a_search_out_of_range_is_no_search() -> None:
    for plain in (
        {"candidates": 0},
        {"wm_share": 1.5},
        {"wm_share": float("nan")},
        {"candidate": 3},
        {"candidates": "3"},
    ):
        with pytest.raises(ValueError):
            search_of({"search": plain})
    assert search_of({}) == WHOLE and WHOLE.stamps == ()
    assert Search(4, 0.5).stamps == ("candidates-4", "wm-share-0.5")
