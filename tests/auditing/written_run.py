"""A run on real episodes of a frozen tier as a run leaves it, with synthetic walks that fit them: no simulator."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

from harness.contracts.digest import digest
from harness.records.folder import RunFolder
from harness.records.identity import Provenance
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from tests.studies.small_suite import commit

EPISODES = 4


def written_run(root: Path, wm: str = "warp", run_id: str = "run", seeds: str = "0", old: bool = False) -> RunFolder:
    """Write a complete run: every other episode is solved; ``old``: as before digests of records and plan."""
    plan = make_plan(RunOptions(wm, "ignav", suite="embedded-v1", episodes=str(EPISODES), seeds=seeds))
    folder = RunFolder.create(
        root, plan.identity, plan.execution(), Provenance(1.79e9, (), {}, {}, ""), run_id, plan.metrics
    )
    with folder.lock():
        journal = folder.journal_to_write()
        for number, row in enumerate(journal.rows()):
            commit(folder, journal, row, solved=number % 2 == 0)
        journal.close()
    if old:
        for column in ("record_digest", "imported"):
            change(folder, f"ALTER TABLE episodes DROP COLUMN {column}")
        change(folder, "DROP TABLE plan")
        change(folder, "DROP TABLE chain")
        for row in folder.rows():
            edit_trajectory(folder, row.key.folder_name, _unseal, sealed=False)
    return folder


def _unseal(value: Any) -> None:
    del value["record_digest"], value["plan_digest"]


def change(folder: RunFolder, statement: str, *values: object) -> None:
    """Run one statement on the journal, as anybody can."""
    with closing(sqlite3.connect(folder.path / "journal.sqlite")) as database, database:
        database.execute(statement, values)


def edit_json(path: Path, edit: Callable[[Any], Any]) -> None:
    """Edit a JSON file in place."""
    value = json.loads(path.read_bytes())
    edit(value)
    path.write_text(json.dumps(value))


def edit_trajectory(folder: RunFolder, name: str, edit: Callable[[Any], Any], sealed: bool = True) -> str:
    """Edit an episode's trajectory.json; ``sealed``: with a digest of the record that fits. Return that digest."""
    path = folder.episodes / name / "trajectory.json"
    edit_json(path, edit)
    if not sealed:
        return ""
    value = json.loads(path.read_bytes())
    value.pop("record_digest", None)
    result = {key: item for key, item in value["result"].items() if key != "timings"}
    value["record_digest"] = digest({**value, "result": result})
    path.write_text(json.dumps(value))
    return str(value["record_digest"])
