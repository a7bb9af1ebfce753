"""Shipped reference results are those of this code: matched by hash, verified by their roots, played again here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import Refusal
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.running import runs
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.scoring.data import load_run
from harness.studies.shipped_references import (
    find_references,
    main,
    read_references,
    reference_file,
    reference_path,
    shipped_references,
    write_references,
)
from tasks.suite import load_suite

SUITE = load_suite("embedded-v1")
SHIPPED = sorted(path.name.removesuffix("-validation.json") for path in (SUITE.folder / "references").glob("*.json"))
README_ROOT = "fc86fa1d8bf260a7ef253b17b9da39fe2c344b401e7d0b2fbc75e22c18b05b87"


def identity(tier: str = "easy", **changes: Any) -> RunIdentity:
    """Return what a run of the simulator, which every tier can judge, asks."""
    return make_plan(replace(RunOptions("gtsim", "ignav", suite="embedded-v1", tier=tier), **changes)).identity


def test_every_tier_ships_the_references_of_its_default_episodes() -> None:
    assert set(SHIPPED) == set(SUITE.tiers)


@pytest.mark.parametrize("tier", SHIPPED)
def test_a_default_run_finds_all_references_of_its_tier(tier: str) -> None:
    asked = identity(tier)
    points = shipped_references(SUITE, asked)
    assert set(points) == {reference.wm for reference in SUITE.tier(tier).references}
    for point in points.values():
        assert [result.episode for result in point.results] == [episode.id for episode in asked.episodes]
        assert [result.home for result in point.results] == [episode.home for episode in asked.episodes]
        assert point.success.n == len(asked.episodes)


def test_the_simulator_is_shipped_with_the_root_that_the_readme_shows() -> None:
    file = read_references(reference_path(SUITE, "easy", "validation"))
    assert {r.wm: r.trajectory_root for r in file.references}["gtsim"] == README_ROOT


def test_fewer_episodes_get_their_own_part() -> None:
    asked = identity(episodes="5")
    points = shipped_references(SUITE, asked)
    assert all({r.episode for r in point.results} == {e.id for e in asked.episodes} for point in points.values())
    assert points["oracle"].success.n == 5


@pytest.mark.parametrize("changes", [{"episodes": "all"}, {"split": "test"}, {"stop": "oracle"}])
def test_other_episodes_splits_and_stop_rules_get_none(changes: dict[str, str]) -> None:
    assert shipped_references(SUITE, identity(**changes)) == {}


def test_another_hash_gets_none() -> None:
    assert shipped_references(SUITE, replace(identity(), suite_hash="0" * 64)) == {}


@pytest.mark.parametrize("damage", ["solved", "digest", "missing row", "root", "text"])
def test_a_changed_file_is_refused(tmp_path: Path, damage: str) -> None:
    text = reference_path(SUITE, "easy", "validation").read_text()
    plain = json.loads(text)
    first = plain["references"][-1]
    if damage == "solved":
        first["rows"][0][1] = not first["rows"][0][1]
    if damage == "digest":
        first["rows"][0][2] = "0" * 64
    if damage == "missing row":
        first["rows"].pop()
    if damage == "root":
        first["trajectory_root"] = "0" * 64
    path = tmp_path / "easy-validation.json"
    path.write_text("{" if damage == "text" else json.dumps(plain))
    with pytest.raises(Refusal, match=r"easy-validation\.json"):
        read_references(path)


def test_writing_what_was_read_gives_the_same_bytes(tmp_path: Path) -> None:
    path = reference_path(SUITE, "easy", "validation")
    write_references(tmp_path / "again.json", read_references(path))
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_what_is_missing_is_named_with_its_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--tier", "easy"]) == 2
    said = capsys.readouterr().err
    assert "python benchmark.py --wm homing --task ignav --suite embedded-v1 --tier easy" in said
    assert "gtsim" in said


@pytest.mark.slow
@pytest.mark.parametrize("wm", ["none", "look", "homing", "oracle", "copy", "warp", "gtsim"])
def test_playing_again_gives_the_shipped_episodes(tmp_path: Path, wm: str) -> None:
    # A tier of each loop, and of each score and its reviser; the others are variants of these.
    tiers = ["detour", "easy-front", "ood-classical", "precise"] if wm == "copy" else ["easy", "precise"]
    for tier in tiers:
        names = {reference.wm for reference in SUITE.tier(tier).references}
        name = wm if wm in names else f"{wm}-front"
        plan = make_plan(RunOptions(name, "ignav", suite="embedded-v1", tier=tier, episodes="2"))
        folder = RunFolder.open(runs.start(plan, tmp_path).path)
        shipped = {result.episode: result for result in shipped_references(SUITE, plan.identity)[name].results}
        for result in load_run(folder).results:
            assert result.trajectory_digest == shipped[result.episode].trajectory_digest
            assert result.state == shipped[result.episode].state


@pytest.mark.slow
def test_the_command_makes_the_file_from_runs_and_checks_it(tmp_path: Path) -> None:
    arguments = [str(tmp_path), "--tier", "easy", "--episodes", "1"]
    assert main([*arguments, "--play", "--check"]) == 2, "one episode is not what is shipped"
    found, missing = find_references(SUITE, "easy", "1", [tmp_path])
    assert not missing
    made = reference_file(SUITE, "easy", found)
    shipped = read_references(reference_path(SUITE, "easy", "validation"))
    for mine, theirs in zip(made.references, shipped.references, strict=True):
        assert mine.wm == theirs.wm and mine.rows[0] == theirs.rows[0]
