"""The contract of the environment service, kept by every navigation environment that can run here.

The embedded homes always; habitat-sim as a service, under the interpreter that WIW_HABITAT_PYTHON names (habitat-sim
runs on Python 3.9, the tests do not) or under this one where it can import habitat_sim.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

from harness.contracts.cameras import Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import NotNavigable, Refusal
from harness.contracts.observations import ViewRequest
from harness.runtimes.process import start_process
from harness.runtimes.service import ENVIRONMENT, ServiceLimits, ServiceSpec
from harness.wire.client import EnvironmentClient
from tests.images.embedded.tiny_environment import TinyEnvironment, tiny_episode
from tests.images.embedded.tiny_home import tiny_home
from tests.images.environment_contract import GO, EnvironmentContract, World, same_view
from tests.images.habitat.scene_files import ROOM, habitat_options, write_hut, write_room, write_scene

HERE = sys.executable if importlib.util.find_spec("habitat_sim") else ""
HABITAT_PYTHON = os.environ.get("WIW_HABITAT_PYTHON", HERE)
ENTRY_POINT = "images.habitat.environment:HabitatEnvironment"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny home, the hut and the annotated room as scenes."""
    folder = tmp_path_factory.mktemp("scenes")
    write_scene(tiny_home(), folder, "tiny")
    write_hut(folder)
    write_room(folder)
    return folder


class TestEmbedded(EnvironmentContract):
    @pytest.fixture
    def environment(self) -> Iterator[World]:
        environment = TinyEnvironment()
        yield environment
        environment.close()

    @pytest.fixture
    def episode(self) -> Episode:
        return tiny_episode()


@contextmanager
def habitat_service(scenes: Path, log: Path, **others: Any) -> Iterator[EnvironmentClient]:
    """Run the environment service under the interpreter that has habitat-sim; yield its client."""
    spec = ServiceSpec(ENVIRONMENT, "habitat", ENTRY_POINT, (), HABITAT_PYTHON, habitat_options(scenes, **others))
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
    def environment(self, habitat: EnvironmentClient) -> World:
        return habitat

    @pytest.fixture
    def episode(self) -> Episode:
        return tiny_episode()

    @pytest.fixture
    def fresh(self, scenes: Path) -> Iterator[World]:
        with habitat_service(scenes, scenes / "fresh.log") as client:
            yield client

    def test_a_scene_that_is_missing_is_named_and_the_next_episode_plays(
        self, environment: World, episode: Episode
    ) -> None:
        with pytest.raises(Refusal, match=r"scene 'elsewhere' is not at .*elsewhere\.glb"):
            environment.reset(tiny_episode(scene="elsewhere"), 0, [])
        environment.reset(episode, 0, [])
        assert len(environment.step([GO], [])) == 1

    def test_nobody_stands_on_a_roof(self, habitat: EnvironmentClient, scenes: Path) -> None:
        on_the_roof = (3.0, 3.2, 3.0)
        habitat.reset(hut_episode((3.0, 0.0, 3.0)), 0, [])
        assert habitat.is_navigable((4.0, 0.0, 4.0)) and not habitat.is_navigable(on_the_roof)
        with pytest.raises(NotNavigable, match="the start"):
            habitat.reset(hut_episode(on_the_roof), 0, [])

    def test_without_the_rule_a_body_would_stand_on_it(self, scenes: Path) -> None:
        with habitat_service(scenes, scenes / "roof.log", exclude_roofs=False) as client:
            client.reset(hut_episode((3.0, 3.2, 3.0)), 0, [])
            assert client.is_navigable((3.0, 3.2, 3.0))

    def test_a_data_set_s_configuration_says_where_up_is(self, scenes: Path) -> None:
        """The same scene without a stage configuration of its own, through a data set that knows its axes."""
        (scenes / "homes").mkdir()
        (scenes / "homes" / "tiny.glb").write_bytes((scenes / "tiny.glb").read_bytes())
        axes = {"up": [0, 1, 0], "front": [0, 0, -1]}
        stages = {"default_attributes": axes, "paths": {".glb": ["*.glb"]}}
        (scenes / "homes" / "homes.scene_dataset_config.json").write_text(json.dumps({"stages": stages}))
        configs = {"homes": "homes/homes.scene_dataset_config.json"}
        request = [ViewRequest("front", depth=True)]
        with habitat_service(scenes, scenes / "homes.log", dataset_configs=configs) as client:
            bare = client.reset(tiny_episode(scene="tiny"), 0, request).views["front"]
            listed = client.reset(tiny_episode(scene="homes/tiny"), 0, request).views["front"]
        assert same_view(bare, listed)

    def test_ids_are_those_of_the_annotations(self, scenes: Path) -> None:
        """Three metres ahead stands the crate, and behind to the right the post."""
        request = [ViewRequest("front", ids=True), ViewRequest("pano", ids=True)]
        start = tiny_episode(start=(3.0, 0.0, 4.5), start_yaw_deg=0.0, goal=(1.0, 0.0, 1.0), scene="room")
        with habitat_service(scenes, scenes / "ids.log", semantics=True) as client:
            views = client.reset(start, 0, request).views
        front, pano = views["front"].ids, views["pano"].ids
        assert front is not None and pano is not None
        number = {name: index for index, name in enumerate(ROOM, start=1)}
        assert set(np.unique(front)) == {0, number["floor"], number["crate"]}
        columns = np.nonzero((front == number["crate"]).any(axis=0))[0]
        assert abs(columns.min() + columns.max() - front.shape[1]) <= 3
        post = np.nonzero((pano == number["post"]).any(axis=0))[0]
        assert pano.shape[1] * 0.75 <= post.min() and post.max() < pano.shape[1]

    def test_boxes_are_those_of_the_annotated_objects(self, scenes: Path) -> None:
        episode = tiny_episode(start=(1.0, 0.0, 3.0), goal=(1.0, 0.0, 1.0), scene="room")
        with habitat_service(scenes, scenes / "boxes.log", semantics=True) as client:
            client.reset(episode, 0, [])
            boxes = {box.category: box for box in client.object_boxes()}
        assert {name: box.id for name, box in boxes.items()} == {"floor": 1, "crate": 2, "post": 3}
        for name, (size, centre, _) in ROOM.items():
            assert boxes[name].size == pytest.approx(size, abs=1e-5)
            assert boxes[name].centre == pytest.approx(centre, abs=1e-5)


def hut_episode(start: Vec3) -> Episode:
    """Return an episode from ``start`` to a place on the floor of the hut."""
    return tiny_episode(start=start, goal=(1.0, 0.0, 1.0), scene="hut")
