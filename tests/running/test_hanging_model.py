"""A model that hangs is named, with the option that limits it, and writes where it hangs before it is stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import PINHOLE, Camera
from harness.contracts.errors import ModelTimeout
from harness.contracts.rollouts import RolloutRequest
from harness.records.resuming import CALL_TIMEOUT
from harness.running.services import Placement, plan_world_model, start
from harness.running.submitted_model import SubmittedModel
from harness.wire.client import Deadlines, WorldModelClient
from harness.worldmodels.catalog import load_catalog

PLUGIN = """
import time
from harness.wire.sdk import WorldModel

class Sleeping(WorldModel):
    def imagine(self, request):
        self.wait_for_a_lock_that_nobody_gives_back()

    def wait_for_a_lock_that_nobody_gives_back(self):
        time.sleep(600)
"""
TOML = '[family]\nname = "sleepers"\nentry_point = "sleeping:Sleeping"\n[[model]]\nname = "sleeping"\n'
CAMERA = Camera("front", PINHOLE, 8, 8, 90.0, 1.25)
REQUEST = RolloutRequest(0, 0, np.zeros((8, 8, 3), np.uint8), CAMERA, Candidate((Primitive(FORWARD, 0.2),)), (1,))


def test_a_model_that_hangs_is_named_and_its_log_shows_where(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "sleeping.py").write_text(PLUGIN)
    (plugin / "plugin.toml").write_text(TOML)
    entry = load_catalog([plugin]).find("sleeping")
    plan, _ = plan_world_model(entry, None, Placement())
    assert plan is not None
    log = tmp_path / "world_model.log"
    with start(plan, 60.0, log) as service:
        deadlines = Deadlines(imagine_s=0.5, imagine_option=CALL_TIMEOUT)
        client = WorldModelClient(service.socket, deadlines, entry.manifest)
        with pytest.raises(ModelTimeout) as late:
            list(SubmittedModel(client, service).imagine_batch([REQUEST]))
        client.close()
        assert service.alive(), "asked where it is, it lives on until somebody stops it"
    assert late.value.what == "world model 'sleeping' did not answer Imagine within 0.5 s (--timeout 0.5)."
    assert "log has the stack" in late.value.next_step and "--timeout SECONDS" in late.value.next_step
    assert "wait_for_a_lock_that_nobody_gives_back" in log.read_text()
