"""What the environment does with scenes that real data sets hold: on a double of the simulator."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.contracts.cameras import PINHOLE, Camera, Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError, SpecMismatch
from harness.contracts.walkable import ROOFS, SMALL, Walkable, read_walkable
from images.habitat.environment import HabitatEnvironment
from images.habitat.profiles import HabitatCollectEnvironment, HabitatEvalEnvironment
from tests.image_goals import image_goal_episode
from tests.images.habitat import double
from tests.images.habitat.double import write_floors
from tests.images.habitat.rectangles import Island

RIG = [asdict(Camera("front", PINHOLE, 8, 8, 90.0, 1.0))]
ROOM, TABLE, ATTIC = Island(9.7, 10.0, 0.0), Island(1.5, 1.0, 0.1), Island(9.7, 10.0, 2.6)
HM3D = "hm3d/train/00000-kfPV7w3FaU5/kfPV7w3FaU5.basis"


def episode(scene: str) -> Episode:
    start, goal = (Pose((x, 0.0, 2.0), (1.0, 0.0, 0.0, 0.0)) for x in (2.0, 4.0))
    return image_goal_episode("e", "ignav", "t", "s", scene, scene, start, goal, 0.5, 2.0, 10)


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setitem(sys.modules, "habitat_sim", double)
    monkeypatch.setattr(double.Simulator, "open_count", 0)
    yield tmp_path


def environment(scenes: Path, kind: Any = HabitatEnvironment, **options: Any) -> Any:
    return kind(rig=RIG, scenes_dir=str(scenes), gpu_device_id=-1, **options)


def opened(made: Any, scene: str) -> Walkable:
    found = read_walkable(made.reset(episode(scene), 0, []).info)
    assert found is not None
    return found


def test_a_scene_without_annotations_has_no_boxes(scenes: Path) -> None:
    write_floors(scenes, "plain", [ROOM])
    made = environment(scenes)
    made.reset(episode("plain"), 0, [])
    assert made.object_boxes() == ()


def test_a_scene_whose_annotations_are_empty_has_no_boxes(scenes: Path) -> None:
    path = write_floors(scenes, "plain", [ROOM])
    path.write_text(json.dumps({**json.loads(path.read_text()), "objects": [None]}))
    made = environment(scenes)
    made.reset(episode("plain"), 0, [])
    assert made.object_boxes() == ()


@pytest.mark.parametrize("first", [True, False], ids=["at once", "after a healthy one"])
def test_a_broken_scene_costs_its_episode_and_no_other(scenes: Path, first: bool) -> None:
    for name in ("one", "two"):
        write_floors(scenes, name, [ROOM])
    write_floors(scenes, "broken", [ROOM]).write_bytes(b"glTF\x02 cut short")
    made = environment(scenes)
    if not first:
        opened(made, "one")
    for _ in range(2):
        with pytest.raises(EpisodeError, match=r"cannot open scene 'broken' \(.*broken\.glb\): RuntimeError"):
            made.reset(episode("broken"), 0, [])
        for name in ("one", "two", "one"):
            assert opened(made, name).area_m2 == pytest.approx(97.0)
    made.close()
    assert double.Simulator.open_count == 0


def test_what_is_left_out_is_told_in_square_metres_and_printed(
    scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_floors(scenes, "house", [ROOM, ATTIC, Island(0.5, 0.5, 0.1)])
    made = environment(scenes)
    told = opened(made, "house")
    made.close()
    assert told.area_m2 == pytest.approx(97.0)
    assert told.left_out_m2 == {ROOFS: pytest.approx(97.0), SMALL: pytest.approx(0.25)}
    said = capsys.readouterr().out
    assert "'house'" in said and "97.0 m² (roofs" in said and "0.2 m² (too small" in said
    kept = opened(environment(scenes, exclude_roofs=False), "house")
    assert kept.area_m2 == pytest.approx(194.0) and kept.left_out_m2[ROOFS] == 0.0


def test_a_room_without_a_ceiling_keeps_its_floor(scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_floors(scenes, "open", [ROOM, TABLE, Island(1.4, 0.9, 0.75)])
    told = opened(environment(scenes), "open")
    assert told.area_m2 > 97.0 and told.left_out_m2[ROOFS] == 0.0
    assert "left out" not in capsys.readouterr().out or told.left_out_m2[SMALL] > 0.0


def test_collection_and_evaluation_walk_on_the_same_ground(scenes: Path) -> None:
    """The file beside the scene, not what would be computed of it; also where nothing or an empty table is given."""
    write_floors(scenes, HM3D, [ROOM], mesh=[Island(5.0, 4.0, 0.0)])
    digests = set()
    for kind in (HabitatCollectEnvironment, HabitatEvalEnvironment):
        given: list[dict[str, Any]] = [{}, {"navmesh": None}, {"navmesh": {}}]
        for options in given:
            made = environment(scenes, kind, **options)
            told = opened(made, HM3D)
            made.close()
            assert told.area_m2 == pytest.approx(20.0), (kind, options)
            digests.add(told.digest)
    assert len(digests) == 1
    made = environment(scenes, navmesh={"source": "computed"})
    assert opened(made, HM3D).digest not in digests


def test_another_navigation_mesh_than_the_suite_s_is_refused(scenes: Path) -> None:
    mesh = write_floors(scenes, HM3D, [ROOM], mesh=[Island(5.0, 4.0, 0.0)]).with_suffix(".navmesh")
    made = environment(scenes, HabitatEvalEnvironment)
    digest = opened(made, HM3D).digest
    made.close()
    for key in (HM3D, f"{HM3D}.glb"):
        made = environment(scenes, HabitatEvalEnvironment, navmesh_digests={key: digest})
        assert opened(made, f"{HM3D}.glb").digest == digest
        made.close()
    mesh.write_text(json.dumps([vars(Island(5.0, 5.0, 0.0))]))
    made = environment(scenes, HabitatEvalEnvironment, navmesh_digests={HM3D: digest})
    with pytest.raises(SpecMismatch, match=f"walkable area of scene .* the suite was made on {digest}"):
        made.reset(episode(HM3D), 0, [])


@pytest.mark.parametrize(
    "name", [HM3D, f"{HM3D}.glb", "mp3d/17DRP5sb8fy/17DRP5sb8fy", "mp3d/17DRP5sb8fy/17DRP5sb8fy.glb", "train-0003"]
)
def test_scenes_of_every_data_set_are_found_with_and_without_their_suffix(scenes: Path, name: str) -> None:
    write_floors(scenes, name.removesuffix(".glb"), [ROOM], mesh=[ROOM])
    assert opened(environment(scenes, HabitatCollectEnvironment), name).area_m2 == pytest.approx(97.0)


def test_walkable_areas_survive_the_wire_and_a_table() -> None:
    from harness.contracts.walkable import read_row

    ground = Walkable("0123456789abcdef" * 4, 12.5, {ROOFS: 3.25, SMALL: 0.0})
    assert read_walkable(ground.to_info()) == ground and read_row(ground.to_row()) == ground
    assert read_walkable({}) is None and read_row({}) is None
    assert SimpleNamespace(**ground.to_row()).left_out_roofs_m2 == 3.25
