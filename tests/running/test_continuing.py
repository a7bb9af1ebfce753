"""A run folder is read, never run: its plan is made anew from catalog and command line, or is refused."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.contracts.errors import Refusal, SpecMismatch
from harness.records.banks import BANK_HASH
from harness.records.folder import RunFolder
from harness.records.resuming import needed, recorded_words, resume_command
from harness.running import runs
from harness.running.continuing import Continuation, plan_again
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.run_options import RunOptions
from harness.worldmodels.preparing import Choice
from harness.worldmodels.scaffold import create_plugin

WARP = RunOptions("warp", "ignav", episodes="2", workers=3)


def begun(options: RunOptions, root: Path) -> tuple[RunPlan, RunFolder]:
    """Return the plan of these options and the folder of a run that was begun with it and plays nothing."""
    plan = make_plan(options)
    return plan, RunFolder.open(runs.create(plan, root).path)


def changed(folder: RunFolder, change: Callable[[dict[str, Any]], None]) -> RunFolder:
    """Return a run folder whose run.json was changed."""
    file = folder.path / "run.json"
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))
    return RunFolder.open(folder.path)


def typed(folder: RunFolder, words: list[str]) -> RunFolder:
    """Return a run folder whose recorded command has these words, each option apart from its value."""
    parts = [part for word in words for part in word.split("=", 1)]
    return changed(folder, lambda value: value["provenance"].update(command=["benchmark.py", *parts]))


def services(plan: RunPlan) -> tuple[object, ...]:
    """Return what is executed, without the homes of other episodes that an environment may know as well."""
    environment = plan.environment
    assert environment is not None
    options = {name: value for name, value in environment.options.items() if name != "scene_digests"}
    return plan.player, replace(environment, options=options), plan.world_model, plan.images


def old_execution(trap: Path) -> dict[str, Any]:
    """Return what a run.json of an earlier version held, with a stranger's values."""
    service = {
        "kind": "environment", "name": "embedded", "entry_point": "trap:Trap", "path": [str(trap)], "python": "",
        "options": {"cache_dir": str(trap)}, "manifest": {}, "variables": {"LD_PRELOAD": str(trap)}, "container": None,
        "start_s": 1e9,
    }  # fmt: skip
    return {"player": "trap:Trap", "environment": service, "world_model": service, "workers": 2, "options": {"a": 1}}


def test_nothing_that_a_folder_names_is_planned(tmp_path: Path) -> None:
    plan, folder = begun(WARP, tmp_path)
    again_planned = plan_again(folder, Continuation())
    assert services(again_planned) == services(plan)
    assert (again_planned.identity, again_planned.workers) == (plan.identity, 3)
    strange = changed(folder, lambda value: value.update(execution=old_execution(tmp_path)))
    assert services(plan_again(strange, Continuation())) == services(plan)
    rubbish = changed(folder, lambda value: value.update(execution={"again": 5, "environment": [1], "workers": "x"}))
    assert services(plan_again(rubbish, Continuation(workers=1))) == services(plan)


def test_an_interpreter_of_a_folder_is_neither_started_nor_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trap = tmp_path / "python"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    _, folder = begun(WARP, tmp_path)

    def plant(value: dict[str, Any]) -> None:
        value["execution"] = old_execution(tmp_path)
        for kind in ("environment", "world_model"):
            value["execution"][kind]["python"] = str(trap)

    changed(folder, plant)
    assert main(("--resume", str(folder.path))) == 2
    printed = capsys.readouterr().err
    assert "--env-python, --wm-python" in printed and "again" in printed
    assert not (tmp_path / "sprung").exists()


def test_what_was_given_has_to_be_given_again_and_takes_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = create_plugin("mine", tmp_path / "p", set())
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    options = RunOptions(
        "mine", "ignav", episodes="2", plugins=(plugin,), wm_python=str(python), env_python="/bin/true"
    )
    plan, folder = begun(options, tmp_path / "runs")
    with pytest.raises(Refusal, match=r"'mine'.*--plugins"):
        plan_again(folder, Continuation())
    with pytest.raises(Refusal, match=r"with --env-python, --wm-python,"):
        plan_again(folder, Continuation(plugins=(plugin,)))
    words = shlex.split(resume_command(folder.path, plan.again, []))
    assert words[2:4] == ["--resume", str(folder.path)]
    assert f"--wm-python={python}" in words and f"--plugins={plugin}" in words
    assert {f"--plugins={plugin}", f"--wm-python={python}"} < set(recorded_words(typed(folder, words[4:]).record))
    given = Continuation(plugins=(plugin,), wm_python=str(python), env_python="/bin/echo")
    planned = plan_again(folder, given)
    assert planned.environment is not None and planned.environment.python == "/bin/echo"
    assert planned.world_model is not None and planned.world_model.python == str(python)
    monkeypatch.setenv("WIW_CACHE", str(tmp_path / "another"))
    elsewhere = plan_again(folder, given).environment
    assert elsewhere is not None and elsewhere.options["cache_dir"] == str(tmp_path / "another")


