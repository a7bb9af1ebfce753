"""Parquet tables of the LeRobotDataset v3 layout, without anything that varies from run to run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.collecting.plan import CHUNK_FILES, CollectPlan, Unit
from harness.collecting.policies import TEXTS
from harness.collecting.recording import Clip

CODEBASE_VERSION = "v3.0"
STATE_NAMES = ("x_m", "y_m", "z_m", "yaw_deg")
ACTION_NAMES = ("id", "magnitude")
ARM_NAMES = ("x_m", "y_m", "z_m", "qw", "qx", "qy", "qz", "gripper_open")
"""State and action of an arm: both are poses in the order of ``ee_pose8``."""
COMMAND_NAMES = ("voxel_x", "voxel_y", "voxel_z", "roll_bin", "pitch_bin", "yaw_bin", "gripper_open")
"""The action of an arm that is told commanded poses: ``discrete7``."""
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"
TASKS_PATH = "meta/tasks.parquet"
INFO_PATH, STATS_PATH = "meta/info.json", "meta/stats.json"

_NUMBERS = ("frame_index", "episode_index", "index", "task_index")


def names(plan: CollectPlan) -> Mapping[str, Sequence[str]]:
    """Return the names of the numbers in state and action."""
    if plan.whole:
        return {"observation.state": ARM_NAMES, "action": COMMAND_NAMES if plan.commanded else ARM_NAMES}
    return {"observation.state": STATE_NAMES, "action": ACTION_NAMES}


def schema(plan: CollectPlan) -> Any:
    """Return the columns of a trajectory's table; an arm's planned motion collides with nothing that is told."""
    vectors = [(name, pa.list_(pa.float32(), len(parts))) for name, parts in names(plan).items()]
    flags = [("collided", pa.bool_())] if plan.tells_collisions else []
    return pa.schema([*vectors, *flags, ("timestamp", pa.float32()), *((name, pa.int64()) for name in _NUMBERS)])


def data_path(unit: int) -> str:
    """Return the table of a trajectory, below the data set's folder."""
    return DATA_PATH.format(chunk_index=unit // CHUNK_FILES, file_index=unit % CHUNK_FILES)


def video_path(camera_key: str, unit: int) -> str:
    """Return the video of a trajectory, below the data set's folder."""
    return VIDEO_PATH.format(video_key=camera_key, chunk_index=unit // CHUNK_FILES, file_index=unit % CHUNK_FILES)


def columns(plan: CollectPlan, clip: Clip) -> Dict[str, Any]:
    """Return the columns of one clip, one value a frame.

    Where clips have lengths of their own, ``index`` counts from the clip's start until `number_data` is called.
    """
    count = len(clip.frames)
    numbers = np.arange(count, dtype=np.int64)
    flags = {"collided": np.array(clip.collided, np.bool_)} if plan.tells_collisions else {}
    return {
        "observation.state": clip.poses,
        "action": clip.action_rows(),
        **flags,
        "timestamp": (numbers / plan.fps).astype(np.float32),
        "frame_index": numbers,
        "episode_index": np.full(count, clip.index, np.int64),
        "index": clip.index * plan.clip_frames + numbers,
        "task_index": np.full(count, task_index(plan, clip.unit), np.int64),
    }


def plan_tasks(plan: CollectPlan) -> List[str]:
    """Return the tasks of a data set in the order of their numbers: policies of walking, or what an arm does."""
    return list(dict.fromkeys(scene.partition("/")[0] for scene in plan.scenes) if plan.whole else plan.policies)


def task_of(plan: CollectPlan, unit: Unit) -> str:
    """Return the task of a trajectory."""
    return unit.scene.partition("/")[0] if plan.whole else unit.policy


def task_index(plan: CollectPlan, unit: Unit) -> int:
    """Return the number of a trajectory's task."""
    return plan_tasks(plan).index(task_of(plan, unit))


def task_text(task: str) -> str:
    """Return what the data set calls a task."""
    return TEXTS.get(task) or f"{task.replace('_', ' ')} with a robot arm"


def write_data(path: Path, plan: CollectPlan, parts: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows of one trajectory, one row group a clip, so that a clip is read without its neighbours."""
    columns = schema(plan)
    with pq.ParquetWriter(path, columns, compression="snappy") as writer:
        for part in parts:
            arrays = [pa.array(list(part[field.name]), field.type) for field in columns]
            writer.write_table(pa.table(arrays, columns))


def number_data(path: Path, target: Path, plan: CollectPlan, first: int) -> None:
    """Write the one clip of the table ``path`` to ``target`` with its rows counted from ``first``."""
    rows = read_rows(path)
    part = {name: [row[name] for row in rows] for name in schema(plan).names}
    write_data(target, plan, [{**part, "index": list(range(first, first + len(rows)))}])


def write_tasks(path: Path, plan: CollectPlan) -> None:
    """Write the table of tasks, whose index (in the terms of pandas) is the text of the task."""
    texts = [task_text(task) for task in plan_tasks(plan)]
    table = pa.table({"task_index": pa.array(range(len(texts)), pa.int64()), "task": pa.array(texts, pa.string())})
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(_PANDAS)}), path)


def write_episodes(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one row a clip."""
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path, compression="snappy")


def read_rows(path: Path) -> List[Dict[str, Any]]:
    """Return the rows of a table."""
    rows: List[Dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def read_schema(path: Path) -> Any:
    """Return the schema of a table."""
    return pq.read_schema(path)


def features(plan: CollectPlan) -> Dict[str, Any]:
    """Return the features as meta/info.json lists them."""
    height, width = plan.camera.height, plan.camera.width
    video = {
        "video.height": height,
        "video.width": width,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": plan.fps,
        "video.channels": 3,
        "has_audio": False,
    }
    scalar = {"shape": [1], "names": None}
    vectors = {
        name: {"dtype": "float32", "shape": [len(parts)], "names": list(parts)} for name, parts in names(plan).items()
    }
    return {
        plan.camera_key: {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": video,
        },
        **vectors,
        **({"collided": {"dtype": "bool", **scalar}} if plan.tells_collisions else {}),
        "timestamp": {"dtype": "float32", **scalar},
        **{name: {"dtype": "int64", **scalar} for name in _NUMBERS},
    }


def info(plan: CollectPlan, frames: int) -> Dict[str, Any]:
    """Return meta/info.json of a data set with ``frames`` frames in all."""
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": f"{plan.environment}-panda" if plan.whole else "wiw-navigation",
        "total_episodes": plan.clips,
        "total_frames": frames,
        "total_tasks": len(plan_tasks(plan)),
        "chunks_size": CHUNK_FILES,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": plan.fps,
        "splits": {"train": f"0:{plan.clips}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": features(plan),
    }


def _column(name: str, kind: str, numpy_type: str) -> Dict[str, Any]:
    return {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy_type, "metadata": None}


_PANDAS = {
    "index_columns": ["task"],
    "column_indexes": [],
    "columns": [_column("task_index", "int64", "int64"), _column("task", "unicode", "object")],
    "creator": {"library": "pyarrow"},
    "pandas_version": "2.0.0",
}
