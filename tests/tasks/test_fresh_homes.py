"""Fresh homes: made of a seed by the rules of the test split, once, whole, and equal wherever they are made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.auditing.identity_checks import check_identity
from harness.contracts.errors import Refusal
from harness.records.damage import Findings
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from images.embedded.homes.splits import OOD, SPLIT_SIZES, UnknownHomeError, home_name, home_seed, is_ood, parse_home
from tasks import fresh_homes
from tasks.fresh_homes import is_fresh, named_split
from tasks.ignav import make_episodes
from tasks.suite import Suite, load_suite
from tasks.suite_files import Split

HEX = "00ff00ff12345678"
SPLIT = f"fresh-{HEX}"


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """The suite with a test split of two homes, and a cache of its own."""
    whole = load_suite("embedded-v1")
    monkeypatch.setenv("WIW_CACHE", str(tmp_path))
    tiers = {
        name: replace(tier, splits={**tier.splits, "test": Split(homes=2, episodes=4)})
        for name, tier in whole.tiers.items()
    }
    return replace(whole, tiers=tiers)


def test_a_fresh_home_is_of_no_other_split_and_of_no_other_seed() -> None:
    kinds = [SPLIT, f"{OOD}{SPLIT}", "fresh-00ff00ff12345679"]
    seeds = [home_seed(split, index) for split in kinds for index in range(1000)]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) > max(home_seed(split, size - 1) for split, size in SPLIT_SIZES.items())
    assert [is_ood(home_seed(split, 7)) for split in kinds] == [False, True, False]
    assert all(parse_home(home_name(split, 7)) == (split, home_seed(split, 7)) for split in kinds)


def test_the_seed_of_a_fresh_home_never_changes() -> None:
    assert home_seed(SPLIT, 3) == 50_719_503_638_438_193_252


@pytest.mark.parametrize("name", [f"{SPLIT}-1000", "fresh-00FF00FF12345678-0001", "fresh-123-0001", "fresh-0001"])
def test_other_names_are_no_homes(name: str) -> None:
    with pytest.raises(UnknownHomeError):
        parse_home(name)


def test_the_seed_belongs_to_the_split_and_is_sixteen_digits() -> None:
    assert named_split("fresh", HEX.upper()) == SPLIT and is_fresh(SPLIT)
    assert named_split("test", "") == "test" and named_split(SPLIT, "") == SPLIT and not is_fresh("fresh")
    with pytest.raises(Refusal, match="is missing"):
        named_split("fresh", "")
    with pytest.raises(Refusal, match="16 hexadecimal digits"):
        named_split("fresh", "12345")
    with pytest.raises(Refusal, match="for fresh homes"):
        named_split("test", HEX)


def lend(monkeypatch: pytest.MonkeyPatch, too_few: int = -1) -> list[str]:
    """Have homes give validation episodes under their own names, home ``too_few`` none; return what is drawn."""
    drawn: list[str] = []

    def draw(job: make_episodes.HomeJob) -> make_episodes.HomeEpisodes:
        name = home_name(job.split, job.index)
        drawn.append(f"{job.tier.name} {name}")
        lent = load_suite("embedded-v1").episodes(job.tier.name, "validation")[: job.episodes * (job.index != too_few)]
        episodes = [
            replace(episode, id=f"{job.prefix}{name}-{number:02d}", split=job.split, scene=name, home=name)
            for number, episode in enumerate(lent)
        ]
        return make_episodes.HomeEpisodes(name, f"digest of {name}", tuple(episodes), {})

    monkeypatch.setattr(make_episodes, "draw_home", draw)
    return drawn


def test_homes_are_made_once_and_kept_whole(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    tier = suite.tier("precise-classical")
    with pytest.raises(Refusal, match=f"--fresh-seed {HEX}"):
        suite.episodes(tier.name, SPLIT)
    drawn = lend(monkeypatch, too_few=1)
    fresh_homes.make(suite, tier, SPLIT, 1)
    fresh_homes.make(suite, tier, SPLIT, 1)
    assert drawn == [f"precise {SPLIT}-{index:04d}" for index in range(3)]  # the variant plays its tier's episodes
    episodes = suite.episodes(tier.name, SPLIT)
    assert [e.id for e in episodes] == [f"precise-{SPLIT}-000{home}-0{n}" for home in (0, 2) for n in (0, 1)]
    assert {e.split for e in episodes} == {SPLIT}
    assert suite.scenes_of(tier.name, SPLIT) == {e.scene: f"digest of {e.scene}" for e in episodes}
    assert suite.split_sizes(tier.name, SPLIT)[SPLIT] == 4


def test_nothing_is_kept_of_homes_that_could_not_be_made(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(job: make_episodes.HomeJob) -> make_episodes.HomeEpisodes:
        raise KeyboardInterrupt

    monkeypatch.setattr(make_episodes, "draw_home", failing)
    with pytest.raises(KeyboardInterrupt):
        fresh_homes.make(suite, suite.tier("easy"), SPLIT, 1)
    assert not fresh_homes.is_made(suite, suite.tier("easy"), SPLIT)


def test_a_suite_whose_scenes_are_files_has_none() -> None:
    published = load_suite("wiw-v1")
    with pytest.raises(Refusal, match="no fresh homes"):
        fresh_homes.make(published, published.tier(), SPLIT, 1)


def test_a_run_names_its_seed_and_is_held_to_its_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIW_CACHE", str(tmp_path / "one"))
    lend(monkeypatch)
    plan = make_plan(RunOptions(wm="warp", task="ignav", split="fresh", fresh_seed=HEX, episodes="8"))
    identity = plan.identity
    assert identity.split == SPLIT and {e.split for e in identity.episodes} == {SPLIT}
    assert all(f"digest of {episode.scene}" in str(plan.environment) for episode in identity.episodes)
    assert check_identity(identity) == Findings()
    other = replace(identity, specs={**identity.specs, "fresh": "0" * 64})
    assert "its fresh homes have the hash 000000000000" in str(check_identity(other).damage[0])
    moved = replace(identity, episodes=(replace(identity.episodes[0], start=identity.episodes[5].start),))
    assert check_identity(moved).damage
    monkeypatch.setenv("WIW_CACHE", str(tmp_path / "another machine"))
    found = check_identity(identity)
    assert not found.damage and "are not made here: episodes and radius were not checked" in found.unchecked[0]
