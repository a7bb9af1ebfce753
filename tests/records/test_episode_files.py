"""An episode's folder is complete or not there, and its pictures show what was played."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from harness.contracts.errors import Refusal
from harness.contracts.results import EpisodeResult
from harness.contracts.trajectories import DecisionFrames, PlayedEpisode
from harness.records import episode_files
from harness.records.atomic import write_synced
from harness.records.episode_files import make_record, read_episode, read_trajectory, remove_leftovers, write_record
from harness.records.errors import DiskFull, RecordError
from harness.records.identity import EpisodeKey
from harness.records.pictures import STRIP_BYTES, strip_jpeg
from harness.records.video import encode_video
from tests.running.fake import episodes, played

EPISODE = episodes(1)[0]
KEY = EpisodeKey("fake", "easy", EPISODE.id, 7)


def outcome(episode: PlayedEpisode) -> EpisodeResult:
    return EpisodeResult(EPISODE.id, EPISODE.home, 7, "ok", episode.metrics, episode.trajectory.digest())


def write(root: Path, episode: PlayedEpisode) -> Path:
    return write_record(root, make_record(KEY, episode, outcome(episode), 2, "ab" * 32), episode)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    episode = played(EPISODE, 7)
    folder = write(tmp_path, episode)
    assert sorted(path.name for path in folder.iterdir()) == [
        "decision-00.jpg", "decision-01.jpg", "goal.jpg", "map.png", "trajectory.json", "video.mp4",
    ]  # fmt: skip
    record = read_episode(folder)
    assert (record.key, record.attempts, record.result) == (KEY, 2, outcome(episode))
    assert read_trajectory(folder) == episode.trajectory
    assert record.map is not None and episode.map is not None
    assert (record.map.rows, record.map.columns, record.map.origin) == (8, 10, (-1.0, -2.0))
    walkable = np.asarray(Image.open(folder / "map.png"))
    assert np.array_equal(walkable, episode.map.walkable)


def test_a_second_writing_replaces_the_first(tmp_path: Path) -> None:
    write(tmp_path, played(EPISODE, 7, decisions=3))
    folder = write(tmp_path, played(EPISODE, 7, decisions=1))
    assert not (folder / "decision-02.jpg").exists()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = write_synced

    def full(path: Path, data: bytes) -> None:
        if path.name == "goal.jpg":
            raise OSError(28, os.strerror(28))
        real(path, data)

    monkeypatch.setattr(episode_files, "write_synced", full)
    with pytest.raises(DiskFull, match="Free some space, then resume"):
        write(tmp_path, played(EPISODE, 7))
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_workers_are_removed(tmp_path: Path) -> None:
    for name in (".tmp-e000-s0-41", ".tmp-e001-s0-42", "e002-s0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").touch()
    assert remove_leftovers(tmp_path, pid=41) == 1
    assert remove_leftovers(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["e002-s0"]


def test_a_changed_trajectory_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path, played(EPISODE, 7)) / "trajectory.json"
    value = json.loads(path.read_bytes())
    value["trajectory"]["solved"] = not value["trajectory"]["solved"]
    path.write_text(json.dumps(value))
    with pytest.raises(RecordError, match="does not match its own digest"):
        read_episode(path.parent)
    path.write_text("{")
    with pytest.raises(RecordError, match="cannot read"):
        read_episode(path.parent)


@pytest.mark.parametrize("name", ["../e", "", ".tmp-e", "a/b", "e 1"])
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    episode = played(EPISODE, 7)
    with pytest.raises(Refusal, match="cannot name a folder"):
        make_record(replace(KEY, episode=name), episode, outcome(episode), 1, "")


def test_strips_stay_small_and_show_real_above_imagined() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 192, 3), np.uint8)
    red = np.zeros((96, 192, 3), np.uint8)
    red[..., 0] = 255
    data = strip_jpeg(DecisionFrames(noise, (noise,) * 4, {4: red}))
    assert len(data) <= STRIP_BYTES
    picture = np.asarray(Image.open(io.BytesIO(data)))
    tile = picture[-20:-5, -60:-5].reshape(-1, 3).mean(axis=0)
    assert tile[0] > 200
    assert tile[1] < 60
    before = picture[-20:-5, 5:60].reshape(-1, 3).mean(axis=0)
    assert np.abs(before - 60).max() < 15


@pytest.mark.parametrize(("height", "width"), [(32, 64), (33, 33)])
def test_the_video_has_a_frame_a_step(height: int, width: int) -> None:
    episode = played(EPISODE, 7, height, width)
    with av.open(io.BytesIO(encode_video(episode.frames))) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 1 + sum(len(decision.real) for decision in episode.frames)
    assert frames[0].height % 2 == frames[0].width % 2 == 0
