"""The files of one episode: its trajectory, metrics, video, strips, goal and map."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.results import EpisodeResult
from harness.contracts.trajectories import PlayedEpisode, Trajectory
from harness.records.atomic import TEMPORARY, sync_folder, write_synced
from harness.records.errors import RecordError, disk_errors
from harness.records.identity import EpisodeKey
from harness.records.plain import from_plain

TRAJECTORY = "trajectory.json"
VIDEO = "video.mp4"
GOAL = "goal.jpg"
MAP = "map.png"
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class MapInfo:
    """How ``map.png`` lies on the floor: (x, z) of the corner of pixel (0, 0), cell size, size in cells."""

    origin: Tuple[float, float]
    cell_m: float
    rows: int
    columns: int


@dataclass(frozen=True)
class EpisodeRecord:
    """The whole of ``trajectory.json``: enough to import the episode into a new journal."""

    task: str
    tier: str
    attempts: int
    result: EpisodeResult
    trajectory: Trajectory
    map: MapInfo

    @property
    def key(self) -> EpisodeKey:
        """Return the journal's key of this episode."""
        return EpisodeKey(self.task, self.tier, self.result.episode, self.result.seed)


def write_episode(episodes: Path, key: EpisodeKey, played: PlayedEpisode, result: EpisodeResult, attempts: int) -> Path:
    """Write all files of a played episode below ``episodes`` and return its folder.

    They are written into a temporary folder, synced, and renamed at once: a folder with an episode's name is always
    complete, however the process ends. An earlier folder of the same episode (played, but killed before its row was
    committed) is replaced.
    """
    check_name(key.episode)
    final = episodes / key.folder_name
    temporary = episodes / f"{TEMPORARY}{key.folder_name}-{os.getpid()}"
    with disk_errors(final):
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            for name, data in _contents(key, played, result, attempts).items():
                write_synced(temporary / name, data)
            sync_folder(temporary)
            _replace_folder(temporary, final)
            sync_folder(episodes)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def read_episode(folder: Path) -> EpisodeRecord:
    """Return what ``trajectory.json`` in an episode's folder says.

    Raise RecordError when it is missing, not of this format, or its trajectory has another digest than it claims.
    """
    path = folder / TRAJECTORY
    try:
        record = from_plain(EpisodeRecord, json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise RecordError(f"cannot read {path}: {error}.", "Remove the folder and resume the run.") from error
    if record.trajectory.digest() != record.result.trajectory_digest:
        raise RecordError(f"{path} does not match its own digest.", "Remove the folder and resume the run.")
    return record


def read_trajectory(folder: Path) -> Trajectory:
    """Return the trajectory in an episode's folder; errors as in `read_episode`."""
    return read_episode(folder).trajectory


def remove_leftovers(episodes: Path, pid: Optional[int] = None) -> int:
    """Remove the temporary folders of killed workers (of process ``pid`` alone, if given); return how many.

    Call it only while holding the run's lock.
    """
    suffix = "" if pid is None else f"-{pid}"
    leftovers = sorted(episodes.glob(f"{TEMPORARY}*{suffix}"))
    for leftover in leftovers:
        shutil.rmtree(leftover, ignore_errors=True)
    return len(leftovers)


def check_name(episode: str) -> None:
    """Raise Refusal when an episode's id cannot be a folder name."""
    if not _SAFE_NAME.fullmatch(episode):
        raise Refusal(f"episode id {episode!r} cannot name a folder.", "Use letters, digits, dot, dash and underscore.")


def _contents(key: EpisodeKey, played: PlayedEpisode, result: EpisodeResult, attempts: int) -> Mapping[str, bytes]:
    """Return every file's bytes by name. Pillow and PyAV are imported here: readers of records need neither."""
    from harness.records.pictures import map_png, strip_jpeg, view_jpeg
    from harness.records.video import encode_video

    top_down = played.map
    rows, columns = top_down.walkable.shape
    info = MapInfo(top_down.origin, top_down.cell_m, rows, columns)
    record = EpisodeRecord(key.task, key.tier, attempts, result, played.trajectory, info)
    files: Dict[str, bytes] = {
        TRAJECTORY: _json(to_plain(record)),
        GOAL: view_jpeg(played.goal),
        MAP: map_png(top_down),
    }
    for index, frames in enumerate(played.frames):
        files[f"decision-{index:02d}.jpg"] = strip_jpeg(frames)
    if played.frames:
        files[VIDEO] = encode_video(played.frames)
    return files


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _replace_folder(temporary: Path, final: Path) -> None:
    """Rename ``temporary`` to ``final``; a folder cannot be renamed onto another, so an old one steps aside first."""
    aside = final.with_name(f"{TEMPORARY}old-{final.name}-{os.getpid()}")
    if final.exists():
        final.rename(aside)
    temporary.rename(final)
    shutil.rmtree(aside, ignore_errors=True)
