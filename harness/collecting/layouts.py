"""Writes the clips of one trajectory, in the layout of LeRobotDataset v3 or as one folder of pictures a clip.

Files appear complete or not at all, and a trajectory counts as done only when its record is written after them: a
killed process leaves nothing that a later one would take for data.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Dict, FrozenSet, List

from harness.collecting.plan import CHUNK_FILES, LEROBOT, CollectPlan, Unit
from harness.collecting.recording import DEPTH_NAME, Clip, write_depth
from harness.collecting.statistics import column_stats, image_stats
from harness.contracts.cameras import yaw_to_quaternion
from harness.contracts.digest import array_digest
from harness.contracts.errors import Refusal
from harness.contracts.walkable import Walkable, read_row
from harness.records.atomic import sync_folder, write_atomic, write_synced
from harness.records.errors import disk_errors

WORK = ".collecting"
"""Folder of what is not finished; gone when the data set is."""

UNITS = "units"
STEP_NAME = "step-{step}_type-rgb.png"
METADATA = "metadata.json"


def unit_record_path(folder: Path, unit: int) -> Path:
    """Return where the record of a finished trajectory is kept until the data set is."""
    return folder / WORK / UNITS / f"{unit:06d}.json"


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_unit(folder: Path, plan: CollectPlan, unit: Unit, clips: Sequence[Clip]) -> None:
    """Write the files of a trajectory, then its record."""
    write = _write_lerobot if plan.layout == LEROBOT else _write_folders
    files = write(folder, plan, unit, clips)
    record = {"unit": unit.number, "files": files, "episodes": [episode_row(plan, clip) for clip in clips]}
    path = unit_record_path(folder, unit.number)
    path.parent.mkdir(parents=True, exist_ok=True)  # on another machine it goes with each record that is sent
    write_atomic(path, json.dumps(record, sort_keys=True).encode())


def episode_row(plan: CollectPlan, clip: Clip) -> Dict[str, Any]:
    """Return the row of a clip in the table of episodes: where it is, where it is from, and its statistics.

    Where it stands among the rows of all clips is added when all lengths are known (`finishing.numbered`).
    """
    from harness.collecting import tables

    unit, length, key = clip.unit, len(clip.frames), plan.camera_key
    stats = {key: image_stats(clip.frames)}
    values = tables.columns(plan, clip)
    stats.update({name: column_stats(values[name]) for name in values})
    chunk = {"chunk_index": unit.number // CHUNK_FILES, "file_index": unit.number % CHUNK_FILES}
    row: Dict[str, Any] = {
        "episode_index": clip.index,
        "tasks": [tables.task_text(tables.task_of(plan, unit))],
        "length": length,
        **{f"data/{name}": value for name, value in chunk.items()},
        **{f"videos/{key}/{name}": value for name, value in chunk.items()},
        f"videos/{key}/from_timestamp": clip.number * length / plan.fps,
        f"videos/{key}/to_timestamp": (clip.number + 1) * length / plan.fps,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "scene": unit.scene,
        "scene_digest": clip.scene_digest,
        "split": plan.split,
        "trajectory": unit.trajectory,
        "clip": clip.number,
        "policy": unit.policy,
        "rendered_digest": clip.rendered_digest(),
        **clip.facts,
        **({"depth_digest": array_digest(clip.depth)} if clip.depth is not None else {}),
        **(clip.walkable.to_row() if clip.walkable is not None else {}),
    }
    row.update({f"stats/{name}/{kind}": v for name in stats for kind, v in stats[name].items()})
    return row


def clip_folder(scene: str, trajectory: int, clip: int) -> str:
    """Return the folder of a clip in the layout of pictures."""
    return f"{scene}/traj-{trajectory}/waypoint-{clip}"


def _write_lerobot(folder: Path, plan: CollectPlan, unit: Unit, clips: Sequence[Clip]) -> Dict[str, str]:
    from harness.collecting import tables
    from harness.collecting.video import write_video

    frames = [clip.frames for clip in clips]
    rows = [tables.columns(plan, clip) for clip in clips]
    writers: Mapping[str, Callable[[Path], None]] = {
        tables.video_path(plan.camera_key, unit.number): lambda path: write_video(
            path, frames, plan.fps, plan.key_every
        ),
        tables.data_path(unit.number): lambda path: tables.write_data(path, plan, rows),
    }
    return {path: placed(folder, path, write) for path, write in writers.items()}


def placed(folder: Path, path: str, write: Callable[[Path], object]) -> str:
    """Write a file aside, force it to the disk, and rename it into place; return its SHA-256."""
    target = folder / path
    aside = folder / WORK / f"part-{os.getpid()}-{target.name}"
    with disk_errors(target):
        write(aside)
        write_synced(aside, aside.read_bytes())
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(target)
        sync_folder(target.parent)
    return file_digest(target)


def _write_folders(folder: Path, plan: CollectPlan, unit: Unit, clips: Sequence[Clip]) -> Dict[str, str]:
    """Write each clip as a folder of PNG files with the metadata of the published layout.

    Step s is the view after action s there; here step 0, the view before the first action, is saved as well, with the
    action 0.
    """
    from PIL import Image

    files: Dict[str, str] = {}
    for clip in clips:

        def write(aside: Path, clip: Clip = clip) -> None:
            for step, rgb in enumerate(clip.frames):
                Image.fromarray(rgb).save(aside / STEP_NAME.format(step=step), compress_level=6)
            for step, picture in enumerate(() if clip.depth is None else clip.depth):
                write_depth(aside / DEPTH_NAME.format(step=step), picture)
            metadata = json.dumps(_metadata(plan, clip), indent=1, sort_keys=True).encode()
            write_synced(aside / METADATA, metadata)

        files.update(placed_folder(folder, clip_folder(unit.scene, unit.trajectory, clip.number), write))
    return files


def placed_folder(folder: Path, name: str, write: Callable[[Path], None]) -> Dict[str, str]:
    """Fill a folder aside and rename it into place; return path -> SHA-256 of its files."""
    target = folder / name
    aside = folder / WORK / f"part-{os.getpid()}-{target.name}"
    with disk_errors(target):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        write(aside)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(target)
        sync_folder(target.parent)
    return {f"{name}/{file.name}": file_digest(file) for file in sorted(target.iterdir())}


def file_names(plan: CollectPlan, unit: Unit) -> FrozenSet[str]:
    """Return the paths of all files of a trajectory, below the data set's folder."""
    if plan.layout == LEROBOT:
        from harness.collecting import tables

        return frozenset((tables.video_path(plan.camera_key, unit.number), tables.data_path(unit.number)))
    kinds = (STEP_NAME, DEPTH_NAME) if plan.recorded.depth else (STEP_NAME,)
    names = [METADATA, *(kind.format(step=step) for kind in kinds for step in range(plan.clip_frames))]
    folders = [clip_folder(unit.scene, unit.trajectory, clip) for clip in range(unit.clips)]
    return frozenset(f"{folder}/{name}" for folder in folders for name in names)


