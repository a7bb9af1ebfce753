"""Windows of data sets in every layout that is read, and the data that are refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Primitive, Vector, signed_turn
from harness.contracts.cameras import quaternion_to_yaw
from harness.contracts.errors import Refusal
from harness.contracts.training import ACTIONS, COLLIDED, DEPTH, NEEDS, POSES, TrainingClip
from harness.posttraining import reading
from harness.posttraining.clips import ClipData, cut, items_of
from harness.posttraining.open_data import open_all, open_data
from harness.posttraining.reading import read_ahead
from tests.posttraining.world import HELD_OUT, WALKS, make_walks

ALL = frozenset(NEEDS)
LEROBOT = replace(WALKS, name="lerobot", layout="lerobot", recorded=replace(WALKS.recorded, depth=False))


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_walks(tmp_path_factory.mktemp("walks"))


@pytest.fixture(scope="module")
def lerobot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_walks(tmp_path_factory.mktemp("lerobot"), LEROBOT)


def published(walks: Path, target: Path) -> Path:
    """Return ``walks`` as the published data are: no step 0, no list of files, nothing of ours."""
    shutil.copytree(walks, target)
    for name in ("meta", "README.md", "SHA256SUMS"):
        place = target / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    for file in target.rglob("step-0_*.png"):
        file.unlink()
    for file in target.rglob("metadata.json"):
        plain = json.loads(file.read_text())
        for scene in plain.values():
            for trajectory in scene.values():
                for steps in trajectory["steps"].values():
                    del steps["step-0"]
                    for step in steps.values():
                        del step["collided"]
        file.write_text(json.dumps(plain))
    return target


def all_clips(data: ClipData) -> list[TrainingClip]:
    return [data.read(window) for window in data.windows]


def follows(clip: TrainingClip) -> bool:
    """Say whether a clip's turns turn its poses and roll its pictures, and its forwards lead ahead or collide."""
    for t, action in enumerate(clip.actions):
        before, after = clip.poses[t], clip.poses[t + 1]
        turn = quaternion_to_yaw(after.rotation) - quaternion_to_yaw(before.rotation)
        if abs((turn - signed_turn(action) + 180.0) % 360.0 - 180.0) > 1e-6:
            return False
        rolled = np.roll(clip.frames[t], round(signed_turn(action) / 22.5) * 2, axis=1)
        if np.abs(rolled.astype(int) - clip.frames[t + 1]).mean() > 12.0:
            return False
        moved = np.hypot(after.position[0] - before.position[0], after.position[2] - before.position[2])
        blocked = clip.collided is not None and bool(clip.collided[t])
        forward = isinstance(action, Primitive) and action.name == FORWARD
        if not blocked and clip.collided is not None and abs(moved - (0.2 if forward else 0.0)) > 1e-6:
            return False
    return True


def test_folders_with_depth_hold_everything(walks: Path) -> None:
    data = open_data(walks, 6)
    assert data.holds == ALL and len(data.windows) == 18 and data.left_out == 0
    clips = all_clips(data)
    assert all(follows(clip) for clip in clips)
    assert {clip.frames.shape for clip in clips} == {(6, 16, 32, 3)}
    depth = clips[0].depth
    assert depth is not None and depth.dtype == np.float32 and depth.shape == (6, 16, 32)
    assert np.all(depth[:, 0] == 0.0) and np.allclose(depth[:, 1:], 2.5, atol=2e-4)
    first = clips[3].poses[0]
    assert first.position == (0.0, 0.0, 0.0) and first.rotation[0] == 1.0
    assert any(clip.collided is not None and clip.collided.any() for clip in clips)


def test_a_folder_that_holds_one_data_set_stands_for_it_and_of_several_one_has_to_be_named(
    walks: Path, tmp_path: Path
) -> None:
    (tmp_path / "walks").symlink_to(walks)
    assert open_data(tmp_path, 6).sha256 == open_data(walks, 6).sha256
    (tmp_path / "again").symlink_to(walks)
    with pytest.raises(Refusal, match="holds 2 data sets: again, walks"):
        open_data(tmp_path, 6)


