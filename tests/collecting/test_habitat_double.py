"""Collecting in scenes of licensed data sets: the command, its processes and Habitat's service, on a double of the
simulator (`tests/images/habitat/double.py`), with scenes where the data sets keep theirs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cli.collect import collect_command
from harness.collecting import sources, split_guard
from harness.collecting.choosing import choose_files
from harness.collecting.layouts import UNITS, WORK
from harness.collecting.pipeline import check_folder
from harness.collecting.plan import PLAIN, RECORD, Recorded, plan_from_plain, plan_to_plain, read_plan
from harness.collecting.recording import MOST_M, read_depth, stored
from harness.collecting.services import SCENES_IN_CONTAINER, Machine, service_spec
from harness.collecting.validate import check_dataset
from harness.collecting.walk_service import WalkService, facts_of
from harness.contracts.errors import Refusal, ServiceError, WiwError
from harness.contracts.published_rigs import COLLECTION_RIG
from harness.contracts.scene_names import list_scenes
from harness.records.identity import ImageRecord
from harness.running import run_images
from harness.running.messages import Abort, Written
from harness.running.run_options import check_runtime
from harness.runtimes.environments import collection_of, find_environment
from harness.runtimes.images.declared import own_reference
from harness.runtimes.service import Mount
from tasks.suite import load_suite
from tests.collecting.toy import PLAN, ToyBackend, answer_of, make_data
from tests.images.habitat.double import NO_EGL, double_python, write_floors
from tests.images.habitat.rectangles import Island

HABITAT = find_environment("habitat")
PROFILE = collection_of(HABITAT)
ROOM, ATTIC = Island(9.7, 10.0, 0.0), Island(9.7, 10.0, 2.6)
MESH = Island(6.0, 5.0, 0.0)
TRAIN = ("00000-kfPV7w3FaU5/kfPV7w3FaU5", "00001-UVdNNRcVyV1/UVdNNRcVyV1")
FIRST = f"hm3d/train/{TRAIN[0]}.basis"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes where HM3D and MP3D have them, behind a link as their downloader makes it, with annotations beside."""
    folder = tmp_path_factory.mktemp("scenes")
    kept = tmp_path_factory.mktemp("versioned")
    (folder / "hm3d").symlink_to(kept, target_is_directory=True)
    for name in TRAIN:
        path = write_floors(folder, f"hm3d/train/{name}.basis", [ROOM, ATTIC], mesh=[MESH, replace(MESH, y=2.6)])
        path.with_name(path.name.replace(".basis", ".semantic")).write_bytes(b"glTF")
    write_floors(folder, "hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis", [ROOM], mesh=[MESH])
    write_floors(folder, "hm3d/train/00666-qvNra81N8BU/qvNra81N8BU.basis", [ROOM], mesh=[MESH])
    for name in ("17DRP5sb8fy", "2azQ1b91cZZ", "pa4otMbVnkk"):
        write_floors(folder, f"mp3d/{name}/{name}", [ROOM], mesh=[MESH])
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return double_python(tmp_path_factory.mktemp("double"))


def collected(folder: Path, python: Path, place: Path, **asked: Any) -> Path:
    given: dict[str, Any] = {"clips": 3, "clip_frames": 3, "policy": "random", **asked}
    assert collect_command("hm", folder, 1, suite="wiw", scenes_dir=place, env_python=str(python), **given) == 0
    return folder / "hm"


