"""The published episode files: what is right is read, what is wrong is named by file, item and field."""

from __future__ import annotations

import gzip
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.cameras import quaternion_to_yaw
from harness.contracts.errors import Refusal
from harness.contracts.observations import Observation
from harness.contracts.walkable import ROOFS, SMALL, Walkable
from tasks.official import files
from tasks.official.episodes import ignav_episodes, measure_distances, refused_items
from tasks.official.files import read_aeqa, read_ar, read_ignav
from tasks.official.goal_images import GoalImages
from tasks.official.records import AEQA_CATEGORIES, AR_CLASSES
from tasks.official.scenes import require_scenes, scene_name, scene_path
from tasks.official.suite_data import make_suite_data
from tasks.suite import Split, load_suite
from tests.image_goals import changed, goal_of
from tests.planning.toy import ToyEnvironment
from tests.tasks.official_files import (
    HALF,
    aeqa_item,
    ar_item,
    ignav_item,
    write_aeqa,
    write_ar,
    write_goal_images,
    write_ignav,
    write_plain,
)

Make = Callable[..., Dict[str, Any]]
READERS = {"ar": (ar_item, write_ar, read_ar), "ignav": (ignav_item, write_ignav, read_ignav)}
READERS_ALL: Dict[str, Any] = {**READERS, "aeqa": (aeqa_item, write_aeqa, read_aeqa)}