def test_a_first_forward_leads_along_minus_z(walks: Path) -> None:
    clips = [c for c in all_clips(open_data(walks, 2)) if c.collided is not None and not c.collided[0]]
    ahead = [clip.poses[1].position for clip in clips if clip.actions[0] == Primitive(FORWARD, 0.2)]
    assert ahead and np.allclose(ahead, [(0.0, 0.0, -0.2)] * len(ahead), atol=1e-6)


def test_lerobot_gives_the_same_walks(walks: Path, lerobot: Path) -> None:
    data = open_data(lerobot, 6)
    assert data.holds == {ACTIONS, POSES, COLLIDED}
    for ours, video in zip(all_clips(open_data(walks, 6)), all_clips(data), strict=True):
        assert ours.collided is not None and video.collided is not None
        assert ours.actions == video.actions and np.array_equal(ours.collided, video.collided)
        assert np.allclose([p.position for p in ours.poses], [p.position for p in video.poses], atol=1e-6)
        assert np.abs(ours.frames.astype(int) - video.frames).mean() < 12.0 and follows(video)


def test_frames_of_a_video_are_those_of_the_window(lerobot: Path) -> None:
    data = open_data(lerobot, 4)
    whole = {(window.clip, window.first): data.read(window).frames for window in data.windows}
    assert {first for _, first in whole} == {0, 2}
    for clip in range(18):
        assert np.array_equal(whole[clip, 0][2:], whole[clip, 2][:2])


def test_published_folders_begin_after_their_first_action(walks: Path, tmp_path: Path) -> None:
    theirs = open_data(published(walks, tmp_path / "theirs"), 5)
    assert theirs.holds == {ACTIONS, POSES, DEPTH} and len(theirs.windows) == 18
    for window, clip in zip(theirs.windows, all_clips(theirs), strict=True):
        assert follows(clip) and len(clip.actions) == 4, window
    by_name = {clip.name: clip for clip in all_clips(theirs)}
    ours = open_data(walks, 6)
    for window in ours.windows:
        mine, other = ours.read(window), by_name[window.name]
        assert mine.actions[1:] == other.actions and np.array_equal(mine.frames[1:], other.frames)


def test_windows_share_one_frame_and_leave_no_action_out() -> None:
    assert cut(5, 13) == [0, 4, 8] and cut(5, 14) == [0, 4, 8, 9] and cut(5, 5) == [0] and cut(5, 4) == []


@pytest.mark.parametrize("need", [DEPTH])
def test_data_without_what_is_needed_are_refused_by_name(lerobot: Path, need: str) -> None:
    with pytest.raises(Refusal, match=r"does not hold depth, which FTmini is trained with.*--depth"):
        open_all([lerobot], 6, frozenset({need}), "FTmini")


