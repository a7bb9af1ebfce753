"""Making episodes: the order of homes decides, never the number of workers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from tasks.ignav import make_episodes
from tasks.ignav.make_episodes import HomeEpisodes, HomeJob, acceptance, main, make_split, make_tier
from tasks.suite import Split, load_suite
from tests.planning.toy import toy_episode
from tests.tasks.test_suite import make


def fake_draw(job: HomeJob) -> HomeEpisodes:
    """Give episodes for all homes but every third."""
    name = f"{job.split}-{job.index:04d}"
    if job.index % 3 == 1:
        return HomeEpisodes(name, "22" * 32, (), {"goal drawn": 9}, "too few")
    episodes = tuple(
        replace(toy_episode(n), id=f"{name}-{n:02d}", scene=name, home=name, split=job.split)
        for n in range(job.episodes)
    )
    counts = {"goal drawn": 4, "goal kept": 2, "goal shallow": 2, "start drawn": 10, "start kept": 2}
    return HomeEpisodes(name, "11" * 32, episodes, counts)


def test_homes_are_taken_in_order_until_the_split_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_episodes, "draw_home", fake_draw)
    tier = replace(make(tmp_path).tier("easy"), splits={"test": Split(4, 8)})
    kept, left_out = make_split(tier, "test", tier.splits["test"], 1, "")
    assert [home.scene for home in kept] == ["test-0000", "test-0002", "test-0003", "test-0005"]
    assert [home.scene for home in left_out] == ["test-0001", "test-0004"]


def test_a_tier_is_written_whole_and_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_episodes, "draw_home", fake_draw)
    suite = make(tmp_path)
    old_homes = dict(suite.scene_digests())
    tier = replace(suite.tier("easy"), splits={"test": Split(3, 6), "validation": Split(2, 2)})
    make_tier(suite, tier, 1, "")
    assert len(suite.episodes("easy", "test")) == 6 and len(suite.episodes("easy", "validation")) == 2
    assert set(suite.scene_digests()) > set(old_homes)
    statistics = json.loads((suite.folder / "easy-statistics.json").read_text())
    assert statistics["test"]["draws"]["goal"]["kept share"] == 0.5
    assert statistics["test"]["homes left out"] == {"test-0001": "too few"}
    first = suite.hash("easy")
    make_tier(suite, tier, 1, "")
    assert suite.hash("easy") == first


def test_acceptance_adds_up_over_homes() -> None:
    home = HomeEpisodes("a", "", (), {"goal drawn": 10, "goal kept": 3, "start drawn": 8, "start kept": 2})
    table = acceptance([home, home])
    assert table["goal"] == {"drawn": 20, "kept": 6, "kept share": 0.3}
    assert table["start"]["kept share"] == 0.25


def test_episodes_that_do_not_spread_evenly_are_refused(tmp_path: Path) -> None:
    tier = replace(make(tmp_path).tier("easy"), splits={"test": Split(3, 7)})
    with pytest.raises(Refusal, match="7 episodes cannot be spread evenly over 3 homes"):
        make_split(tier, "test", tier.splits["test"], 1, "")


def test_licensed_scenes_are_not_drawn_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--suite", "wiw-v1"]) == 2
    assert "licensed" in capsys.readouterr().err
    assert main(["--suite", "embeded"]) == 2


def test_the_shipped_splits_spread_evenly() -> None:
    for tier in load_suite("embedded").tiers.values():
        assert all(split.episodes % split.homes == 0 for split in tier.splits.values())
        assert (tier.splits["test"].homes, tier.splits["test"].episodes) == (100, 400)