def gz(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def message(data: Path, task: str, items: List[Any]) -> str:
    """Return what the reader of a task says about a file with these items: of those it leaves out, or of the file."""
    _, write, read = READERS_ALL[task]
    write(data, items)
    try:
        found = read(data)
    except Refusal as refusal:
        return str(refusal)
    assert len(found.items) + len(found.refused) == len(items)
    return "\n".join(found.refused)


def test_the_published_numbers_of_classes_and_categories() -> None:
    assert len(AR_CLASSES) == len(set(AR_CLASSES)) == 27
    assert len(AEQA_CATEGORIES) == len(set(AEQA_CATEGORIES)) == 7


@pytest.mark.parametrize("task", sorted(READERS_ALL))
def test_right_files_are_read_in_order_and_frozen(tmp_path: Path, task: str) -> None:
    make, write, read = READERS_ALL[task]
    path = write(tmp_path, [make(n, something_else={"x": 1}) for n in (3, 1, 2)])
    found = read(tmp_path)
    assert found.path == path and len(found.items) == 3 and len(found.sha256) == 64
    assert found.stray_files == ()
    with pytest.raises(Exception, match="frozen"):
        found.items[0].start_position = (0.0, 0.0, 0.0)


def test_both_spellings_of_the_target_are_read_and_must_agree(tmp_path: Path) -> None:
    right = ar_item(1)
    right["target_category"] = right.pop("target_categrory")
    write_ar(tmp_path, [ar_item(0), right])
    assert [item.target_category for item in read_ar(tmp_path).items] == ["tv_monitor", "tv_monitor"]
    said = message(tmp_path, "ar", [ar_item(0, target_category="bed")])
    assert "target_categrory is 'tv_monitor', target_category is 'bed'" in said


@pytest.mark.parametrize(
    ("task", "field", "value", "expected"),
    [
        ("ar", "target_categrory", "telephone", "'appliances'"),
        ("ar", "difficulty", 3, "0, 1 or 2"),
        ("ar", "scene_id", "data/scene_datasets/hm3d/x.glb", "mp3d"),
        ("ar", "scene_id", "/root/mp3d/x.glb", "relative path"),
        ("ar", "episode_id", -1, "greater than or equal to 0"),
        ("ar", "episode_id", 1.5, "valid integer"),
        ("ar", "episode_id", True, "expected a number"),
        ("ar", "episode_id", "one", "valid integer"),
        ("ar", "episode_id", "-1", "valid integer"),
        ("ar", "episode_id", float("inf"), "valid integer"),
        ("ar", "difficulty", 1.5, "0, 1 or 2"),
        ("aeqa", "question_id", 1.5, "valid string"),
        ("ar", "start_position", [1.0, 2.0], "found"),
        ("ar", "start_position", [1.0, True, 2.0], "expected a number"),
        ("ar", "start_position", [1.0, float("nan"), 2.0], "found nan"),
        ("ar", "start_position", ["1", 0.0, 2.0], "valid number"),
        ("ar", "start_rotation", [1.0, 0.0, 1.0, 0.0], "length is 1.4142"),
        ("ar", "start_rotation", [0.0, HALF, 0.0, HALF], "looks like x, y, z, w"),
        ("ignav", "goal_radius", 0.0, "greater than 0"),
        ("ignav", "start_rotation", [0.0, 0.0, 0.0, 1.0], "looks like x, y, z, w"),
        ("ignav", "start_rotation", [0.6, 0.0, 0.6, 0.0], "length is 0.8485"),
        ("ignav", "step_to_goal", 0, "greater than or equal to 1"),
        ("ignav", "scene_relpath", "../../etc/passwd", "stays in its folder"),
        ("ignav", "datum_id", "..", "stays in its folder"),
        ("ignav", "goal_image_png_bytes", "iVBOR", "None"),
        ("aeqa", "category", "colours", "'object localization'"),
        ("aeqa", "question", "", "at least 1 character"),
        ("aeqa", "hfov", 180.0, "less than 180"),
        ("aeqa", "extra_answers", "one", "valid tuple"),
    ],
)
def test_a_wrong_field_is_named_with_file_item_and_id(
    tmp_path: Path, task: str, field: str, value: Any, expected: str
) -> None:
    make, _, _ = READERS_ALL[task]
    wrong = make(7, **{field: value})
    said = message(tmp_path, task, [make(0), wrong])
    assert said.startswith("item 1 (") and len(said.splitlines()) == 1
    assert field.replace("target_categrory", "target_cat") in said and "found" in said.replace("scene_id is", "found")
    assert expected in said
    alone = message(tmp_path, task, [wrong])
    assert f"{files.EVALUATION_FOLDER}" in alone and ".json.gz: item 0 (" in alone
    assert expected in alone and f"datasets fetch {task}" in alone


@pytest.mark.parametrize(
    ("task", "field", "value", "read"),
    [
        ("ar", "episode_id", 7.0, 7),
        ("ar", "episode_id", "7", 7),
        ("ar", "target_id", 41.0, 41),
        ("ar", "difficulty", 2.0, 2),
        ("ar", "start_position", [1, 2, -3], (1.0, 2.0, -3.0)),
        ("ignav", "step_to_goal", 27.0, 27),
        ("ignav", "episode_id", 3.0, 3),
        ("ignav", "datum_id", 12, "12"),
        ("ignav", "goal_radius", 1, 1.0),
        ("aeqa", "question_id", 5.0, "5"),
        ("aeqa", "hfov", 90, 90.0),
        ("ar", "start_rotation", [0.71, 0.0, 0.71, 0.0], (HALF, 0.0, HALF, 0.0)),
        ("ignav", "start_rotation", [0.99, 0, 0.1, 0], (0.994937, 0.0, 0.100499, 0.0)),
        ("ignav", "goal_rotation", [0.0, 0.0, 0.0, 1.0], (1.0, 0.0, 0.0, 0.0)),
        ("ignav", "goal_rotation", [0.0, 0.71, 0.0, 0.71], (HALF, 0.0, HALF, 0.0)),
        ("ignav", "goal_rotation", [HALF, 0.0, HALF, 0.0], (HALF, 0.0, HALF, 0.0)),
    ],
)
def test_what_can_mean_only_one_thing_is_read(tmp_path: Path, task: str, field: str, value: Any, read: Any) -> None:
    make, write, reader = READERS_ALL[task]
    write(tmp_path, [make(0), make(7, **{field: value})])
    found = reader(tmp_path)
    assert found.refused == () and len(found.items) == 2
    stored = getattr(found.items[1], field)
    assert stored == (pytest.approx(read, abs=1e-6) if isinstance(read, tuple) else read)
    assert type(stored) is type(read)


def test_other_forms_are_told_in_one_note_and_the_published_one_in_none(tmp_path: Path) -> None:
    write_ignav(tmp_path, [ignav_item(n) for n in range(4)])
    assert read_ignav(tmp_path).note == ""
    write_ignav(tmp_path, [ignav_item(n, episode_id=float(n), step_to_goal=9.0) for n in range(4)], num_items=4.0)
    assert read_ignav(tmp_path).note.startswith("9 values were read in another form, such as num_items 4.0 as 4")
    write_ignav(tmp_path, [ignav_item(0)], version=1.1)
    assert "version 1.1 as '1.1'" in read_ignav(tmp_path).note


def test_a_wrong_item_costs_its_episode_and_not_the_file(tmp_path: Path) -> None:
    bad = [ignav_item(1, goal_radius=-1.0), 3, ignav_item(0), ignav_item(5, goal_rotation=[HALF, HALF, 0.0, 0.0])]
    write_ignav(tmp_path, [ignav_item(0), *bad, ignav_item(6)])
    found = read_ignav(tmp_path)
    assert [item.datum_id for item in found.items] == ["datum-0", "datum-5", "datum-6"]
    assert [text.partition(":")[0].partition(" (")[0] for text in found.refused] == ["item 1", "item 2", "item 3"]
    episodes = ignav_episodes(found, "published", "test")
    assert [episode.tags[0] for episode in episodes] == ["datum:datum-0", "datum:datum-6"]
    assert len(refused_items(found, "published", "test")) == 4
    assert "rotation about y" in refused_items(found, "published", "test")[-1]


def test_suite_data_are_made_of_the_right_episodes_and_say_what_is_left_out(tmp_path: Path) -> None:
    loaded = load_suite("wiw-v1")
    tier = replace(loaded.tier(), splits={"test": Split(1, 3)})
    suite = replace(loaded, tiers={tier.name: tier}, folder=tmp_path / "suite")
    suite.folder.mkdir()
    items = [ignav_item(n, start_position=[0.0, 0.0, 0.0], goal_position=[0.0, 0.0, -2.0 - n]) for n in (0, 1, 2)]
    items[1]["goal_radius"] = 0.0
    write_ignav(tmp_path, items)
    scene = scene_path(tmp_path, "hm3d/val/" + items[0]["scene_relpath"])
    scene.parent.mkdir(parents=True)
    scene.write_bytes(b"glb")
    said: List[str] = []
    episodes = make_suite_data(suite, tmp_path, ToyEnvironment(), said.append)
    assert [episode.tags[0] for episode in episodes] == ["datum:datum-0", "datum:datum-2"]
    assert len(said) == 1 and "item 1" in said[0] and "goal_radius" in said[0]


def test_the_walkable_areas_of_prepared_data_are_written_down(tmp_path: Path) -> None:
    loaded = load_suite("wiw-v1")
    tier = replace(loaded.tier(), splits={"test": Split(1, 1)})
    suite = replace(loaded, tiers={tier.name: tier}, folder=tmp_path / "suite")
    suite.folder.mkdir()
    assert suite.navmesh_digests() == {}
    items = [ignav_item(0, start_position=[0.0, 0.0, 0.0], goal_position=[0.0, 0.0, -2.0])]
    write_ignav(tmp_path, items)
    name = "hm3d/val/" + items[0]["scene_relpath"]
    scene_path(tmp_path, name).parent.mkdir(parents=True)
    scene_path(tmp_path, name).write_bytes(b"glb")
    ground = Walkable("ab" * 32, 61.5, {ROOFS: 12.25, SMALL: 0.0})

    class Telling(ToyEnvironment):
        def reset(self, *asked: Any) -> Observation:
            return replace(super().reset(*asked), info=ground.to_info())

    said: List[str] = []
    make_suite_data(suite, tmp_path, Telling(), said.append)
    assert suite.navmesh_digests() == {name: "ab" * 32}
    assert len(said) == 1 and "12.2 m² (roofs" in said[0] and "61.5 m² are walkable" in said[0]


def test_prepared_data_of_licensed_scenes_are_ignored_by_git() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("this is no checkout")
    folder = "tasks/ignav/suites/wiw-v1"
    paths = [f"{folder}/{name}" for name in ("published-test.json.gz", "homes.json", "navmeshes.json", "bank.zip")]
    asked = ["git", "check-ignore", *paths, f"{folder}/suite.toml", "tasks/ignav/suites/embedded-v1/homes.json"]
    done = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.split() == paths


@pytest.mark.parametrize("task", sorted(READERS_ALL))
def test_a_missing_field_is_named(tmp_path: Path, task: str) -> None:
    make, _, _ = READERS_ALL[task]
    short = make(4)
    del short["start_rotation"]
    said = message(tmp_path, task, [make(0), make(1), short])
    assert "item 2 (" in said and "field start_rotation: found nothing, expected a value" in said


@pytest.mark.parametrize("task", sorted(READERS_ALL))
def test_an_item_that_occurs_twice_is_refused(tmp_path: Path, task: str) -> None:
    make, _, _ = READERS_ALL[task]
    assert "item 2: field" in (said := message(tmp_path, task, [make(0), make(1), make(0)]))
    assert "(item 0 has it)" in said


def test_two_goals_may_not_share_scene_and_episode_number(tmp_path: Path) -> None:
    said = message(tmp_path, "ignav", [ignav_item(0), ignav_item(1, episode_id=0)])
    assert "item 1: field episode_id" in said


def test_stray_files_are_named_and_not_read(tmp_path: Path) -> None:
    path = write_ar(tmp_path, [ar_item(0)])
    (path.parent / "episodes_AR.json.gz.bak").write_bytes(b"not gzip")
    (path.parent / ".DS_Store").write_bytes(b"")
    assert read_ar(tmp_path).stray_files == (".DS_Store", "episodes_AR.json.gz.bak")


def test_the_goal_zip_and_its_folder_are_no_strays(tmp_path: Path) -> None:
    path = write_ignav(tmp_path, [ignav_item(0)])
    write_goal_images(tmp_path, ["datum-0"])
    (path.parent / "goal_imgs_unzipped").mkdir()
    assert read_ignav(tmp_path).stray_files == ()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "cannot be read as gzip JSON"),
        (b"<!DOCTYPE html><html></html>", "It is a web page"),
        (gz(b'{"episodes": ['), "cannot be read as gzip JSON"),
        (gz(b'{"episodes": []}')[:-9], "cannot be read as gzip JSON"),
        (gz(b"[" * 100_000), "cannot be read as gzip JSON"),
        (gz(b'{"episodes": []}'), "field episodes"),
        (gz(b"[]"), "found []"),
        (gz(b'{"episodes": [3]}'), "field episodes.0: found 3"),
    ],
    ids=["empty", "page", "cut JSON", "cut gzip", "deep", "no episodes", "a list", "a number"],
)
def test_a_damaged_file_costs_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / files.AR_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(Refusal) as refusal:
        read_ar(tmp_path)
    said = str(refusal.value)
    assert str(path) in said and sentence in said


