"""Planted faults: each is found, and the first bad clip is the one that was damaged.

All but the tests of checksums make the checksums again, as someone would who changes data on purpose.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.collecting import split_guard
from harness.collecting.dataset_writer import CHECKSUMS, write_checksums
from harness.collecting.layouts import file_digest
from harness.collecting.validate import check_dataset
from harness.collecting.video import read_video, write_video
from harness.contracts.errors import Refusal
from tests.collecting.toy import PLAN, make_data

KEY = "observation.images.front"
VIDEO = f"videos/{KEY}/chunk-000/file-{{:03d}}.mp4"
DATA = "data/chunk-000/file-{:03d}.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "toy"))


def summed_again(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS]
    write_checksums(folder, {str(path.relative_to(folder)): file_digest(path) for path in files})


def edit(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the rows of a table and write it with its schema."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)


def first_fault(folder: Path) -> tuple[int | None, str]:
    report = check_dataset(folder)
    assert report.faults
    return report.first_bad_clip, " / ".join(str(fault) for fault in report.faults)


def test_a_changed_byte_is_found_by_its_checksum(data: Path) -> None:
    path = data / VIDEO.format(2)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    clip, said = first_fault(data)
    assert clip == 6 and "another SHA-256" in said


@pytest.mark.parametrize("again", (False, True))
def test_a_missing_file(data: Path, again: bool) -> None:
    (data / DATA.format(1)).unlink()
    if again:
        summed_again(data)
    clip, said = first_fault(data)
    assert clip == 3 and ("missing" in said or "cannot be read" in said)


def test_a_file_too_many(data: Path) -> None:
    (data / "notes.txt").write_text("hello")
    assert "notes.txt is not listed" in first_fault(data)[1]


def test_a_missing_frame(data: Path) -> None:
    path = data / VIDEO.format(0)
    frames = [frame for _, frame in read_video(path)]
    write_video(path, [np.stack(frames[:7] + frames[8:])], 10, 5)
    summed_again(data)
    clip, said = first_fault(data)
    assert clip is not None and clip <= 2 and "14 frames, not 15" in said


def test_a_truncated_video(data: Path) -> None:
    path = data / VIDEO.format(1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 3 and "frames" in said


def test_a_video_at_another_speed(data: Path) -> None:
    path = data / VIDEO.format(1)
    frames = [frame for _, frame in read_video(path)]
    write_video(path, [np.stack(frames[i : i + 5]) for i in (0, 5, 10)], 12, 5)
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 3 and "is shown at" in said


def test_swapped_videos(data: Path) -> None:
    first, second = data / VIDEO.format(0), data / VIDEO.format(1)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 0 and "not those of its statistics" in said


def test_swapped_tables(data: Path) -> None:
    first, second = data / DATA.format(0), data / DATA.format(1)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    summed_again(data)
    assert first_fault(data)[0] == 0


def test_a_jump(data: Path) -> None:
    def jump(rows: list[dict[str, Any]]) -> None:
        for row in rows[8:]:
            row["observation.state"][0] += 0.5

    edit(data / DATA.format(1), jump)
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 4 and "between frames 2 and 3" in said


def test_a_jump_between_clips(data: Path) -> None:
    def jump(rows: list[dict[str, Any]]) -> None:
        for row in rows[5:]:
            row["observation.state"][0] += 0.5

    edit(data / DATA.format(0), jump)
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 1 and "does not start where the clip before it ends" in said


def test_a_turn_that_was_not_taken(data: Path) -> None:
    def turn(rows: list[dict[str, Any]]) -> None:
        rows[11]["action"] = [2.0, 22.5] if rows[11]["action"][0] != 2.0 else [3.0, 22.5]

    edit(data / DATA.format(2), turn)
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 8 and "between frames 1 and 2" in said


@pytest.mark.parametrize("action", ([7.0, 0.2], [1.0, 0.25], [2.0, 22.0], [0.0, 0.0], [float("nan"), 0.2]))
def test_an_action_that_does_not_exist(data: Path, action: list[float]) -> None:
    edit(data / DATA.format(0), lambda rows: rows[6].update(action=action))
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 1 and "which cannot be" in said


def test_rows_out_of_order_and_wrong_times(data: Path) -> None:
    edit(data / DATA.format(3), lambda rows: rows[2].update(timestamp=0.3))
    edit(data / DATA.format(2), lambda rows: rows[0].update(index=7))
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 6 and "numbered wrongly" in said and "clip 9: row 2 has the time" in said


def test_a_missing_row(data: Path) -> None:
    edit(data / DATA.format(0), lambda rows: rows.pop(7))
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 1 and "4 frames in its table" in said


def test_another_schema(data: Path) -> None:
    path = data / DATA.format(0)
    pq.write_table(pq.read_table(path).drop_columns(["collided"]), path)
    summed_again(data)
    assert first_fault(data) == (0, f"clip 0: {DATA.format(0)} has another schema")


def test_wrong_statistics_of_all(data: Path) -> None:
    path = data / "meta/stats.json"
    stats = json.loads(path.read_text())
    stats["action"]["mean"][0] += 0.01
    path.write_text(json.dumps(stats))
    summed_again(data)
    clip, said = first_fault(data)
    assert clip is None and "statistics of action: mean" in said


def test_wrong_statistics_of_a_clip(data: Path) -> None:
    edit(data / EPISODES, lambda rows: rows[5].update({"stats/observation.state/max": [9.0, 9.0, 9.0, 9.0]}))
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 5 and "statistics of observation.state: max" in said


def test_a_home_of_another_name(data: Path) -> None:
    edit(data / EPISODES, lambda rows: rows[4].update(scene="validation-0003"))
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 4 and "split 'validation'" in said


def test_a_validation_home_under_another_name(data: Path) -> None:
    digest = next(iter(split_guard.evaluation_homes()))
    edit(data / EPISODES, lambda rows: rows[7].update(scene_digest=digest))
    summed_again(data)
    clip, said = first_fault(data)
    assert clip == 7 and "has the bytes of" in said


def test_a_changed_info(data: Path) -> None:
    path = data / "meta/info.json"
    path.write_text(path.read_text().replace('"fps": 10', '"fps": 20', 1))
    summed_again(data)
    assert "info.json" in first_fault(data)[1]


def test_a_missing_clip(data: Path) -> None:
    edit(data / EPISODES, lambda rows: rows.pop(3))
    summed_again(data)
    assert "clips 0 to 9" in first_fault(data)[1]


def test_an_incomplete_and_a_foreign_folder(data: Path, tmp_path: Path) -> None:
    (data / CHECKSUMS).unlink()
    with pytest.raises(Refusal, match="not complete"):
        check_dataset(data)
    with pytest.raises(Refusal, match="no collected data set"):
        check_dataset(tmp_path)


@pytest.mark.parametrize("fault", ("swapped", "missing", "jump", "cut"))
def test_faults_in_folders(tmp_path: Path, fault: str) -> None:
    folder = make_data(tmp_path, replace(PLAN, layout="folders"))
    leg = folder / "train-9001/traj-0/waypoint-1"
    other = folder / "train-9000/traj-0/waypoint-0"
    if fault == "swapped":
        for step in range(5):
            shutil.copy(other / f"step-{step}_type-rgb.png", leg)
    elif fault == "missing":
        (leg / "step-2_type-rgb.png").unlink()
    elif fault == "cut":
        path = leg / "step-2_type-rgb.png"
        path.write_bytes(path.read_bytes()[:40])
    else:
        metadata = json.loads((leg / "metadata.json").read_text())
        metadata["scene-train-9001"]["traj-0"]["steps"]["waypoint-1"]["step-2"]["coord"][0][2] += 0.7
        (leg / "metadata.json").write_text(json.dumps(metadata))
    summed_again(folder)
    clip, _ = first_fault(folder)
    assert clip == 4 or (fault in ("missing", "cut") and clip == 3)
