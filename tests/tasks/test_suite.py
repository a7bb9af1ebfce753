"""Suites: read strictly, hashed per tier, and refused in words."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest

from harness.contracts.errors import Refusal
from harness.planning import lpips_metric
from harness.planning.evidence import IMAGINED, NOTHING
from tasks import requirements, suite_files
from tasks.ignav.parts import PARTS
from tasks.registry import TASKS_FOLDER, list_tasks, load_task
from tasks.suite import Suite, list_suites, load_suite, suite_hash
from tests.planning.toy import toy_episode

Edit = Callable[[str], str]


def unchanged(text: str) -> str:
    return text


def make_root(folder: Path, edit: Edit = unchanged, suite: str = "embedded-v1") -> Path:
    """Write a small suite with the real suite.toml (edited), two splits of one tier and scene digests."""
    target = folder / "ignav" / "suites" / suite
    target.mkdir(parents=True)
    text = (TASKS_FOLDER / "ignav" / "suites" / "embedded-v1" / "suite.toml").read_text()
    (target / "suite.toml").write_text(edit(text))
    for split, numbers in (("validation", (0, 1)), ("test", (2, 3))):
        episodes = [replace(toy_episode(n), split=split) for n in numbers]
        suite_files.write_episodes(target / f"easy-{split}.json.gz", episodes)
    suite_files.write_json(target / "homes.json", {"toy": "00" * 32, "elsewhere": "11" * 32})
    return folder


def make(folder: Path, edit: Edit = unchanged) -> Suite:
    return load_suite("embedded-v1", root=make_root(folder, edit))


def hashed(folder: Path, edit: Edit = unchanged) -> str:
    return make(folder, edit).hash("easy")


def second_tier(text: str) -> str:
    """Return the suite with a copy of the easy tier, harder."""
    easy = text[text.index("[tiers.easy]") : text.index("[tiers.precise]")]
    return text + "\n" + easy.replace("tiers.easy", "tiers.severe").replace("radius_m = 0.5", "radius_m = 0.3")


def test_the_shipped_suites_load_and_name_parts_that_exist() -> None:
    assert list_suites("ignav") == ("embedded-v1", "wiw-v1")
    for name in list_suites("ignav"):
        suite = load_suite(name)
        for tier in suite.tiers.values():
            assert callable(PARTS.make_proposer(tier.loop.proposer, suite.action_space).propose)
            assert PARTS.make_reviser(tier.loop.reviser).evidence == IMAGINED
            assert PARTS.make_reviser(tier.loop_for("none").reviser).evidence == NOTHING
            assert tier.loop_for("gtsim") == tier.loop


def test_the_published_constants() -> None:
    tier = load_suite("wiw").tier()
    assert tier.loop.decisions == 20 and tier.constants.radius_m == 0.5 and tier.loop.stop_rules == ("oracle",)
    assert tier.loop.proposer.params == {"candidates": 3, "length": 5, "published_rng": True}
    assert tier.splits["test"].episodes == 144


def test_a_family_means_its_newest_version(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        name = f"embedded-v{version}"
        make_root(tmp_path, lambda text, name=name: text.replace("embedded-v1", name), name)  # type: ignore[misc]
    assert load_suite("embedded", root=tmp_path).name == "embedded-v10"
    assert load_suite("embedded-v2", root=tmp_path).name == "embedded-v2"


def test_episodes_come_back_as_written(tmp_path: Path) -> None:
    suite = make(tmp_path)
    assert suite.episodes("easy", "test") == tuple(replace(toy_episode(n), split="test") for n in (2, 3))
    assert suite.episodes("easy") == suite.episodes("easy", suite.default_split)


def test_equal_episodes_give_equal_files(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.json.gz", "b.json.gz")]
    for path in paths:
        suite_files.write_episodes(path, [toy_episode(0), toy_episode(1)])
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_hash_is_stable_and_covers_what_decides_an_outcome(tmp_path: Path) -> None:
    first = hashed(tmp_path / "a")
    assert re.fullmatch("[0-9a-f]{64}", first) and hashed(tmp_path / "b") == first
    edits: dict[str, Edit] = {
        "rig": lambda text: text.replace("height_m = 1.25", "height_m = 1.2", 1),
        "actions": lambda text: text.replace("forward_m = 0.20", "forward_m = 0.25"),
        "decisions": lambda text: text.replace("decisions = 5", "decisions = 6"),
        "score": lambda text: text.replace("hog = 0.5", "hog = 0.6"),
        "memory": lambda text: text.replace("memory_radius_m = 0.3", "memory_radius_m = 0.4"),
        "proposer": lambda text: text.replace("headings = 8", "headings = 16"),
    }
    others = {name: hashed(tmp_path / name, edit) for name, edit in edits.items()}
    assert len({first, *others.values()}) == len(others) + 1


def test_the_hash_covers_episodes_of_every_split_and_the_scenes_they_use(tmp_path: Path) -> None:
    suite = make(tmp_path)
    first = suite_hash(suite, "easy")
    homes = suite.folder / "homes.json"
    suite_files.write_json(homes, {"toy": "00" * 32, "elsewhere": "22" * 32})
    assert suite_hash(suite, "easy") == first
    suite_files.write_json(homes, {"toy": "33" * 32})
    assert suite_hash(suite, "easy") != first
    suite_files.write_json(homes, {"toy": "00" * 32})
    suite_files.write_episodes(suite.episode_path("easy", "test"), [toy_episode(2)])
    assert suite_hash(suite, "easy") != first


def test_a_new_tier_task_or_description_changes_no_old_hash(tmp_path: Path) -> None:
    first = hashed(tmp_path / "a")
    extended = make(tmp_path / "b", second_tier)
    for split in ("validation", "test"):
        shutil.copy(extended.episode_path("easy", split), extended.episode_path("severe", split))
    assert extended.hash("easy") == first and extended.hash("severe") != first
    shutil.copytree(extended.folder, tmp_path / "b" / "ar" / "suites" / "embedded-v1")
    assert load_suite("embedded", root=tmp_path / "b").hash("easy") == first
    assert hashed(tmp_path / "c", lambda text: text.replace("goals 1.5 to 3 m away", "near goals")) == first


def test_a_scene_without_digest_is_refused(tmp_path: Path) -> None:
    suite = make(tmp_path)
    suite_files.write_json(suite.folder / "homes.json", {})
    with pytest.raises(Refusal, match=r"no digest of scene 'toy'.*make_episodes"):
        suite.hash("easy")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_suite("embeded"), "Did you mean 'embedded'"),
        (lambda: load_suite("embedded", "xyz"), "no suite 'embedded' for task 'xyz'"),
        (lambda: load_suite("embedded").tier("eazy"), "Did you mean 'easy'"),
        (lambda: load_suite("embedded").episodes("easy", "tset"), "Did you mean 'test'"),
        (lambda: load_suite("embedded").tier().check_stop("orcale"), "self, oracle"),
        (lambda: load_task("ignaw"), "Did you mean 'ignav'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(call: Callable[[], object], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        call()


def test_a_suite_that_cannot_run_here_says_why_and_what_would_work() -> None:
    with pytest.raises(Refusal, match=r"wiw-v1 cannot run here.*habitat_eval.*--suite embedded"):
        load_suite("wiw").require_runnable()


def test_the_published_suite_says_that_torch_is_missing_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpips_metric, "find_spec", lambda name: None if name == "torch" else name)
    reasons = [missing.reason for missing in load_suite("wiw").missing()]
    assert any("'torch'" in reason for reason in reasons), reasons
    with pytest.raises(Refusal, match=r"needs the package 'torch'.*pip install torch"):
        PARTS.check_score(load_suite("wiw").tier().loop.score)


def test_requirements_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert requirements.missing_requirement("package:json") is None
    missing = requirements.missing_requirement("package:surely_not_installed")
    assert missing is not None and "surely_not_installed" in missing.reason and "pip install" in missing.remedy
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    missing = requirements.missing_requirement("package:mujoco")
    assert missing is not None and "[embedded,tabletop]" in missing.remedy
    with pytest.raises(Refusal, match="no known kind"):
        requirements.missing_requirement("gpu:8")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("radius_m = 0.5", "radius_m = -0.5"), r"tiers\.easy\.radius_m"),
        (lambda text: text.replace("decisions = 5", "decisoins = 5"), r"tiers\.easy\.loop\.decis"),
        (
            lambda text: text.replace('agent_camera = "pano"', 'agent_camera = "side"'),
            "camera 'side' is not in the rig",
        ),
        (lambda text: text.replace('kind = "pinhole"', 'kind = "fisheye"', 1), r"rig\.0\.kind: .*found 'fisheye'"),
        (lambda text: text.replace("hfov_deg = 90.0", "hfov_deg = 190.0", 1), "rig: front: hfov_deg is 190"),
        (lambda text: text.replace("height_m = 1.25", "height_m = 0.0", 1), "rig: front: height_m is 0"),
        (lambda text: text.replace("forward_m = 0.20", 'space = "discrete7"', 1), "action_space"),
        (lambda text: text.replace('name = "front"', 'name = "pano"', 1), "two cameras of one name"),
        (lambda text: text.replace('baseline = "homing"', 'baseline = "nil"'), "baseline 'nil' is not a reference"),
        (lambda text: text.replace('default_tier = "easy"', 'default_tier = "mild"'), "default_tier 'mild'"),
        (lambda text: text.replace("embedded-v1", "embedded-v3"), "calls itself 'embedded-v3'"),
        (lambda text: text.replace("[action_space]", "[action_space"), "cannot be read as TOML"),
    ],
)
def test_a_wrong_suite_file_is_refused_with_file_and_field(tmp_path: Path, edit: Edit, message: str) -> None:
    with pytest.raises(Refusal, match=message) as caught:
        make(tmp_path, edit)
    assert "suite.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius_m": "near"}, r"item 1: radius_m"),
        ({"goal": {"position": [0.0, 1.0], "rotation": [1.0, 0.0, 0.0, 0.0]}}, r"item 1: goal\.position"),
        ({"colour": "red"}, r"item 1: colour"),
        ({"id": "toy-2"}, r"item 1: id: 'toy-2' occurs twice"),
    ],
)
def test_a_wrong_episode_is_refused_with_file_item_and_field(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    suite = make(tmp_path)
    path = suite.episode_path("easy", "test")
    items = json.loads(gzip.decompress(path.read_bytes()))
    items[1].update(change)
    path.write_bytes(gzip.compress(json.dumps(items).encode()))
    with pytest.raises(Refusal, match=message) as caught:
        suite.episodes("easy", "test")
    assert path.name in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"[1, 2", mtime=0)], ids=["empty", "text", "cut"])
def test_a_broken_episode_file_is_refused(tmp_path: Path, content: bytes) -> None:
    suite = make(tmp_path)
    suite.episode_path("easy", "test").write_bytes(content)
    with pytest.raises(Refusal, match=r"easy-test\.json\.gz"):
        suite.episodes("easy", "test")


def test_missing_episodes_name_the_command_that_makes_them(tmp_path: Path) -> None:
    suite = make(tmp_path)
    suite.episode_path("easy", "test").unlink()
    with pytest.raises(Refusal, match=r"tasks\.ignav\.make_episodes --suite embedded-v1 --tier easy"):
        suite.episodes("easy", "test")


def test_tasks_load_by_name() -> None:
    assert list_tasks() == ("ignav", "manip")
    task = load_task("ignav")
    assert task.name == "ignav" and "goal" in task.summary and callable(task.play_episode)


def test_another_environment_is_another_name_and_another_hash() -> None:
    suite = load_suite("embedded")
    there = load_suite("embedded@habitat")
    assert (there.name, there.environment, there.family) == ("embedded-v1@habitat", "habitat", "embedded")
    assert load_suite(there.name) == there == suite.in_environment("habitat")
    assert there.hash() != suite.hash()
    assert there.episodes("easy") == suite.episodes("easy") and there.scene_digests() == suite.scene_digests()
    assert replace(there, navmesh={**there.navmesh, "agent_radius": 0.2}).hash() != there.hash()
    assert suite.in_environment("embedded") is suite
    with pytest.raises(Refusal, match=r"no environment 'habbitat'.*habitat"):
        suite.in_environment("habbitat")
    with pytest.raises(Refusal, match="wiw-v1 cannot be played in embedded"):
        load_suite("wiw").in_environment("embedded")


def test_a_task_of_the_user_that_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "task.py").write_text("raise ValueError('oops')\n")
    monkeypatch.setenv("WIW_TASKS", str(tmp_path))
    monkeypatch.setattr("sys.path", [*sys.path])
    assert list_tasks() == ("broken", "ignav", "manip")
    with pytest.raises(Refusal, match=r"broken/task\.py cannot be loaded: ValueError: oops"):
        load_task("broken")
    monkeypatch.setenv("WIW_TASKS", str(tmp_path / "missing"))
    with pytest.raises(Refusal, match=r"WIW_TASKS names the folder .*missing, which is not there"):
        list_tasks()