def test_strangers_lerobot_data_are_read_by_their_columns(lerobot: Path, tmp_path: Path) -> None:
    target = tmp_path / "arm"
    shutil.copytree(lerobot, target)
    (target / "meta/collect.json").unlink()
    (target / "SHA256SUMS").unlink()
    info = json.loads((target / "meta/info.json").read_text())
    info["features"]["observation.state"]["names"] = ["a", "b", "c", "d"]
    info["features"]["action"]["names"] = {"motors": ["left", "right"]}
    del info["features"]["collided"]
    (target / "meta/info.json").write_text(json.dumps(info))
    data = open_data(target, 6)
    assert data.holds == {ACTIONS} and data.name == "arm" and len(data.sha256) == 64
    clip = data.read(data.windows[0])
    assert isinstance(clip.actions[0], Vector) and clip.actions[0].space == "data" and len(clip.actions) == 5
    with pytest.raises(Refusal, match=r"poses are read from 'observation.state' of x_m, y_m, z_m, yaw_deg .found a, b"):
        open_all([target], 6, frozenset({POSES}), "FTmini")
    del info["features"]["action"]
    (target / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(Refusal, match="there is no column 'action'"):
        open_all([target], 6, frozenset({ACTIONS}), "FTmini")


def test_homes_of_another_split_are_refused(walks: Path, tmp_path: Path) -> None:
    held_out = make_walks(tmp_path, HELD_OUT)
    with pytest.raises(Refusal, match="holds validation data, and train data are asked for"):
        open_data(held_out, 6)
    assert open_data(held_out, 6, "validation").split == "validation"
    renamed = published(walks, tmp_path / "renamed")
    (renamed / "train-9000").rename(renamed / "validation-0003")
    with pytest.raises(Refusal, match="validation-0003 is a home of the split 'validation'"):
        open_data(renamed, 5)


def test_a_home_that_a_suite_plays_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    from harness.collecting.split_guard import evaluation_homes

    data = make_walks(tmp_path)
    rows = json.loads((data / "meta/episodes.json").read_text())
    rows[4]["scene_digest"] = next(iter(evaluation_homes()))
    (data / "meta/episodes.json").write_text(json.dumps(rows))
    with pytest.raises(Refusal, match="has the bytes of"):
        open_data(data, 6)


def test_a_file_that_is_not_the_listed_one_is_found(tmp_path: Path) -> None:
    data = make_walks(tmp_path)
    opened = open_data(data, 6)
    picture = sorted(data.rglob("step-2_type-rgb.png"))[0]
    picture.write_bytes(sorted(data.rglob("step-3_type-rgb.png"))[0].read_bytes())
    with pytest.raises(Refusal, match=r"step-2_type-rgb.png is not the file that its data set lists"):
        all_clips(opened)


@pytest.mark.parametrize(
    "broken, what",
    [
        ("empty", "is no data set that can be trained on"),
        ("unfinished", "is not complete: it has no SHA256SUMS"),
        ("v2", "is a LeRobotDataset v2.1, and version 3 is read"),
        ("short", "no clip of .* has 7 frames"),
    ],
)
def test_folders_that_cannot_be_trained_on(walks: Path, lerobot: Path, tmp_path: Path, broken: str, what: str) -> None:
    folder, frames = tmp_path / "data", 6
    if broken == "empty":
        folder.mkdir()
    elif broken == "unfinished":
        shutil.copytree(walks, folder)
        (folder / "SHA256SUMS").unlink()
    elif broken == "v2":
        shutil.copytree(lerobot, folder)
        (folder / "meta/collect.json").unlink()
        info = json.loads((folder / "meta/info.json").read_text())
        (folder / "meta/info.json").write_text(json.dumps({**info, "codebase_version": "v2.1"}))
    else:
        folder, frames = walks, 7
    with pytest.raises(Refusal, match=what):
        open_all([folder], frames, frozenset(), "FTmini")


def test_cameras_that_differ_do_not_train_together(walks: Path, tmp_path: Path) -> None:
    other = make_walks(
        tmp_path, replace(WALKS, name="narrow", camera=replace(WALKS.camera, hfov_deg=90.0, kind="pinhole"))
    )
    with pytest.raises(Refusal, match=r"equirect 16 × 32, 360°.*pinhole 16 × 32, 90°"):
        open_all([walks, other], 6, frozenset(), "FTmini")


def test_turns_are_named_as_the_harness_names_them(walks: Path) -> None:
    names: set[Any] = {action.name for clip in all_clips(open_data(walks, 6)) for action in clip.actions}  # type: ignore[union-attr]
    assert names == {FORWARD, TURN_LEFT, TURN_RIGHT}


def test_rows_of_a_table_of_several_episodes_are_told_apart(lerobot: Path) -> None:
    data = open_data(lerobot, 6)
    table = pq.read_table(lerobot / "data/chunk-000/file-000.parquet").to_pylist()
    for clip, window in enumerate(data.windows[:3]):
        mine = [row for row in table if row["episode_index"] == clip]
        numbers = {"forward": 1, "turn_left": 2, "turn_right": 3}
        assert [numbers[a.name] for a in data.read(window).actions] == [row["action"][0] for row in mine[:-1]]  # type: ignore[union-attr]


def test_processes_read_what_threads_do(walks: Path, lerobot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = items_of([open_data(walks, 6), open_data(lerobot, 6)])
    threads = list(read_ahead(items))
    monkeypatch.setattr(reading, "MANY", 2)
    for first, second in zip(threads, read_ahead(items, 3), strict=True):
        assert first.name == second.name and np.array_equal(first.frames, second.frames)
        assert first.actions == second.actions and first.poses == second.poses


def test_a_broken_clip_is_named_by_a_process_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_walks(tmp_path)
    items = items_of([open_data(data, 6)])
    sorted(data.rglob("step-2_type-rgb.png"))[0].unlink()
    monkeypatch.setattr(reading, "MANY", 2)
    with pytest.raises(Refusal, match=r"step-2_type-rgb.png cannot be read"):
        list(read_ahead(items, 3))
