"""The shipped tiers keep what they promise: constraints of every episode, disjoint splits, frozen hashes."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.episodes import Episode
from tasks.ignav.scores.learnt import load_network
from tasks.registry import TASKS_FOLDER
from tasks.suite import DRAFT, FROZEN, PERSPECTIVE, load_suite
from tests.image_goals import goal_of

SUITE = load_suite("embedded-v1")
TIERS = sorted(SUITE.tiers)
OWN = [name for name in TIERS if SUITE.tier(name).episodes_of == name]
"""Tiers with episodes of their own; the others differ from one of these in the score alone."""
PAGE = TASKS_FOLDER.parent / "docs" / "suites.md"
TOLERANCE = 1e-9


def straight_m(episode: Episode) -> float:
    dx, dz = (episode.start.position[axis] - goal_of(episode).goal.position[axis] for axis in (0, 2))
    return math.sqrt(dx * dx + dz * dz)


def episodes_of(tier: str) -> list[Episode]:
    return [episode for split in SUITE.tier(tier).splits for episode in SUITE.episodes(tier, split)]


@pytest.mark.parametrize("name", TIERS)
def test_every_episode_lies_in_the_band_of_its_tier(name: str) -> None:
    tier = SUITE.tier(name)
    for episode in episodes_of(name):
        low, high = tier.constants.geodesic_m
        assert low <= goal_of(episode).geodesic_m <= high and goal_of(episode).radius_m == tier.constants.radius_m
        assert goal_of(episode).geodesic_m >= tier.constants.least_detour * straight_m(episode) - TOLERANCE
        assert (episode.task, episode.tier) == ("ignav", tier.episodes_of)
        assert episode.home == episode.scene and episode.home.startswith(f"{tier.constants.homes}{episode.split}-")
        assert episode.reference_actions >= (low - tier.constants.radius_m) / 0.2 - 1


@pytest.mark.parametrize("name", TIERS)
def test_no_episode_is_solved_at_its_start(name: str) -> None:
    assert [e.id for e in episodes_of(name) if goal_of(e).geodesic_m <= goal_of(e).radius_m] == []


@pytest.mark.parametrize("name", TIERS)
def test_splits_have_their_sizes_and_every_home_as_many_episodes(name: str) -> None:
    for split, size in SUITE.tier(name).splits.items():
        homes = Counter(episode.home for episode in SUITE.episodes(name, split))
        assert len(homes) == size.homes and set(homes.values()) == {size.episodes // size.homes}


def test_splits_and_distributions_share_no_home() -> None:
    digests = SUITE.scene_digests()
    groups: dict[str, set[str]] = {}
    for name in TIERS:
        for episode in episodes_of(name):
            groups.setdefault(episode.home.rpartition("-")[0], set()).add(digests[episode.home])
    assert set(groups) == {"validation", "test", "ood-validation", "ood-test"}
    assert sum(map(len, groups.values())) == len(set().union(*groups.values()))
    assert len(set(digests.values())) == len(digests)


def test_ids_are_of_one_tier_only() -> None:
    ids = [episode.id for name in OWN for episode in episodes_of(name)]
    assert len(ids) == len(set(ids))


def test_precise_has_the_starts_and_goals_of_easy() -> None:
    def places(name: str) -> list[tuple[object, ...]]:
        return [(e.home, e.split, e.start, goal_of(e).goal, goal_of(e).geodesic_m) for e in episodes_of(name)]

    assert places("precise") == places("easy-front") == places("easy")


def test_variants_differ_in_the_score_and_in_what_is_measured_by_it() -> None:
    variants = [name for name in TIERS if name not in OWN]
    assert variants == ["detour-classical", "easy-learnt", "ood-classical", "precise-classical", "precise-learnt-v2"]
    for name in variants:
        tier = SUITE.tier(name)
        own = SUITE.tier(tier.episodes_of)
        assert tier.loop.score != own.loop.score
        assert replace(tier.loop, score=own.loop.score, reviser=own.loop.reviser) == own.loop
        assert tier.loop.reviser == own.loop.reviser or name == "detour-classical"
        assert episodes_of(name) == episodes_of(own.name) and SUITE.hash(name) != SUITE.hash(own.name)


def test_an_agent_stops_within_metres_only_where_its_score_is_in_metres() -> None:
    for name in TIERS:
        loop = SUITE.tier(name).loop
        assert "stop_within_m" not in loop.reviser.params or loop.score.name == "learnt"
        radius = SUITE.tier(name).constants.radius_m
        assert loop.reviser.params.get("stop_within_m", radius) == radius
        for reference in SUITE.tier(name).references:
            played = SUITE.tier(name).loop_for(reference.wm).reviser
            assert played.params == ({} if played.name == "uniform" else loop.reviser.params)


def test_the_learnt_score_is_of_the_weights_that_are_shipped() -> None:
    scores = [SUITE.tier(name).loop.score for name in TIERS if SUITE.tier(name).loop.score.name == "learnt"]
    assert len(scores) == 5 and len(set(map(str, scores))) == 2
    for score in scores:
        assert load_network(str(score.params["weights"]), str(score.params["sha256"])) is not None


def test_the_next_learnt_score_is_a_tier_of_its_own() -> None:
    scores = {name: SUITE.tier(name).loop.score.params.get("weights") for name in TIERS}
    assert {name for name, weights in scores.items() if weights == "learnt-v2"} == {"precise-learnt-v2"}


@pytest.mark.slow
@pytest.mark.parametrize("home", ["validation-0003", "ood-validation-0003"])
def test_distances_and_digests_are_those_of_the_homes(home: str) -> None:
    from images.embedded.environment import make_scene
    from images.embedded.homebytes import home_digest
    from images.embedded.homes import build_home
    from images.embedded.homes.splits import parse_home

    built = build_home(parse_home(home)[1])
    assert home_digest(built) == SUITE.scene_digests()[home]
    navigator = make_scene(home, built).navigator
    found = [episode for name in OWN for episode in episodes_of(name) if episode.home == home]
    assert len(found) == (4 if home.startswith("ood") else 16)
    for episode in found:
        assert (
            navigator.geodesic_distance(episode.start.position, goal_of(episode).goal.position)
            == goal_of(episode).geodesic_m
        )


@pytest.mark.parametrize("name", OWN)
def test_statistics_are_those_of_the_episodes(name: str) -> None:
    kept = json.loads((SUITE.folder / f"{name}-statistics.json").read_text())
    for split in SUITE.tier(name).splits:
        episodes = SUITE.episodes(name, split)
        mean = sum(goal_of(e).geodesic_m for e in episodes) / len(episodes)
        assert kept[split]["mean geodesic_m"] == pytest.approx(mean, abs=1e-9)
        assert kept[split]["draws"]["start"]["kept"] == len(episodes)


def hashes_on_the_page() -> dict[str, str]:
    rows = re.findall(r"^\| `([\w-]+)` `([\w-]+)` \| `([0-9a-f]{64})` \|", PAGE.read_text(encoding="utf-8"), re.M)
    return {f"{suite}/{tier}": value for suite, tier, value in rows}


def test_the_page_has_the_hash_of_every_frozen_tier_and_of_no_draft() -> None:
    """A failure here means that results of a published suite changed their meaning: make a new version instead."""
    frozen = {f"{SUITE.name}/{name}": SUITE.hash(name) for name in TIERS if SUITE.tier(name).status == FROZEN}
    assert hashes_on_the_page() == frozen
    assert "embedded-v1/easy" in frozen


def test_the_page_has_the_constants_of_every_tier() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in TIERS:
        tier = SUITE.tier(name)
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        low, high = tier.constants.geodesic_m
        wanted = [
            f"{low:g}-{high:g} m",
            f"{tier.constants.radius_m:g} m",
            f"{tier.loop.decisions}",
            f"`{tier.loop.score.name}`",
        ]
        wanted += [tier.view] if tier.view == PERSPECTIVE else []
        wanted += [f"`{tier.loop.proposer.name}`" if name in OWN else f"as `{tier.episodes_of}`", tier.status]
        assert all(f"| {cell} |" in row or f" {cell}" in row for cell in wanted), (row, wanted)


def test_a_status_changes_no_hash(tmp_path: Path) -> None:
    import shutil

    target = tmp_path / "ignav" / "suites" / "embedded-v1"
    shutil.copytree(SUITE.folder, target)
    text = (target / "suite.toml").read_text()
    (target / "suite.toml").write_text(text.replace('\ndescription = "', '\nstatus = "draft"\ndescription = "'))
    drafts = load_suite("embedded-v1", root=tmp_path)
    assert {tier.status for tier in SUITE.tiers.values()} == {FROZEN}
    assert {tier.status for tier in drafts.tiers.values()} == {DRAFT}
    assert {name: drafts.hash(name) for name in TIERS} == {name: SUITE.hash(name) for name in TIERS}