def test_gzip_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 1 << 20)
    write_plain(tmp_path / files.AR_FILE, {"episodes": [" " * (2 << 20)]})
    with pytest.raises(Refusal, match="more than 1 MiB"):
        read_ar(tmp_path)


def test_too_many_items_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_ITEMS", 2)
    assert "found 3 items, expected at most 2" in message(tmp_path, "ar", [ar_item(n) for n in range(3)])


def test_a_wrong_count_or_version_is_refused(tmp_path: Path) -> None:
    write_ignav(tmp_path, [ignav_item(0)], num_items=2)
    with pytest.raises(Refusal, match="num_items is 2, expected 1"):
        read_ignav(tmp_path)
    write_ignav(tmp_path, [ignav_item(0)], version="2.0")
    with pytest.raises(Refusal, match=r"field version: found '2.0', input should be '1.1'"):
        read_ignav(tmp_path)


def test_an_absent_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="datasets fetch aeqa"):
        read_aeqa(tmp_path)


@given(plain=st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_item_of_any_shape_escapes_as_another_error(tmp_path_factory: Any, plain: Any) -> None:
    data = tmp_path_factory.mktemp("any")
    for task in READERS_ALL:
        assert "item 0" in message(data, task, [plain]) or task != "aeqa"


def test_goal_images_are_found_by_name_and_read_in_place(tmp_path: Path) -> None:
    images = GoalImages(write_goal_images(tmp_path, ["datum-0", "datum-1"], **{"images/readme.txt": b"hello"}))
    assert len(images) == 2 and images.stray_entries == ("images/readme.txt",)
    picture = images.read("datum-1")
    assert picture.shape == (4, 8, 3) and np.all(picture == 10)
    images.check(["datum-0", "datum-1"])
    with pytest.raises(Refusal, match=r"no image of 1 of 2 episodes, such as images/datum-9\.png"):
        images.check(["datum-0", "datum-9"])


def test_a_damaged_goal_image_is_noticed(tmp_path: Path) -> None:
    path = write_goal_images(tmp_path, ["datum-0"], **{"images/text.png": b"no picture"})
    with pytest.raises(Refusal, match="it is no PNG"):
        GoalImages(path).read("text")
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(Refusal, match=r"images/datum-0\.png cannot be read"):
        GoalImages(path).read("datum-0")
    path.write_bytes(b"<html>")
    with pytest.raises(Refusal, match="zip archive"):
        GoalImages(path)


def test_missing_scenes_give_one_message_with_the_steps(tmp_path: Path) -> None:
    name = scene_name("data/scene_datasets/mp3d/a/a.glb")
    assert name == "mp3d/a/a.glb"
    here = scene_path(tmp_path, "hm3d/val/x/x.basis.glb")
    here.parent.mkdir(parents=True)
    here.write_bytes(b"")
    require_scenes(tmp_path, ["hm3d/val/x/x.basis.glb"])
    with pytest.raises(Refusal) as refusal:
        require_scenes(tmp_path, ["hm3d/val/x/x.basis.glb", "hm3d/val/y/y.basis.glb", name, name])
    said = str(refusal.value)
    assert "2 of 3 scenes are not in" in said and "such as hm3d/val/y/y.basis.glb" in said
    for step in ("API token", "hm3d_val_v0.2", "Terms of Use form", "--task habitat", str(tmp_path), "datasets verify"):
        assert step in said


def test_published_goals_become_episodes_of_the_suite(tmp_path: Path) -> None:
    write_ignav(tmp_path, [ignav_item(0), ignav_item(1, goal_position=[0.0, 0.1, 0.0])])
    first, second = ignav_episodes(read_ignav(tmp_path), "published", "test")
    assert first.id == "00800-TEEsavR23oF-E000" and first.home == "00800-TEEsavR23oF"
    assert first.scene == "hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb"
    assert (first.task, first.tier, first.split) == ("ignav", "published", "test")
    assert (goal_of(first).radius_m, first.reference_actions, goal_of(first).geodesic_m) == (0.5, 27, 5.0)
    assert first.tags == ("datum:datum-0",) and goal_of(second).geodesic_m > 0.0
    assert quaternion_to_yaw(first.start.rotation) == pytest.approx(2.29, abs=0.01)
    assert quaternion_to_yaw(goal_of(first).goal.rotation) == 180.0


def test_a_leaning_start_is_refused_with_its_item(tmp_path: Path) -> None:
    write_ignav(tmp_path, [ignav_item(0, goal_rotation=[HALF, HALF, 0.0, 0.0])])
    with pytest.raises(Refusal, match=r"item 0 \(datum_id 'datum-0'\): field goal_rotation: .* rotation about y"):
        ignav_episodes(read_ignav(tmp_path), "published", "test")


def test_distances_come_from_the_environment(tmp_path: Path) -> None:
    write_ignav(tmp_path, [ignav_item(0, goal_position=[0.0, 0.0, -4.0], start_position=[0.0, 0.0, 0.0])])
    episodes = ignav_episodes(read_ignav(tmp_path), "published", "test")
    environment = ToyEnvironment()
    (measured,) = measure_distances(episodes, environment)
    expected = environment.geodesic_distance(measured.start.position, goal_of(measured).goal.position)
    assert changed(measured, geodesic_m=goal_of(episodes[0]).geodesic_m) == episodes[0]
    assert goal_of(measured).geodesic_m == pytest.approx(expected, abs=1e-6)


def test_suite_data_are_made_from_file_scenes_and_simulator(tmp_path: Path) -> None:
    loaded = load_suite("wiw-v1")
    tier = replace(loaded.tier(), splits={"test": Split(1, 2)})
    suite = replace(loaded, tiers={tier.name: tier}, folder=tmp_path / "suite")
    suite.folder.mkdir()
    items = [ignav_item(n, start_position=[0.0, 0.0, 0.0], goal_position=[0.0, 0.0, -2.0 - n]) for n in (0, 1)]
    write_ignav(tmp_path, items)
    with pytest.raises(Refusal, match="1 of 1 scenes are not in"):
        make_suite_data(suite, tmp_path, ToyEnvironment())
    assert list(suite.folder.iterdir()) == []
    scene = scene_path(tmp_path, "hm3d/val/" + items[0]["scene_relpath"])
    scene.parent.mkdir(parents=True)
    scene.write_bytes(b"glb")
    episodes = make_suite_data(suite, tmp_path, ToyEnvironment())
    assert suite.episodes(tier.name, "test") == tuple(episodes)
    before = suite.hash(tier.name)
    make_suite_data(suite, tmp_path, ToyEnvironment())
    assert suite.hash(tier.name) == before
    write_ignav(tmp_path, items[:1])
    with pytest.raises(Refusal, match=r"1 episodes in 1 buildings, tier 'published' of wiw-v1 expects 2 in 1"):
        make_suite_data(suite, tmp_path, ToyEnvironment())