@pytest.fixture(scope="module")
def data(scenes: Path, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collected(tmp_path_factory.mktemp("data"), python, scenes, scenes="hm3d-train")


def test_scenes_of_hm3d_are_collected_by_the_name_of_their_set(data: Path) -> None:
    assert check_dataset(data).faults == ()
    assert read_plan(data).scenes == tuple(f"hm3d/train/{name}.basis" for name in TRAIN)


def test_the_data_say_what_was_walked_on_and_what_was_left_out(data: Path) -> None:
    found = json.loads((data / RECORD).read_text())["walkable"]
    assert set(found) == set(read_plan(data).scenes)
    for ground in found.values():
        assert ground["walkable_m2"] == pytest.approx(30.0), "the file beside the scene, as evaluation walks"
        assert ground["left_out_roofs_m2"] == pytest.approx(30.0) and len(ground["navmesh_digest"]) == 64
    card = (data / "README.md").read_text()
    assert "| 30.0 | 30.0 | 0.0 |" in card and next(iter(found.values()))["navmesh_digest"] in card


def test_what_is_left_out_is_printed_and_can_be_kept(
    scenes: Path, python: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    collected(tmp_path / "a", python, scenes, scenes=FIRST, clips=1)
    assert f"{FIRST}: 30.0 m² are walkable; left out: 30.0 m² (roofs" in capfd.readouterr().err
    kept = collected(tmp_path / "b", python, scenes, scenes=f"{FIRST}.glb", clips=1, keep_roofs=True)
    assert "left out" not in capfd.readouterr().err
    ground = json.loads((kept / RECORD).read_text())["walkable"][FIRST]
    assert ground["walkable_m2"] == pytest.approx(60.0) and read_plan(kept).recorded.keep_roofs


def test_without_names_scenes_of_the_split_are_found_in_every_folder(scenes: Path) -> None:
    found = list_scenes(scenes)
    assert len(found) == 7 and all(".semantic" not in name for name in found)
    chosen = choose_files("", "train", found, 2)
    assert chosen == tuple(f"hm3d/train/{name}.basis" for name in TRAIN)
    assert choose_files("4", "train", found, 2)[-1] == "mp3d/17DRP5sb8fy/17DRP5sb8fy"
    assert choose_files("", "validation", found, 9) == (
        "hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis", "mp3d/2azQ1b91cZZ/2azQ1b91cZZ",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "split", "count"),
    [
        ("hm3d-train", "train", 2),
        ("mp3d-train", "train", 1),
        ("hm3d-train,mp3d-train", "train", 3),
        ("hm3d-val", "validation", 1),
        ("mp3d-val", "validation", 1),
        ("hm3d/train", "train", 3),
        ("hm3d/train/", "train", 3),
        ("mp3d", "train", 1),
        ("hm3d/train/00000-kfPV7w3FaU5", "train", 1),
        (FIRST, "train", 1),
        (f"{FIRST}.glb", "train", 1),
        ("hm3d/train/00666-qvNra81N8BU/qvNra81N8BU.basis", "train", 1),
        ("3", "train", 3),
    ],
)
def test_scenes_are_named_by_set_folder_file_or_number(scenes: Path, text: str, split: str, count: int) -> None:
    assert len(choose_files(text, split, list_scenes(scenes), 1)) == count


@pytest.mark.parametrize(
    ("text", "split", "said"),
    [
        ("hm3d-val", "train", "scenes of the split 'validation'.*--split validation"),
        ("mp3d-test", "train", "collected for nobody"),
        ("mp3d-test", "validation", "collected for nobody"),
        ("mp3d/pa4otMbVnkk/pa4otMbVnkk", "validation", "home of the split 'test'"),
        ("hm3d/val", "train", "home of the split 'validation'"),
        ("hm3d-trian", "train", "Did you mean 'hm3d-train'"),
        ("kfPV7w3FaU5", "train", f"Did you mean {FIRST}"),
        ("hm3d/train/00000-kfPV7w3FaU6/kfPV7w3FaU6.basis.glb", "train", f"Did you mean '{FIRST}'"),
        ("hm3d/trian", "train", "Did you mean 'hm3d/train'"),
        ("train-0000", "train", "there is no scene 'train-0000'"),
        ("9", "train", "holds 4 scenes of the split train, and --scenes asks for 9"),
        ("../x", "train", "names no scene"),
        (f"{FIRST},{FIRST}.glb", "train", "twice"),
    ],
)
def test_names_that_are_wrong_get_the_nearest(scenes: Path, text: str, split: str, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        choose_files(text, split, list_scenes(scenes), 1)


def test_scenes_that_a_suite_plays_are_in_no_set_and_refused_by_name(
    scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = "hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb"
    monkeypatch.setattr(split_guard, "evaluation_homes", lambda: {"e" * 64: played})
    for text in ("hm3d-val", "hm3d/val", played, played.removesuffix(".glb")):
        with pytest.raises(Refusal, match=r"a suite plays|played by a suite|may be collected"):
            choose_files(text, "validation", list_scenes(scenes), 1)
            split_guard.check_name(text, "validation")


def test_a_folder_without_scenes_is_named(tmp_path: Path, python: Path) -> None:
    with pytest.raises(Refusal, match=f"no scenes below {tmp_path}.*datasets"):
        collect_command("hm", tmp_path / "out", 1, suite="wiw", scenes_dir=tmp_path, env_python=str(python))


def test_a_navigation_mesh_that_was_replaced_meanwhile_is_refused(tmp_path: Path, scenes: Path, python: Path) -> None:
    own = tmp_path / "scenes"
    path = write_floors(own, FIRST, [ROOM], mesh=[MESH])
    camera = replace(load_suite("wiw").rig.camera("front"), height=16, width=16)
    plan = replace(PLAN, environment="habitat", camera=camera, scenes=(FIRST,), clips=4, clips_per_trajectory=2)
    (tmp_path / WORK / UNITS).mkdir(parents=True)
    for number in range(2):
        backend = WalkService(HABITAT, camera, Machine("", str(python), str(own)), tmp_path / "log")
        answer = answer_of(tmp_path, replace(plan, policies=("random",)), backend, number)
        backend.close()
        assert isinstance(answer, Written) == (number == 0), answer
        path.with_suffix(".navmesh").write_text(json.dumps([vars(ROOM)]))
    assert isinstance(answer, Abort) and "navigation mesh" in answer.what


def test_a_collector_that_does_not_start_says_why_and_where_its_log_is(scenes: Path, tmp_path: Path) -> None:
    python = double_python(tmp_path / "double", **{NO_EGL: "1"})
    with pytest.raises(WiwError, match="no EGL devices found") as caught:
        collected(tmp_path / "out", python, scenes, scenes=FIRST)
    log = next(line for line in str(caught.value).splitlines() if "Whole log: " in line).split("Whole log: ")[1]
    assert "no EGL devices" in Path(log.strip()).read_text()


def test_a_failing_call_names_the_log_of_a_service_that_lives(tmp_path: Path, scenes: Path, python: Path) -> None:
    camera = load_suite("wiw").rig.camera("front")
    backend = WalkService(HABITAT, camera, Machine("", str(python), str(scenes)), tmp_path / "service.log")
    try:
        with pytest.raises(ServiceError, match=r"service\.log") as caught, backend._service.asked():
            raise ServiceError("it broke.", "Try.")
        assert caught.value.what == "it broke." and caught.value.next_step.startswith("Try.")
    finally:
        backend.close()


def test_a_container_of_the_collector_s_image_sees_the_scenes_and_one_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def find(name: str) -> ImageRecord:
        asked.append(name)
        return ImageRecord(name, "sha256:" + "a" * 64)

    monkeypatch.setattr(run_images, "find_image", find)
    given = sources.Given(tmp_path, "", "", "docker")
    machine = sources._machine(HABITAT, load_suite("wiw"), given)
    assert asked == [own_reference("wiw-bench/habitat_collect")] and machine.python == ""
    machine = replace(machine, gpu="GPU-4a1b")
    camera = load_suite("wiw").rig.camera("front")
    spec = service_spec("habitat", PROFILE.entry_point, machine, PROFILE.values(facts_of(camera, machine, PLAIN)))
    assert spec.container is not None and spec.container.gpu_uuid == "GPU-4a1b"
    assert spec.container.image_id == "sha256:" + "a" * 64
    assert spec.container.mounts == (Mount(str(tmp_path), SCENES_IN_CONTAINER),)
    assert (spec.options["scenes_dir"], spec.options["gpu_device_id"]) == (SCENES_IN_CONTAINER, 0)
    assert "navmesh" not in spec.options, "an empty description would be another one than evaluation's"
    arm = sources._machine(find_environment("rlbench"), None, sources.Given(None, "", "", "docker"))
    assert asked[-1] == own_reference("wiw-bench/rlbench") and arm.image_id
    for wrong, said in (("dockr", "Did you mean 'docker'"), ("docker", "--env-python names")):
        with pytest.raises(Refusal, match=said):
            check_runtime(wrong, "python" if wrong == "docker" else "")


def test_the_published_rig_and_depth_are_recorded(scenes: Path, python: Path, tmp_path: Path) -> None:
    asked = {"scenes": FIRST, "clips": 1, "clip_frames": 2, "layout": "folders"}
    folder = collected(tmp_path, python, scenes, rig="published", depth=True, **asked)
    plan = read_plan(folder)
    assert plan.camera == COLLECTION_RIG.camera("pano") and plan.camera.height_m == 1.5
    assert (plan.camera.height, plan.camera.width) == (1000, 2000)
    assert plan.recorded == Recorded(depth=True, face_pixels=768)
    picture = folder / FIRST / "traj-0/waypoint-0/step-1_type-depth.png"
    depth = read_depth(picture)
    assert depth.shape == (1000, 2000) and depth.dtype == np.uint16 and depth.min() > 65535 // 20 - 1
    assert check_dataset(folder).faults == ()
    assert "of the published collection" in (folder / "README.md").read_text()


def test_depth_is_checked_picture_by_picture(tmp_path: Path) -> None:
    from PIL import Image

    class Deep(ToyBackend):
        def _frame(self, collided: bool) -> Any:
            frame = super()._frame(collided)
            return replace(frame, depth=np.full((16, 16), 1.0 + frame.pose.position[0] % 1.0, np.float32))

    plan = replace(PLAN, layout="folders", recorded=Recorded(depth=True))
    folder = make_data(tmp_path, plan, Deep())
    assert check_dataset(folder).faults == ()
    picture = folder / plan.scenes[0] / "traj-0/waypoint-1/step-2_type-depth.png"
    Image.fromarray(read_depth(picture) + 1).save(picture)
    assert "its depth is not what was recorded" in {fault.what for fault in check_dataset(folder).faults}
    picture.unlink()
    assert any("type-depth.png" in fault.what for fault in check_dataset(folder).faults)


def test_depth_is_stored_as_published() -> None:
    metres = np.array([[0.0, 10.0, 20.0, 99.0, MOST_M / 65535]], np.float32)
    assert stored(metres).tolist() == [[0, 32768, 65535, 65535, 1]]


def test_what_nobody_chose_is_not_written_down_and_old_settings_are_read(tmp_path: Path) -> None:
    """The hash of a data set from before there was a choice is still its hash."""
    plain = plan_to_plain(PLAN)
    assert "recorded" not in plain and "navmesh" not in plain
    assert plan_from_plain(plain) == PLAN
    chosen = replace(PLAN, layout="folders", recorded=Recorded(True), navmesh={"agent_height": 1.0})
    assert plan_from_plain(json.loads(json.dumps(plan_to_plain(chosen)))) == chosen
    folder = make_data(tmp_path)
    with pytest.raises(Refusal, match="navmesh"):
        check_folder(folder, replace(PLAN, navmesh={"agent_height": 1.0}))


def test_depth_in_a_video_is_refused() -> None:
    with pytest.raises(Refusal, match=r"16-bit.*--layout folders"):
        replace(PLAN, recorded=Recorded(depth=True))
