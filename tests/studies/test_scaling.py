"""Scaling curves: only runs that differ in one number stand on one, with the intervals of the runs themselves."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.digest import digest, to_plain
from harness.scoring.data import load_run
from harness.scoring.metrics import rate, success_sample
from harness.studies.paired_differences import lead
from harness.studies.run_selection import find_runs
from harness.studies.scaling import (
    CANDIDATES,
    DATA,
    SHARE,
    Figure,
    Scaling,
    main,
    make_scaling,
    page,
    verdicts,
    write_scaling,
)
from harness.studies.training_amounts import Clips
from harness.worldmodels.cards import weights_digest
from tasks.suite import Suite
from tests.scoring.synthetic import known_manifest
from tests.studies.small_suite import EPISODES, HOMES, solved_by, write_small_run
from tests.worldmodels.hub_folder import checkpoint, sha256

FILE = "transformer/weights.safetensors"


def specs(suite: Suite, wm: str, **limits: Any) -> dict[str, Any]:
    loop = suite.tier("precise").loop_for(wm)
    plain = to_plain({"rig": suite.rig, "action_space": suite.action_space, "loop": loop})
    stamps = tuple(f"{name.replace('_', '-')}-{value:g}" for name, value in limits.items())
    return {"specs": {**plain, "search": limits} if limits else plain, "stamps": stamps}


@pytest.fixture
def play(tmp_path: Path, suite: Suite) -> Callable[..., Any]:
    """Write a run of an ability with limits; the next is a second younger."""
    made: list[int] = []

    def write(wm: str, ability: float, changes: dict[str, Any] | None = None, **limits: Any) -> Any:
        made.append(0)
        told = {**specs(suite, wm, **limits), **(changes or {})}
        name = f"run-{len(made):02d}"
        at = 1.79e9 + len(made)
        return write_small_run(
            tmp_path / "runs", suite, wm, solved_by(ability), changes=told, run_id=name, created_at=at
        )

    return write


def scaled(suite: Suite, tmp_path: Path, *folders: Path) -> Scaling:
    return make_scaling(suite, [tmp_path / "runs"], Clips(folders), "the command")


def only(scaling: Scaling, kind: str) -> Figure:
    (figure,) = (figure for figure in scaling.figures if figure.kind == kind)
    return figure


def test_a_curve_has_the_runs_intervals_and_how_far_each_is_behind_the_most(
    play: Callable[..., Any], suite: Suite, tmp_path: Path
) -> None:
    few = play("gtsim", 0.4, candidates=2)
    play("gtsim", 0.7, candidates=4)
    whole = play("gtsim", 0.9)
    play("warp", 0.6, candidates=2)
    play("warp", 0.3)
    figure = only(scaled(suite, tmp_path), CANDIDATES)
    gtsim, warp = figure.lines
    most = float(suite.tier("precise").candidates)
    assert [point.x for point in gtsim.points] == [2.0, 4.0, most] and [point.x for point in warp.points] == [2.0, most]
    first, last = load_run(few), load_run(whole)
    assert gtsim.points[0].success == rate(success_sample(first.results))
    assert (gtsim.points[0].success.n, gtsim.points[0].homes) == (EPISODES, HOMES)
    assert gtsim.points[0].behind == lead(last, first) and gtsim.points[-1].behind is None
    behind = warp.points[0].behind
    assert behind is not None and behind.high < 0.0, "more search made it worse"
    said = [(verdict.text, verdict.grave) for verdict in verdicts(figure)]
    assert said == [
        ("gtsim: not shown to get worse with more.", False),
        (f"warp: with {most:g} it solves less than with 2.", True),
    ]
    assert "control" in verdicts(replace(figure, lines=(warp,)))[-1].text
    assert gtsim.points[0].command.endswith("--stop self --candidates 2")


def test_shares_are_a_curve_of_their_own_and_other_limits_stay_apart(
    play: Callable[..., Any], suite: Suite, tmp_path: Path
) -> None:
    for share, ability in ((0.0, 0.1), (0.5, 0.5)):
        play("gtsim", ability, wm_share=share)
        play("gtsim", ability / 2.0, wm_share=share, candidates=4)
    play("gtsim", 0.9)
    found = scaled(suite, tmp_path)
    figures = [figure for figure in found.figures if figure.kind == SHARE]
    shares = {figure.limits: [point.x for point in figure.lines[0].points] for figure in figures}
    assert shares == {(): [0.0, 0.5, 1.0], ("candidates-4",): [0.0, 0.5]}
    for figure in found.figures:
        if figure.kind == CANDIDATES:
            assert figure.limits in {("wm-share-0",), ("wm-share-0.5",)}
    assert len({figure.file for figure in found.figures}) == len(found.figures)


def test_the_latest_of_equal_runs_is_taken_and_a_lone_one_is_told(
    play: Callable[..., Any], suite: Suite, tmp_path: Path
) -> None:
    play("gtsim", 0.2, candidates=2)
    play("gtsim", 0.3, candidates=2)
    play("gtsim", 0.9)
    play("warp", 0.5)
    found = scaled(suite, tmp_path)
    assert [point.run_id for point in only(found, CANDIDATES).lines[0].points] == ["run-02", "run-03"]
    assert {one.run_id for one in found.passed_over} == {"run-01", "run-04"}


def test_another_checkpoint_or_seed_is_not_on_the_same_curve(
    play: Callable[..., Any], suite: Suite, tmp_path: Path
) -> None:
    play("warp", 0.5, candidates=2, changes=None)
    play("warp", 0.6, {"wm_digests": {"code": "other"}})
    play("warp", 0.6, {"seeds": (0,), "episodes": suite.episodes("precise", "test")[:60], "episodes_subset": "60"})
    assert not scaled(suite, tmp_path).figures


def trained(tmp_path: Path, clips: int, words: str) -> tuple[Path, dict[str, Any]]:
    """Return a checkpoint with its card, and what a run of it records."""
    folder = checkpoint(tmp_path / f"checkpoint-{clips}")
    (folder / FILE).write_text(words)
    card = (folder / "README.md").read_text()
    card = card.replace(sha256("trained"), sha256(words)).replace("clips: 40", f"clips: {clips}")
    assert f"clips: {clips}" in card
    (folder / "README.md").write_text(card)
    manifest = known_manifest("FTmini")
    found = weights_digest({FILE: sha256(words)})
    manifest = {**manifest, "weights": str(folder), "checkpoint": {**manifest["checkpoint"], "sha256": found}}
    return folder, {"wm_manifest": manifest, "wm_manifest_hash": digest(manifest)}


def test_training_data_are_read_from_the_card_of_these_weights(
    play: Callable[..., Any], suite: Suite, tmp_path: Path
) -> None:
    folders = []
    for clips, ability in ((100, 0.3), (1000, 0.5), (10000, 0.6)):
        folder, recorded = trained(tmp_path, clips, f"weights of {clips}")
        folders.append(folder)
        play("FTmini", ability, recorded)
    figure = only(scaled(suite, tmp_path), DATA)
    assert [point.x for point in figure.lines[0].points] == [100.0, 1000.0, 10000.0]
    assert "--weights CHECKPOINT" in figure.lines[0].points[0].command
    card = folders[1] / "README.md"
    card.write_text(card.read_text().replace(sha256("weights of 1000"), sha256("other weights")))
    found = scaled(suite, tmp_path)
    assert [point.x for point in only(found, DATA).lines[0].points] == [100.0, 10000.0]
    (told,) = (one.reason for one in found.passed_over if one.run_id == "run-02")
    assert "no card of its weights" in told
    folders[0].rename(tmp_path / "elsewhere")
    assert not [figure for figure in scaled(suite, tmp_path).figures if figure.kind == DATA]
    again = scaled(suite, tmp_path, tmp_path / "elsewhere")
    assert [point.x for point in only(again, DATA).lines[0].points] == [100.0, 10000.0]


def test_page_numbers_and_pictures_are_written(play: Callable[..., Any], suite: Suite, tmp_path: Path) -> None:
    play("gtsim", 0.4, candidates=2)
    play("gtsim", 0.9)
    play("gtsim", 0.6, wm_share=0.5)
    found = scaled(suite, tmp_path)
    files = write_scaling(found, tmp_path / "out")
    text = (tmp_path / "out" / "scaling.md").read_text()
    assert text == page(found) and "| `gtsim` | 2 | 40.0 [" in text and "the command" in text
    plain = json.loads((tmp_path / "out" / "scaling.json").read_text())
    assert plain["figures"][0]["lines"][0]["points"][0]["x"] == 2.0
    html = (tmp_path / "out" / "scaling.html").read_text()
    assert html.count("<svg") == 2 and not any(word in html for word in ("<script", "src=", 'href="http', "url("))
    assert "<td>40.0 [" in html and "the command" in html
    pictures = [file for file in files if file.suffix == ".svg"]
    assert len(pictures) == 2 and all(f"]({file.name})" in text for file in pictures)
    for file in pictures:
        root = ElementTree.fromstring(file.read_text())
        assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 2


def test_limited_runs_enter_no_table(play: Callable[..., Any], suite: Suite, tmp_path: Path) -> None:
    play("gtsim", 0.9)
    play("gtsim", 0.4, candidates=2)
    found = find_runs([tmp_path / "runs"], suite)
    assert len(found.runs) == 1 and "--candidates 2" in found.passed_over[0].reason


def test_a_folder_without_runs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main((str(tmp_path), "--out", str(tmp_path / "out"))) == 2
    assert "holds no run folder" in capsys.readouterr().err
