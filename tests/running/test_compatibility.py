"""Which tiers judge what a world model imagines: panoramas and front views are classes of their own."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.conformance.target import find_target
from harness.contracts.cameras import Rig
from harness.contracts.errors import Refusal
from harness.running.compatibility import (
    capabilities_for,
    check_actions,
    check_reference,
    check_view,
    choose_tier,
    place_of,
    tier_for,
)
from harness.worldmodels.catalog import load_catalog
from tasks.suite import PANORAMA, PERSPECTIVE, load_suite

SUITE = load_suite("embedded-v1")
CATALOG = load_catalog()
FRONT = [name for name, tier in SUITE.tiers.items() if tier.view == PERSPECTIVE]


def test_there_is_a_tier_for_perspective_models_and_none_of_the_others_is() -> None:
    assert FRONT == ["easy-front"]
    assert tier_for(SUITE, PERSPECTIVE) == "easy-front" and tier_for(SUITE, PANORAMA) == SUITE.default_tier


@pytest.mark.parametrize("wm", ["svd", "ltx", "wan22", "cosmos20", "nwm", "warp-front", "copy-front"])
def test_a_perspective_model_plays_front_views_and_is_shown_the_way_from_panoramas(wm: str) -> None:
    manifest = CATALOG.find(wm).manifest
    check_view(manifest, SUITE, SUITE.tier("easy-front"))
    with pytest.raises(Refusal, match="compares panoramas") as refused:
        check_view(manifest, SUITE, SUITE.tier("precise"))
    assert refused.value.next_step.splitlines() == [
        "Play it with --suite embedded --tier easy-front",
        "or with --suite wiw",
        f"or try the model alone: python benchmark.py plugin check {wm}",
    ]


@pytest.mark.parametrize("wm", ["warp", "copy", "FTltx"])
def test_a_panorama_model_is_refused_where_front_views_are_compared(wm: str) -> None:
    manifest = CATALOG.find(wm).manifest
    check_view(manifest, SUITE, SUITE.tier("precise"))
    with pytest.raises(Refusal, match="compares front views") as refused:
        check_view(manifest, SUITE, SUITE.tier("easy-front"))
    assert "--tier easy\n" in refused.value.next_step and "easy-front" not in refused.value.next_step


@pytest.mark.parametrize("tier", sorted(SUITE.tiers))
@pytest.mark.parametrize("wm", ["gtsim", "gtsim-swapped", "none", "oracle", "homing"])
def test_the_simulator_and_those_without_a_model_play_everywhere(wm: str, tier: str) -> None:
    check_view(CATALOG.find(wm).manifest, SUITE, SUITE.tier(tier))


def test_a_model_of_another_shape_than_the_camera_is_told_which_would_fit() -> None:
    wide = replace(CATALOG.find("svd").manifest, height=288, width=512)
    with pytest.raises(Refusal, match="288 x 512") as refused:
        check_view(wide, SUITE, SUITE.tier("easy-front"))
    assert "--set height=512 --set width=512" in refused.value.next_step
    check_view(replace(wide, height=512), SUITE, SUITE.tier("easy-front"))


@pytest.mark.parametrize("wm", ["warp-front", "copy-front"])
def test_a_rig_without_a_panorama_is_refused_when_it_is_planned(wm: str) -> None:
    front = replace(SUITE, rig=Rig((SUITE.rig.camera("front"),)))
    with pytest.raises(Refusal, match="none of its cameras is equirect"):
        check_view(CATALOG.find(wm).manifest, front, SUITE.tier("easy-front"))
    check_view(CATALOG.find("gtsim").manifest, front, SUITE.tier("easy-front"))


def test_an_arm_s_suite_plays_the_simulator_and_what_is_told_no_actions_and_no_model_that_walks() -> None:
    suite = load_suite("embedded", "manip")
    for wm in ("none", "oracle", "copy-front", "gtsim"):
        manifest = CATALOG.find(wm).manifest
        check_actions(manifest, suite)
        check_view(manifest, suite, suite.tier())
    with pytest.raises(Refusal, match=r"imagines actions of the space 'navigation'.*'discrete7'"):
        check_actions(CATALOG.find("warp-front").manifest, suite)
    with pytest.raises(Refusal, match="compares front views"):
        check_view(CATALOG.find("copy").manifest, suite, suite.tier())


def test_what_the_oracle_needs_of_an_environment_is_its_task_s_to_say() -> None:
    oracle, table = CATALOG.find("oracle").manifest, load_suite("embedded", "manip")
    assert capabilities_for(oracle, SUITE.tier()) == ("lookahead",)
    assert capabilities_for(oracle, table.tier()) == ()


def test_references_of_a_tier_are_of_its_views() -> None:
    names = {name: {r.wm for r in tier.references} for name, tier in SUITE.tiers.items()}
    assert names["easy-front"] == {"none", "homing", "oracle", "copy-front", "warp-front", "gtsim"}
    assert all(
        n == {"none", "look", "homing", "oracle", "copy", "warp", "gtsim"} for t, n in names.items() if t not in FRONT
    )
    homing = SUITE.tier("easy-front").loop_for("homing")
    assert homing.agent_camera == "pano" and SUITE.tier("easy-front").loop.agent_camera == "front"
    assert SUITE.tier("easy").loop_for("homing").agent_camera == "pano"


def test_a_dry_run_counts_what_a_front_loop_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--wm", "gtsim", "--task", "ignav", "--tier", "easy-front", "--episodes", "3", "--dry-run"]) == 0
    told = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if " " in line)
    assert int(told["rollouts_at_most"]) == 3 * 5 * 8 * 2 * 2


def test_without_a_word_the_tier_is_the_first_that_plays_the_models_views() -> None:
    chosen = {wm: choose_tier(CATALOG.find(wm).manifest, SUITE, "").name for wm in ("warp", "gtsim", "none", "ltx")}
    assert chosen == {"warp": "easy", "gtsim": "easy", "none": "easy", "ltx": "easy-front"}


def test_a_tier_of_another_suite_is_refused_with_the_suite_that_has_it() -> None:
    with pytest.raises(Refusal, match=r"(?s)home suite of ltx.*'easy-front'.*--suite embedded --tier easy-front"):
        choose_tier(CATALOG.find("ltx").manifest, load_suite("wiw"), "easy-front")
    with pytest.raises(Refusal, match=r"(?s)embedded-v1 has no tier 'esay'.*easy"):
        choose_tier(CATALOG.find("ltx").manifest, SUITE, "esay")


def test_the_hint_finds_a_model_of_a_folder_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my plugin"
    folder.mkdir()
    (folder / "plugin.toml").write_text(
        '[family]\nname = "far"\nentry_point = "far:Far"\n'
        '[[model]]\nname = "far-front"\nview = "perspective"\n'
        '[[model]]\nname = "far-arm"\nsettings = {action_space = "wings"}\n'
    )
    for wm, tier in (("far-front", "easy"), ("far-arm", "easy")):
        assert main(("--wm", wm, "--task", "ignav", "--tier", tier, "--plugins", str(folder), "--dry-run")) == 2
        hint = capsys.readouterr().err.split("python benchmark.py ")[1].splitlines()[0]
        name, plugins = shlex.split(hint)[2], shlex.split(hint)[4]
        assert find_target(name, plugins=[Path(plugins)]).entry.manifest.name == wm


def test_an_error_of_a_hand_is_listed_under_the_task_that_has_one() -> None:
    place = place_of(CATALOG.find("gtsim-things-stay"))
    assert (place.task, place.refused) == ("manip", "")
    assert place_of(CATALOG.find("gtsim-walls")).task == "ignav"


def test_a_model_that_the_environment_is_not_capable_of_is_sent_to_the_task_that_is() -> None:
    manifest = CATALOG.find("gtsim-things-stay").manifest
    with pytest.raises(Refusal) as raised:
        check_reference(manifest, SUITE, SUITE.tier("easy"))
    assert raised.value.next_step.endswith("--task manip --suite embedded.")
