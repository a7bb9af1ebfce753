"""What a data set looks like: the LeRobotDataset v3 layout, the published folders, card and checksums."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.collecting import tables
from harness.collecting.plan import RECORD, read_plan
from harness.collecting.statistics import column_stats, image_stats, merged
from harness.collecting.validate import check_dataset
from harness.collecting.video import planar, read_times, read_video, write_video
from tests.collecting.toy import PLAN, make_data

KEY = "observation.images.front"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_fresh_data_set_is_right(data: Path) -> None:
    report = check_dataset(data)
    assert report.faults == () and (report.clips, report.frames) == (10, 50)


def test_the_layout_is_that_of_version_3(data: Path) -> None:
    units = range(4)
    assert set(files_of(data)) == {
        "README.md", "SHA256SUMS", RECORD, "meta/info.json", "meta/stats.json", "meta/tasks.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        *(f"data/chunk-000/file-{unit:03d}.parquet" for unit in units),
        *(f"videos/{KEY}/chunk-000/file-{unit:03d}.mp4" for unit in units),
    }  # fmt: skip
    info = json.loads((data / "meta/info.json").read_text())
    assert (info["codebase_version"], info["total_episodes"], info["total_frames"], info["fps"]) == ("v3.0", 10, 50, 10)
    assert info["splits"] == {"train": "0:10"}
    assert info["features"][KEY]["dtype"] == "video" and info["features"][KEY]["shape"] == [16, 16, 3]
    assert set(info["features"]) == {KEY, *tables.schema(PLAN).names}
    for row in tables.read_rows(data / "meta/episodes/chunk-000/file-000.parquet"):
        place = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        table = pq.read_table(data / info["data_path"].format(**place)).to_pylist()
        mine = [line for line in table if line["episode_index"] == row["episode_index"]]
        assert [line["index"] for line in mine] == list(range(row["dataset_from_index"], row["dataset_to_index"]))
        assert row["length"] == len(mine) == 5
        video = data / info["video_path"].format(video_key=KEY, **place)
        times, keys = read_times(video)
        first = round(row[f"videos/{KEY}/from_timestamp"] * 10)
        shown = [row[f"videos/{KEY}/from_timestamp"] + line["timestamp"] for line in mine]
        np.testing.assert_allclose(times[first : first + 5], shown, atol=1e-4)
        assert keys[first]


def test_the_table_of_tasks_has_the_text_as_the_index_of_pandas(data: Path) -> None:
    meta = json.loads(pq.read_schema(data / "meta/tasks.parquet").metadata[b"pandas"])
    assert meta["index_columns"] == ["task"]
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    assert pandas.read_parquet(data / "meta/tasks.parquet").iloc[0].name.startswith("walk to far points")


def test_equal_settings_give_equal_bytes(data: Path, tmp_path: Path) -> None:
    assert files_of(make_data(tmp_path)) == files_of(data)


def test_the_seed_changes_the_data_and_the_card_names_it(data: Path, tmp_path: Path) -> None:
    other = make_data(tmp_path, replace(PLAN, seed=5))
    changed = {name for name, content in files_of(other).items() if content != files_of(data)[name]}
    assert f"videos/{KEY}/chunk-000/file-000.mp4" in changed
    assert "| seed | 5 |" in (other / "README.md").read_text()


def test_the_card_says_what_is_in_it(data: Path) -> None:
    text = (data / "README.md").read_text()
    plan = read_plan(data)
    for fact in (
        "10 of 5 frames",
        plan.digest(),
        plan.rig_digest,
        "train-9000",
        "a drawn map",
        "waypoints (",
        "random (",
    ):
        assert fact in text
    assert not any(word in text for word in ("2026", str(data)))


def test_the_checksums_are_those_of_the_usual_program(data: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=data, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_statistics_are_those_of_numpy() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    values = frames.reshape(-1, 3) / 255.0
    stats = image_stats(frames)
    np.testing.assert_allclose(np.ravel(stats["mean"]), values.mean(axis=0))
    np.testing.assert_allclose(np.ravel(stats["std"]), values.std(axis=0))
    assert np.shape(stats["mean"]) == (3, 1, 1) and stats["count"] == [6]
    rows = np.random.default_rng(1).random((9, 4)).astype(np.float32)
    parts = [{"state": column_stats(rows[:4])}, {"state": column_stats(rows[4:])}]
    whole: dict[str, Any] = merged(parts)["state"]
    wide = rows.astype(np.float64)
    for kind, expected in (("mean", wide.mean(0)), ("std", wide.std(0)), ("min", wide.min(0)), ("max", wide.max(0))):
        np.testing.assert_allclose(whole[kind], expected)
    assert whole["count"] == [9]


def test_videos_keep_colours(tmp_path: Path) -> None:
    colours = ((0, 0, 0), (255, 255, 255), (200, 30, 40), (20, 180, 60), (30, 50, 220), (128, 128, 128))
    clips = [np.broadcast_to(np.array(colour, np.uint8), (3, 32, 32, 3)).copy() for colour in colours]
    write_video(tmp_path / "a.mp4", clips, 10, 3)
    shown = [frame for _, frame in read_video(tmp_path / "a.mp4")]
    for index, colour in enumerate(colours):
        assert np.abs(shown[3 * index].astype(int) - colour).max() <= 3
    assert planar(clips[2][0]).shape == (48, 32)
    assert b"2026" not in (tmp_path / "a.mp4").read_bytes()


def test_folders_have_the_published_layout(tmp_path: Path) -> None:
    folder = make_data(tmp_path, replace(PLAN, layout="folders"))
    assert check_dataset(folder).faults == ()
    leg = folder / "train-9000/traj-0/waypoint-1"
    assert {path.name for path in leg.iterdir()} == {"metadata.json", *(f"step-{s}_type-rgb.png" for s in range(5))}
    metadata = json.loads((leg / "metadata.json").read_text())
    steps = metadata["scene-train-9000"]["traj-0"]["steps"]["waypoint-1"]
    assert steps["step-0"]["action"] == 0
    assert all(steps[f"step-{s}"]["action"] in (1, 2, 3) for s in range(1, 5))
    position, rotation = steps["step-1"]["coord"]
    assert len(position) == 3 and len(rotation) == 4
    assert steps["step-1"]["habitat_camera_coord"][0][1] == pytest.approx(position[1] + 1.25)
