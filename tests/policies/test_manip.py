"""The scripted plans of the tabletop, proposed by a service: the episode is the same to the digest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.digest import array_digest
from harness.contracts.observations import ViewRequest
from harness.planning.policy_proposer import ChosenPolicy
from harness.running.services import start
from harness.wire.policy_client import PolicyClient
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.imaginer import EnvironmentImaginer
from tasks.manip.episodes import TableScene
from tasks.manip.task import TASK
from tasks.suite import load_suite
from tasks.task import payload_of
from tests.policies.test_policies import PLUGINS

pytest.importorskip("mujoco", reason="the tabletop needs mujoco")
pytest.importorskip("gymnasium_robotics", reason="the tabletop's arm needs gymnasium_robotics")

WRIST = (ViewRequest("front", depth=True), ViewRequest("wrist"))


def test_the_scripted_proposer_behind_the_wire_gives_the_same_episode(tmp_path: Path) -> None:
    from images.tabletop.environment import TabletopEnvironment

    suite = load_suite("embedded", "manip")
    tier = suite.tier("easy")
    episode = next(e for e in suite.episodes("easy", "validation") if e.scene.startswith("push_buttons/"))
    environment = TabletopEnvironment(suite.scene_digests())
    imaginer = EnvironmentImaginer(environment)
    own = TASK.play_episode(environment, imaginer, episode, tier, 0, "gtsim", "oracle")
    table = {array_digest(own.prompt): [plan.goals for plan in payload_of(TableScene, episode).plans]}
    (tmp_path / "table.json").write_text(json.dumps(table))
    entry = load_catalog([PLUGINS]).find_policy("scripted-service")
    settings = {**entry.manifest.settings, "table": str(tmp_path / "table.json")}
    entry = replace(entry, manifest=replace(entry.manifest, settings=settings))
    with start(entry.service_spec(""), 30.0, tmp_path / "log") as service:
        client = PolicyClient(service.socket, expected=entry.manifest)
        policy = ChosenPolicy("scripted-service", client, tier.candidates, WRIST)
        served = TASK.play_episode(environment, imaginer, episode, tier, 0, "gtsim", "oracle", policy=policy)
        client.close()
    assert served.trajectory.digest() == own.trajectory.digest()
    assert served.metrics == own.metrics
    assert TASK.judge_of("scripted-service")(episode, served.trajectory).contradictions == ()
    (record,) = served.proposals
    assert len(record.plans) == tier.candidates == served.trajectory.decisions[0].candidates
    assert own.proposals == ()
