"""Habitat's collector in an embedded home, with a real simulator: set WIW_HABITAT_PYTHON to its interpreter."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.collecting.in_process import export_scenes
from harness.collecting.recording import record_unit
from harness.collecting.services import Machine
from harness.collecting.walk_service import WalkService, _reachable
from harness.contracts.cameras import Pose
from harness.contracts.errors import Refusal
from harness.contracts.folders import cache_root
from harness.contracts.observations import TopDownMap
from harness.runtimes.environments import find_environment
from tasks.suite import load_suite
from tests.collecting.toy import PLAN

PYTHON = os.environ.get("WIW_HABITAT_PYTHON", "")


def test_only_what_can_be_walked_to_is_kept() -> None:
    walkable = np.zeros((40, 40), np.bool_)
    walkable[2:20, 2:38] = True
    walkable[25:38, 2:38] = True
    kept = _reachable(TopDownMap(walkable, (0.0, 0.0), 0.05), Pose((0.5, 0.0, 0.5), (1.0, 0.0, 0.0, 0.0)))
    assert kept.walkable[:20].sum() == walkable[:20].sum() and not kept.walkable[20:].any()


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="WIW_HABITAT_PYTHON names no interpreter with habitat-sim")
def test_trajectories_are_seeded_and_start_on_the_floor(short_tmp_path: Path) -> None:
    suite = load_suite("embedded@habitat")
    scenes = short_tmp_path / "scenes"
    export_scenes(["train-0001"], str(cache_root()), scenes, print)
    machine = Machine(str(cache_root()), PYTHON, str(scenes), "", dict(suite.navmesh))
    camera = suite.rig.camera("front")
    plan = replace(PLAN, environment="habitat", camera=camera, scenes=("train-0001",), clips=3, policies=("random",))
    backend = WalkService(find_environment("habitat"), camera, machine, short_tmp_path / "log")
    try:
        assert "habitat-sim" in backend.simulator
        first, second = (record_unit(backend, plan, plan.units[0]) for _ in range(2))
        with pytest.raises(Refusal, match="no scene"):
            backend.open("train-0002", 0)
    finally:
        backend.close()
    assert [clip.rendered_digest() for clip in first] == [clip.rendered_digest() for clip in second]
    assert all(abs(clip.poses[:, 1]).max() < 0.1 for clip in first)
    assert first[0].frames.std() > 10
