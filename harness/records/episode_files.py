"""The files of one episode: its trajectory, metrics, video, strips, goal and map."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.contracts.observations import TopDownMap
from harness.contracts.results import EpisodeResult
from harness.contracts.trajectories import PlayedEpisode, Trajectory
from harness.records.atomic import TEMPORARY, sync_folder, write_synced
from harness.records.errors import RecordError, disk_errors
from harness.records.identity import EpisodeKey
from harness.records.proposals import PROPOSALS, proposals_json
from harness.records.safe_files import read_inside, read_json_inside

TRAJECTORY = "trajectory.json"
VIDEO = "video.mp4"
GOAL = "goal.jpg"
PROMPT = GOAL
"""The picture that the agent was asked with, by the word of every task."""
MAP = "map.png"
TRAJECTORY_BYTES = 8 << 20
"""The largest ``trajectory.json`` that is read; that of a long episode has some 100 kB."""

PICTURE_BYTES = 1 << 20
"""The largest picture that is read: strips have 25 kB, maps a few."""

_PLAY_AGAIN = "Remove the folder and resume the run."
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class MapInfo:
    """How ``map.png`` lies on the floor: (x, z) of the corner of pixel (0, 0), cell size, size in cells."""

    origin: Tuple[float, float]
    cell_m: float
    rows: int
    columns: int

    @classmethod
    def of(cls, area: TopDownMap) -> MapInfo:
        """Return what is kept of a map besides its picture."""
        rows, columns = area.walkable.shape
        return cls(area.origin, area.cell_m, rows, columns)


@dataclass(frozen=True)
class EpisodeRecord:
    """The whole of ``trajectory.json``: enough to import the episode into a new journal.

    ``record_digest`` is the hash of the rest. ``plan_digest`` is that of the run that played the episode, so that it is
    never taken for another's. Each is "" in files from before it was written.
    """

    task: str
    tier: str
    attempts: int
    result: EpisodeResult
    trajectory: Trajectory
    map: Optional[MapInfo]
    record_digest: str = ""
    plan_digest: str = ""

    @property
    def key(self) -> EpisodeKey:
        """Return the journal's key of this episode."""
        return EpisodeKey(self.task, self.tier, self.result.episode, self.result.seed)


def record_digest(value: Mapping[str, Any]) -> str:
    """Return the hash of a record, as read from JSON, but for its timings: state, metrics, and the whole trajectory.

    The trajectory's own digest, which roots are made of, leaves out what differs between CPUs and what it was never
    asked to hold: distances, gaps, state and metrics. Timings are completed after the file is written.
    """
    result = {name: item for name, item in value["result"].items() if name != "timings"}
    return digest({**{name: item for name, item in value.items() if name != "record_digest"}, "result": result})


def make_record(
    key: EpisodeKey, played: PlayedEpisode, result: EpisodeResult, attempts: int, plan_digest: str
) -> EpisodeRecord:
    """Return what ``trajectory.json`` says of an episode that the run of ``plan_digest`` played, with its digest."""
    check_name(key.episode)
    info = None if played.map is None else MapInfo.of(played.map)
    record = EpisodeRecord(key.task, key.tier, attempts, result, played.trajectory, info, plan_digest=plan_digest)
    # Of the values as they will be read: later versions may know more fields, and must find the same digest.
    return replace(record, record_digest=record_digest(json.loads(_json(to_plain(record)))))


def write_record(episodes: Path, record: EpisodeRecord, played: PlayedEpisode) -> Path:
    """Write the files of a record and its pictures below ``episodes`` and return the episode's folder."""
    return write_files(episodes, record.key.folder_name, _contents(record, played))


def write_files(episodes: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Write an episode's ``files`` (name -> content) into its folder below ``episodes`` and return that folder.

    They are written into a temporary folder, synced, and renamed at once: a folder with an episode's name is always
    complete, however the process ends. An earlier folder of the same episode (played, but killed before its row was
    committed) is replaced.
    """
    final = episodes / name
    temporary = episodes / f"{TEMPORARY}{name}-{os.getpid()}"
    with disk_errors(final):
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            for file, data in files.items():
                write_synced(temporary / file, data)
            sync_folder(temporary)
            _replace_folder(temporary, final)
            sync_folder(episodes)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def read_episode(folder: Path) -> EpisodeRecord:
    """Return what ``trajectory.json`` in an episode's folder says.

    Raise RecordError when it is missing, a link, too large, not of this format, or when its trajectory or the whole of
    it has another digest than it claims.
    """
    path = folder / TRAJECTORY
    try:
        value = read_json_inside(folder.parent, f"{folder.name}/{TRAJECTORY}", TRAJECTORY_BYTES)
        record = from_plain(EpisodeRecord, value)
    except (OSError, ValueError) as error:
        raise RecordError(f"cannot read {path}: {error}.", _PLAY_AGAIN) from error
    if record.trajectory.digest() != record.result.trajectory_digest:
        raise RecordError(f"{path} does not match its own digest.", _PLAY_AGAIN)
    if record.record_digest and record.record_digest != record_digest(value):
        raise RecordError(f"{path} does not match its own digest: state, metrics or distances differ.", _PLAY_AGAIN)
    return record


def read_trajectory(folder: Path) -> Trajectory:
    """Return the trajectory in an episode's folder; errors as in `read_episode`."""
    return read_episode(folder).trajectory


def read_picture(folder: Path, name: str) -> Optional[bytes]:
    """Return a picture's bytes from an episode's folder; None where there is none, or a link, or anything too large."""
    try:
        return read_inside(folder.parent, f"{folder.name}/{name}", PICTURE_BYTES)
    except (OSError, RecordError):
        return None


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


def _contents(record: EpisodeRecord, played: PlayedEpisode) -> Mapping[str, bytes]:
    """Return every file's bytes by name. Pillow and PyAV are imported here: readers of records need neither."""
    from harness.records.pictures import map_png, strip_jpeg, view_jpeg
    from harness.records.video import encode_video

    files: Dict[str, bytes] = {
        TRAJECTORY: _json(to_plain(record)),
        GOAL: view_jpeg(played.prompt),
    }
    if played.proposals:
        files[PROPOSALS] = proposals_json(played.proposals)
    if played.map is not None:
        files[MAP] = map_png(played.map)
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