def _metadata(plan: CollectPlan, clip: Clip) -> Dict[str, Any]:
    unit = clip.unit
    ids = [0, *(int(number) for number, _ in clip.action_rows()[:-1])]
    collided = [False, *clip.collided[:-1]]
    points = [[float(value) for value in pose] for pose in clip.poses]
    steps: Dict[str, Any] = {}
    for step, (x, y, z, yaw) in enumerate(points):
        rotation = list(yaw_to_quaternion(yaw))
        steps[f"step-{step}"] = {
            "action": ids[step],
            "collided": collided[step],
            "coord": [[x, y, z], rotation],
            "habitat_camera_coord": [[x, y + plan.camera.height_m, z], rotation],
        }
    walked: List[List[float]] = [point[:3] for point in points]
    steps_by_leg = {f"waypoint-{clip.number}": steps}
    trajectory = {"trajPoints": walked, "steps": steps_by_leg}
    return {f"scene-{unit.scene}": {f"traj-{unit.trajectory}": trajectory}}


GROUND = "ground"
"""Folder in the work folder: for each scene that was opened, what it was walked on."""


def check_ground(folder: Path, scene: str, walkable: Walkable) -> None:
    """Raise Refusal where ``scene`` was walked on another area in this collection; remember the first."""
    place = folder / WORK / GROUND
    place.mkdir(parents=True, exist_ok=True)
    known = place / f"{hashlib.sha256(scene.encode()).hexdigest()[:16]}.json"
    aside = place / f"part-{os.getpid()}"
    aside.write_text(json.dumps(walkable.to_row(), sort_keys=True), encoding="utf-8")
    try:
        os.link(aside, known)
    except FileExistsError:
        found = json.loads(known.read_text(encoding="utf-8"))["navmesh_digest"]
        if found != walkable.digest:
            raise Refusal(
                f"scene {scene} was walked on the navigation mesh {found} before, and has {walkable.digest} now.",
                "Give the old navigation mesh back, or collect under another EXP_ID.",
            ) from None
    finally:
        aside.unlink()


def check_recorded_ground(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Do what `check_ground` does with what the rows of a trajectory's record say, if they say anything."""
    for row in rows[:1]:
        walkable = read_row(row)
        if walkable is not None:
            check_ground(folder, str(row["scene"]), walkable)


def walkable_by_scene(rows: Sequence[Mapping[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """Return what the rows of a data set say of each scene's walkable area; {} where they say nothing."""
    found = {str(row["scene"]): read_row(row) for row in rows}
    return {scene: walkable.to_row() for scene, walkable in found.items() if walkable is not None}
