"""The contract of the environment service, kept by every navigation environment that can run here.

The embedded homes always; habitat-sim as a service, under the interpreter that WIW_HABITAT_PYTHON names (habitat-sim
runs on Python 3.9, the tests do not) or under this one where it can import habitat_sim.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.runtimes.process import start_process
from harness.runtimes.specs import ENVIRONMENT, ServiceLimits, ServiceSpec
from harness.wire.client import EnvironmentClient
from harness.wire.sdk import Environment
from tests.images.embedded.tiny_environment import TinyEnvironment, tiny_episode
from tests.images.embedded.tiny_home import tiny_home
from tests.images.environment_contract import GO, EnvironmentContract
from tests.images.habitat.scene_files import habitat_options, write_scene

HERE = sys.executable if importlib.util.find_spec("habitat_sim") else ""
HABITAT_PYTHON = os.environ.get("WIW_HABITAT_PYTHON", HERE)
ENTRY_POINT = "images.habitat.environment:HabitatEnvironment"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny home as a scene."""
    folder = tmp_path_factory.mktemp("scenes")
    write_scene(tiny_home(), folder, "tiny")
    return folder


class TestEmbedded(EnvironmentContract):
    @pytest.fixture
    def environment(self) -> Iterator[Environment]:
        environment = TinyEnvironment()
        yield environment
        environment.close()

    @pytest.fixture
    def episode(self) -> Episode:
        return tiny_episode()


@contextmanager
def habitat_service(scenes: Path, log: Path) -> Iterator[EnvironmentClient]:
    """Run the environment service under the interpreter that has habitat-sim; yield its client."""
    spec = ServiceSpec(ENVIRONMENT, "habitat", ENTRY_POINT, (), HABITAT_PYTHON, habitat_options(scenes))
    with start_process(spec, ServiceLimits(start_s=120.0), log) as service:
        client = EnvironmentClient(service.socket)
        yield client
        client.close()


@pytest.fixture(scope="module")
def habitat(scenes: Path) -> Iterator[EnvironmentClient]:
    """A service that all tests share: making a simulator takes seconds."""
    with habitat_service(scenes, scenes / "service.log") as client:
        yield client


@pytest.mark.skipif(not HABITAT_PYTHON, reason="WIW_HABITAT_PYTHON names no interpreter with habitat_sim")
class TestHabitatAsAService(EnvironmentContract):
    @pytest.fixture
    def environment(self, habitat: EnvironmentClient) -> Environment:
        return habitat

    @pytest.fixture
    def episode(self) -> Episode:
        return tiny_episode()

    @pytest.fixture
    def fresh(self, scenes: Path) -> Iterator[Environment]:
        with habitat_service(scenes, scenes / "fresh.log") as client:
            yield client

    def test_a_scene_that_is_missing_is_named_and_the_next_episode_plays(
        self, environment: Environment, episode: Episode
    ) -> None:
        with pytest.raises(Refusal, match=r"scene 'elsewhere' is not at .*elsewhere\.glb"):
            environment.reset(tiny_episode(scene="elsewhere"), 0, [], [])
        environment.reset(episode, 0, [], [])
        assert len(environment.step([GO], [])) == 1
