"""The RLBench environment behind the wire, on the double: vectors, views and failures reach the other side."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from harness.contracts.actions import Candidate, Vector
from harness.contracts.errors import Refusal, ServiceError
from harness.contracts.observations import ViewRequest
from harness.wire.client import Deadlines, EnvironmentClient
from images.rlbench.actions import SPACES
from images.rlbench.environment import RLBenchEnvironment
from images.rlbench.simulator import Simulator
from tests.images.rlbench import double
from tests.images.rlbench.stored_demos import write_demo
from tests.images.rlbench.test_environment import button_of, episode, pose8
from tests.wire.hosting import Hosted

FRONT = [ViewRequest("front")]


class CrashingSimulator(Simulator):
    """Takes its process with it, as CoppeliaSim does, when it is asked for a second observation."""

    def observe(self, channels: object) -> object:
        if double.calls.count("reset") > 2:
            os._exit(139)
        return super().observe(channels)  # type: ignore[arg-type]


class OnDouble(RLBenchEnvironment):
    """The environment in a process of its own, with the double in the place of the two packages."""

    def __init__(self, demos: str, crashes: bool = False) -> None:
        double.install(pytest.MonkeyPatch())
        os.environ["COPPELIASIM_ROOT"] = demos
        super().__init__(demos, image_size=24, make_simulator=CrashingSimulator if crashes else Simulator)


@pytest.fixture
def demos(tmp_path: Path) -> Path:
    write_demo(tmp_path / "demos")
    return tmp_path / "demos"


def connected(demos: Path, **options: object) -> Iterator[EnvironmentClient]:
    with tempfile.TemporaryDirectory(prefix="wiw") as folder:
        host = Hosted(
            Path(folder),
            kind="environment",
            entry_point="tests.images.rlbench.test_service:OnDouble",
            options={"demos": str(demos), **options},
        )
        try:
            host.wait_ready(60.0)
            client = EnvironmentClient(host.socket, Deadlines())
            yield client
            client.close()
        finally:
            host.stop()


def test_an_episode_is_played_over_the_wire(demos: Path) -> None:
    for client in connected(demos):
        assert client.describe().action_spaces == SPACES
        start = client.reset(episode(), 0, FRONT)
        assert start.views["front"].rgb.shape == (24, 24, 3)
        seen = client.step([Vector("discrete7", (50, 50, 60, 0, 60, 60, 1)), pose8(button_of(5))], FRONT)
        assert seen[0].info["ee.z"] == pytest.approx(1.205, abs=1e-6)
        assert seen[1].done and seen[1].info["success"] == 1.0
        with pytest.raises(ServiceError, match="CoppeliaSim failed while carrying out an action"):
            client.reset(episode(), 0, FRONT)
            client.step([pose8((0.0, 0.0, 1.75))], FRONT)
        with pytest.raises(ServiceError, match="failed earlier"):
            client.reset(episode(), 0, FRONT)


def test_looking_elsewhere_imagining_and_walking_are_refused_in_words(demos: Path) -> None:
    for client in connected(demos):
        start = client.reset(episode(), 0, FRONT)
        with pytest.raises(Refusal, match="rlbench does not show what would be seen at another pose"):
            client.render([start.pose], FRONT)
        with pytest.raises(Refusal, match="rlbench cannot imagine"):
            list(client.imagine([Candidate((pose8((0.1, 0.0, 1.0)),))], "front", [[1]]))
        for ask in (client.geodesic_distance, client.shortest_path):
            with pytest.raises(Refusal, match="no walkable area"):
                ask((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
        with pytest.raises(Refusal, match="no walkable area"):
            client.top_down_map()
        with pytest.raises(Refusal, match="no walkable area"):
            client.is_navigable((0.0, 0.0, 0.0))


def test_a_simulator_that_takes_its_process_with_it_is_a_service_error(demos: Path) -> None:
    for client in connected(demos, crashes=True):
        client.reset(episode(), 0, FRONT)
        with pytest.raises(ServiceError):
            client.reset(episode(), 0, FRONT)