def test_facts_come_from_the_run_and_files_addresses_and_money_from_the_user(tmp_path: Path) -> None:
    plan, folder = begun(replace(WARP, choice=Choice(("depth_m=2.5",))), tmp_path)
    assert plan_again(folder, Continuation()).identity == plan.identity
    with pytest.raises(Refusal, match=r"as it was planned.*--set depth_m=3"):
        plan_again(folder, Continuation(assignments=("depth_m=3",)))
    own = changed(folder, lambda value: value["identity"]["wm_overrides"].update({"code": "/trap"}))
    with pytest.raises(Refusal, match=r"--set code=.*again"):
        plan_again(own, Continuation())
    weights = changed(folder, lambda value: value["identity"]["wm_manifest"].update({"weights": "/trap"}))
    with pytest.raises(Refusal, match=r"--weights.*again"):
        plan_again(weights, Continuation(assignments=("code=/mine",)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda identity: identity["episodes"][0].update(radius_m=9.0), "no episode"),
        (lambda identity: identity["wm_manifest"].update(entry_point="trap:Trap"), "entry_point"),
        (lambda identity: identity.update(suite_hash="0" * 64), "suite hash"),
        (lambda identity: identity.update(planner="other"), "planner"),
    ],
)
def test_a_changed_question_is_refused(change: Callable[[dict[str, Any]], None], sentence: str, tmp_path: Path) -> None:
    _, folder = begun(WARP, tmp_path)
    strange = changed(folder, lambda value: change(value["identity"]))
    with pytest.raises(SpecMismatch, match=sentence):
        runs.resume(strange.path, plan_again(strange, Continuation()))


def test_a_measurement_is_continued_by_its_own_command(tmp_path: Path) -> None:
    _, folder = begun(WARP, tmp_path)
    states = changed(folder, lambda value: value["identity"]["specs"].update({BANK_HASH: "ab"}))
    with pytest.raises(Refusal, match="decision bank"):
        plan_again(states, Continuation())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--dry-run", "--episodes", "8", "--tier", "nonsense"), ("--dry-run", "--episodes 8", "--tier nonsense")),
        (("--wm", "gtsim"), ("--wm gtsim",)),
        (("--suite", "embedded", "--split", "test", "--stop", "self"), ("--suite", "--split test", "--stop self")),
        (("--seed", "3"), ("--seed 3",)),
        (("--seeds", "0-4"), ("--seeds 0-4",)),
        (("--references",), ("--references",)),
        (("--out", "elsewhere"), ("--out elsewhere",)),
        (("--environment", "habitat"), ("--environment habitat",)),
        (("--allow-uncarded",), ("--allow-uncarded",)),
        (("--weights", "random"), ("--weights random",)),
        (("--set", "steps=3", "--set", "guidance=2"), ("--set steps=3", "--set guidance=2")),
    ],
)
def test_options_that_a_resume_would_ignore_are_refused_by_name(
    arguments: tuple[str, ...], named: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder = begun(WARP, tmp_path)
    assert main(("--resume", str(folder.path), *arguments)) == 2
    printed = capsys.readouterr().err
    for words in named:
        assert words in printed
    assert not (folder.path / "journal.sqlite").exists()


def test_playing_errors_again_needs_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("--wm", "none", "--task", "ignav", "--retry-errors")) == 2
    assert "--resume RUN --retry-errors" in capsys.readouterr().err


def test_only_words_that_the_command_line_knows_can_be_asked_for(tmp_path: Path) -> None:
    _, folder = begun(WARP, tmp_path)
    strange = changed(folder, lambda value: value["execution"].update(again=["--evil", "--wm-gpu", 7, "\x1b[2J"]))
    assert needed(strange.record) == {"--wm-gpu"}
