"""A model that refuses to start ends its run with what it said, and is not started again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.records.folder import RunFolder, list_runs
from harness.running import runs
from harness.running.services import Placement, plan_world_model
from harness.worldmodels.catalog import load_catalog
from tests.running import fake

PLUGIN = """
from harness.contracts.errors import Refusal
from harness.wire.sdk import WorldModel

class Demanding(WorldModel):
    def __init__(self, manifest):
        print("asked to start")
        raise Refusal("there is no code.", "Get it: git clone X.")

    def imagine(self, request):
        raise NotImplementedError
"""
TOML = '[family]\nname = "demanding"\nentry_point = "demanding_model:Demanding"\n[[model]]\nname = "demanding"\n'


def test_a_model_that_refuses_is_started_once(tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    folder.mkdir()
    (folder / "demanding_model.py").write_text(PLUGIN)
    (folder / "plugin.toml").write_text(TOML)
    model, _ = plan_world_model(load_catalog([folder]).find("demanding"), None, Placement())
    plan = replace(fake.plan(3), world_model=model, player="tests.wm_plugins.gen4.asking_player:AskingPlayer")
    with pytest.raises(Refusal, match=r"'demanding' refused to start: there is no code. Get it: git clone X."):
        runs.start(plan, tmp_path / "runs")
    (run,) = list_runs(tmp_path / "runs")
    assert sum(log.read_text().count("asked to start") for log in run.logs.rglob("model.log")) == 1
    assert all(row.result.state == "planned" for row in RunFolder.open(run.path).rows())
