"""Whoever writes into a run folder while it is played is found, however well what he wrote fits together."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from harness.contracts.digest import digest
from harness.records.damage import read_damage
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.progress import Progress
from tests.running import fake

FIRST = "e000-s0"


def forge(folder: Path) -> None:
    """Rewrite the record of the first episode, with a digest that fits, in its file and in the journal."""
    path = folder / "episodes" / FIRST / "trajectory.json"
    value = json.loads(path.read_bytes())
    value["result"]["metrics"]["spl"] = 0.75
    del value["record_digest"]
    result = {name: item for name, item in value["result"].items() if name != "timings"}
    sealed = digest({**value, "result": result})
    path.write_text(json.dumps({**value, "record_digest": sealed}))
    metrics = json.dumps(value["result"]["metrics"], sort_keys=True)
    update(folder, "UPDATE episodes SET metrics = ?, record_digest = ? WHERE episode = 'e000'", metrics, sealed)


def update(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database, database:
        database.execute(statement, values)


def edit_plan(folder: Path) -> None:
    value = json.loads((folder / "run.json").read_bytes())
    value["provenance"]["hardware"] = {"cpu": "a faster one"}
    (folder / "run.json").write_text(json.dumps(value))


DEEDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "forged record": (forge, FIRST),
    "journal": (lambda f: update(f, "UPDATE episodes SET error = 'x' WHERE episode = 'e000'"), FIRST),
    "attempts": (lambda f: update(f, "UPDATE episodes SET attempts = 2 WHERE episode = 'e000'"), FIRST),
    "deleted row": (lambda f: update(f, "DELETE FROM episodes WHERE episode = 'e000'"), FIRST),
    "file": (lambda f: shutil.rmtree(f / "episodes" / FIRST), FIRST),
    "run.json": (edit_plan, "run.json"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_changed_while_a_run_is_played_is_damage(deed: str, tmp_path: Path) -> None:
    change, where = DEEDS[deed]
    plan = fake.plan(3)
    folder = runs.create(plan, tmp_path)
    done: list[bool] = []

    def meddle(progress: Progress) -> None:
        if progress.done == 2 and not done:
            done.append(True)
            change(folder.path)

    outcome = runs.play(folder, plan, meddle)
    assert outcome.exit_code == 1 and where in [damage.where for damage in outcome.damage]
    assert sum(outcome.counts.values()) == 3 and outcome.counts["planned"] == 0
    assert where in [damage.where for damage in read_damage(folder.path)]


def test_a_run_that_nobody_touches_has_no_damage_also_when_resumed(tmp_path: Path) -> None:
    plan = fake.plan(3, misbehave={"e001": "service_once"})
    outcome = runs.start(plan, tmp_path)
    again = runs.resume(outcome.path, plan)
    assert outcome.damage == again.damage == () and outcome.exit_code == again.exit_code == 0
    assert all(row.record_digest for row in RunFolder.open(outcome.path).rows())
