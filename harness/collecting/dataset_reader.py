"""Reads a data set back, clip by clip, in either layout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import numpy.typing as npt

from harness.collecting import tables
from harness.collecting.dataset_writer import EPISODES_JSON
from harness.collecting.layouts import METADATA, STEP_NAME, clip_folder
from harness.collecting.plan import LEROBOT, CollectPlan, Unit
from harness.contracts.cameras import quaternion_to_yaw
from harness.contracts.observations import RGB

Row = Dict[str, Any]


@dataclass(frozen=True, eq=False)
class ReadClip:
    """One clip as it is stored: its row, poses [T, 4], actions [T, 2] (each leading to the next frame), collisions.

    Of a demonstration poses and actions are [T, 8], and there are no collisions; commanded poses are [T, 7].
    """

    row: Row
    poses: npt.NDArray[np.float64]
    actions: npt.NDArray[np.float64]
    collided: Tuple[bool, ...]
    table: List[Row]


def read_rows(folder: Path, plan: CollectPlan) -> List[Row]:
    """Return the rows of all clips."""
    if plan.layout == LEROBOT:
        return tables.read_rows(folder / tables.EPISODES_PATH)
    rows: List[Row] = json.loads((folder / EPISODES_JSON).read_text(encoding="utf-8"))
    return rows


def read_clips(folder: Path, plan: CollectPlan, unit: Unit, rows: List[Row]) -> Iterator[ReadClip]:
    """Yield the clips of a trajectory without their frames."""
    if plan.layout == LEROBOT:
        table = tables.read_rows(folder / tables.data_path(unit.number))
        for row in rows:
            mine = [line for line in table if line["episode_index"] == row["episode_index"]]
            poses = np.array([line["observation.state"] for line in mine], np.float64)
            actions = np.array([line["action"] for line in mine], np.float64)
            collided = tuple(line["collided"] for line in mine) if plan.tells_collisions else ()
            yield ReadClip(row, poses, actions, collided, mine)
        return
    for row in rows:
        yield _read_folder(folder, plan, row)


def read_frames(folder: Path, plan: CollectPlan, unit: Unit, rows: List[Row]) -> Iterator[Tuple[Row, RGB]]:
    """Yield (row, frames uint8 [T, H, W, 3]) of the clips of a trajectory; fewer frames where the files have fewer."""
    if plan.layout == LEROBOT:
        from harness.collecting.video import read_video

        video = read_video(folder / tables.video_path(plan.camera_key, unit.number))
        for row in rows:
            frames = [frame for _, (_, frame) in zip(range(row["length"]), video, strict=False)]
            yield row, np.stack(frames) if frames else np.zeros((0, plan.camera.height, plan.camera.width, 3), np.uint8)
        return
    from PIL import Image

    for row in rows:
        place = folder / clip_folder(row["scene"], row["trajectory"], row["clip"])
        yield row, np.stack([np.array(Image.open(place / STEP_NAME.format(step=s))) for s in range(row["length"])])


def _read_folder(folder: Path, plan: CollectPlan, row: Row) -> ReadClip:
    """Return a clip of the layout of pictures; actions there lead to their frame, here to the next."""
    place = folder / clip_folder(row["scene"], row["trajectory"], row["clip"])
    metadata = json.loads((place / METADATA).read_text(encoding="utf-8"))
    trajectory = metadata[f"scene-{row['scene']}"][f"traj-{row['trajectory']}"]
    found = trajectory["steps"][f"waypoint-{row['clip']}"]
    steps = [found[name] for name in sorted(found, key=lambda name: int(re.sub(r"\D", "", name)))]
    poses = np.array([(*step["coord"][0], quaternion_to_yaw(tuple(step["coord"][1]))) for step in steps])
    ids = [int(step["action"]) for step in steps[1:]] + [0]
    magnitudes = (0.0, 0.2, 22.5, 22.5)
    actions = np.array([(number, magnitudes[number]) for number in ids], np.float64)
    return ReadClip(row, poses, actions, (*(bool(step["collided"]) for step in steps[1:]), False), [])
