"""A player of suites refuses what the run was not planned with, before the first episode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.actions import navigation_space
from harness.contracts.cameras import Rig
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.observations import EnvironmentSpec
from harness.running.episode_runner import SuitePlayer, check_capabilities, check_environment
from tasks.suite import load_suite
from tests.planning.toy import ToyEnvironment
from tests.running import fake

SUITE = load_suite("embedded", "ignav")
SPEC = EnvironmentSpec("embedded", "numba", SUITE.rig, (SUITE.action_space,))


def test_the_suites_own_environment_is_accepted_with_more_cameras_and_spaces() -> None:
    check_environment(SPEC, SUITE)
    more = Rig((*SUITE.rig.cameras, replace(SUITE.rig.cameras[0], name="extra")))
    check_environment(replace(SPEC, rig=more, action_spaces=(navigation_space(0.5), SUITE.action_space)), SUITE)


def test_another_camera_is_shown_with_both_sides() -> None:
    first, *others = SUITE.rig.cameras
    wider = replace(SPEC, rig=Rig((replace(first, hfov_deg=79.0), *others)))
    with pytest.raises(SpecMismatch, match=f"79.0.*{first.hfov_deg}"):
        check_environment(wider, SUITE)
    with pytest.raises(SpecMismatch, match="None"):
        check_environment(replace(SPEC, rig=Rig(tuple(others))), SUITE)


def test_another_step_size_is_refused() -> None:
    with pytest.raises(SpecMismatch, match=r"magnitude=0\.25"):
        check_environment(replace(SPEC, action_spaces=(navigation_space(0.25),)), SUITE)


def test_an_environment_without_what_the_run_needs_is_refused() -> None:
    check_capabilities(ToyEnvironment(), ("rendering", "navigation", "imagining"))
    with pytest.raises(Refusal, match="the environment toy cannot plant errors of motion"):
        check_capabilities(ToyEnvironment(), ("rendering", "motion_errors"))


def test_a_suite_that_changed_under_the_run_is_refused_before_any_service_starts(tmp_path: Path) -> None:
    plan = fake.plan(1)
    identity = replace(plan.identity, suite=SUITE.name, task="ignav", tier="easy", suite_hash="00" * 32)
    try:
        SUITE.hash("easy")
    except Refusal as error:
        pytest.skip(f"the suite has no episode files yet: {error}")
    with pytest.raises(SpecMismatch, match="the run began with 0000"):
        SuitePlayer(replace(plan, identity=identity), tmp_path)
    assert list(tmp_path.iterdir()) == []
