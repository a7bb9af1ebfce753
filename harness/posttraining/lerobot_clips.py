"""LeRobotDataset v3.0: ours, and anybody's that has the needed columns.

What a column means is read from the names of its numbers (``meta/info.json``): ours say metres and degrees. Actions of
other names are handed on as vectors of the space `DATA`, in the data's own order; a trainee that knows no such space
refuses them.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from harness.collecting import tables
from harness.collecting.plan import CollectPlan
from harness.collecting.split_guard import check_scene
from harness.contracts.actions import DISCRETE7, EE_POSE8, Action, Primitive, Vector
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB
from harness.contracts.training import ACTIONS, COLLIDED, POSES, TrainingClip
from harness.posttraining.checksums import Checksums
from harness.posttraining.clips import ClipData, Window, cut, relative_poses
from harness.posttraining.folder_clips import action_of
from harness.worldmodels.digests import Progress, quiet

DATA = "data"
STATE, ACTION = "observation.state", "action"
IMAGES = "observation.images."
UNKNOWN_HFOV_DEG = 90.0
_SPACES = {tables.ARM_NAMES: EE_POSE8, tables.COMMAND_NAMES: DISCRETE7}
_OPEN = 4
"""Tables and videos that stay in memory: windows are read in order, by some threads."""


class LerobotClips(ClipData):
    """Episodes of a LeRobotDataset v3.0, whose frames are in videos."""

    def __init__(
        self, folder: Path, name: str, split: str, camera: Camera, info: Mapping[str, Any], checksums: Checksums
    ) -> None:
        self.folder = folder
        self.name = name
        self.split = split
        self.camera = camera
        self.sha256 = checksums.sha256
        self._checksums = checksums
        self._info = info
        self._key = f"{IMAGES}{camera.name}"
        self._rows: list[dict[str, Any]] = []
        self._remember()
        self._numbers = {name: tuple(_names(info["features"].get(name, {}))) for name in (STATE, ACTION)}
        self.holds = frozenset(self._held())

    def _remember(self) -> None:
        self._table = functools.lru_cache(maxsize=_OPEN)(self._read_table)
        self._video = functools.lru_cache(maxsize=_OPEN)(self._read_video)

    def __getstate__(self) -> dict[str, Any]:
        """Leave what is remembered behind: another process reads on its own."""
        return {name: value for name, value in vars(self).items() if name not in ("_table", "_video")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._remember()

    def add(self, rows: Sequence[Mapping[str, Any]], frames: int) -> None:
        """Add the windows of episodes, given by their rows in ``meta/episodes``."""
        found: list[Window] = []
        for row in rows:
            starts = cut(frames, int(row["length"]))
            self.left_out += not starts
            name, scene = f"episode-{row['episode_index']}", str(row.get("scene", f"episode-{row['episode_index']}"))
            found += [Window(f"{name}+{start}", scene, len(self._rows), start, frames) for start in starts]
            self._rows.append(dict(row))
        self.windows = tuple(found)

    def missing(self, need: str) -> str:
        """Return the column that ``need`` would be read from, and what the data have in its place."""
        if need == ACTIONS:
            return f"there is no column {ACTION!r}"
        if need == POSES:
            found = ", ".join(self._numbers[STATE]) or "no such column"
            return f"poses are read from {STATE!r} of {', '.join(tables.STATE_NAMES)} (found {found})"
        if need == COLLIDED:
            return "there is no column 'collided'"
        return "video cannot store depth (collect --layout folders --depth)"

    def read(self, window: Window) -> TrainingClip:
        """Return a window: its part of the episode's table, and the frames of the video at its times."""
        row = self._rows[window.clip]
        columns = self._columns(row, window)
        walks = POSES in self.holds
        return TrainingClip(
            name=window.name,
            frames=self._frames(row, columns["timestamp"]),
            camera=self.camera,
            actions=tuple(self._action(values) for values in columns[ACTION][:-1]) if ACTIONS in self.holds else (),
            poses=relative_poses(np.array(columns[STATE], np.float64)) if walks else (),
            collided=np.array(columns["collided"][:-1], np.bool_).ravel() if COLLIDED in self.holds else None,
        )

    def _held(self) -> Iterator[str]:
        if ACTION in self._info["features"]:
            yield ACTIONS
        if self._numbers[STATE] == tables.STATE_NAMES:
            yield POSES
        if "collided" in self._info["features"]:
            yield COLLIDED

    def _columns(self, row: Mapping[str, Any], window: Window) -> dict[str, list[Any]]:
        path = self._info["data_path"].format(
            chunk_index=row["data/chunk_index"], file_index=row["data/file_index"],
            episode_chunk=row["data/chunk_index"], episode_index=row["episode_index"],
        )  # fmt: skip
        table = self._table(path)
        mine = table.slice(*_place(table["episode_index"].to_numpy(), int(row["episode_index"])))
        part = mine.slice(window.first, window.frames)
        if part.num_rows != window.frames:
            raise ValueError(f"{path} has {mine.num_rows} rows of episode {row['episode_index']}, not {row['length']}")
        return {name: part[name].to_pylist() for name in ("timestamp", *self._wanted()) if name in part.column_names}

    def _wanted(self) -> tuple[str, ...]:
        return tuple(n for n in (STATE, ACTION, "collided") if n in self._info["features"])

    def _action(self, values: Sequence[float]) -> Action:
        names = self._numbers[ACTION]
        if names == tables.ACTION_NAMES:
            action = action_of(round(values[0]))
            return Primitive(action.name, _shortest(values[1]))
        return Vector(_SPACES.get(names, DATA), tuple(float(value) for value in np.ravel(values)))

    def _frames(self, row: Mapping[str, Any], times: Sequence[float]) -> RGB:
        start = float(row[f"videos/{self._key}/from_timestamp"])
        path = self._info["video_path"].format(
            video_key=self._key,
            chunk_index=row[f"videos/{self._key}/chunk_index"],
            file_index=row[f"videos/{self._key}/file_index"],
        )
        wanted = [start + float(np.ravel(time)[0]) for time in times]
        return frames_at(self._video(path), wanted, 1.0 / float(self._info["fps"]), path)

    def _read_table(self, path: str) -> Any:
        import pyarrow.parquet as pq

        return pq.read_table(io.BytesIO(self._checksums.read(path)))

    def _read_video(self, path: str) -> bytes:
        return self._checksums.read(path)


def frames_at(video: bytes, times: Sequence[float], spacing_s: float, path: str) -> RGB:
    """Return the frames shown at ascending ``times`` (seconds), uint8 [T, H, W, 3]; ValueError where one is missing."""
    import av

    found: list[npt.NDArray[np.uint8]] = []
    with av.open(io.BytesIO(video)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        container.seek(max(0, int((times[0] - spacing_s / 2) / stream.time_base)), stream=stream)
        for frame in container.decode(stream):
            shown = float(frame.pts * stream.time_base)
            if shown > times[len(found)] + spacing_s / 2:
                raise ValueError(f"{path} shows no frame at {times[len(found)]:.4f} s")
            if shown >= times[len(found)] - spacing_s / 2:
                found.append(frame.to_ndarray(format="rgb24"))
                if len(found) == len(times):
                    return np.stack(found)
    raise ValueError(f"{path} ends before {times[len(found)]:.4f} s")


def open_lerobot(
    folder: Path, frames: int, split: str, plan: Optional[CollectPlan], progress: Progress = quiet
) -> LerobotClips:
    """Return the clips of a LeRobotDataset v3.0; ``plan`` is that of `collect` where the data set is ours."""
    info = _read_info(folder)
    rows = [row for file in sorted(folder.glob("meta/episodes/**/*.parquet")) for row in tables.read_rows(file)]
    if plan is not None:
        for row in rows:
            check_scene(row["scene"], row["scene_digest"], plan.split)
        data = LerobotClips(folder, plan.name, plan.split, plan.camera, info, Checksums.stated(folder))
    else:
        files = [file for part in ("data", "videos", "meta") for file in sorted((folder / part).rglob("*"))]
        checksums = Checksums.computed(folder, [file for file in files if file.is_file()], progress)
        data = LerobotClips(folder, folder.name, "", _camera(folder, info), info, checksums)
    data.add(rows, frames)
    return data


def _read_info(folder: Path) -> dict[str, Any]:
    try:
        info: dict[str, Any] = json.loads((folder / tables.INFO_PATH).read_text(encoding="utf-8"))
        version = str(info["codebase_version"])
        _ = info["features"], info["data_path"], info["fps"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(
            f"{folder / tables.INFO_PATH} is not that of a LeRobotDataset ({type(error).__name__}: {error}).",
            "Give the folder of a data set of version 3.",
        ) from error
    if not version.startswith("v3"):
        raise Refusal(
            f"{folder} is a LeRobotDataset {version}, and version 3 is read.",
            "Convert it: python -m lerobot.datasets.v30.convert_dataset_v21_to_v30 --repo-id=...",
        )
    return info


def _camera(folder: Path, info: Mapping[str, Any]) -> Camera:
    """Return the only camera of strangers' data; a picture twice as wide as high is taken for a panorama."""
    videos = [name for name, feature in info["features"].items() if feature.get("dtype") == "video"]
    named = [name for name in videos if name.startswith(IMAGES)]
    if len(named) != 1:
        raise Refusal(
            f"{folder} has {len(named)} videos called {IMAGES}NAME ({', '.join(videos) or 'none'}), and one is read.",
            "Keep the features of one camera in meta/info.json.",
        )
    feature = info["features"][named[0]]
    sizes = dict(zip(_names(feature), feature["shape"], strict=False))
    height, width = int(sizes.get("height", feature["shape"][0])), int(sizes.get("width", feature["shape"][1]))
    panorama = width == 2 * height
    return Camera(
        named[0].removeprefix(IMAGES), EQUIRECT if panorama else PINHOLE, height, width,
        360.0 if panorama else UNKNOWN_HFOV_DEG, 0.0,
    )  # fmt: skip


def _names(feature: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of a feature's numbers: a list, or a table with one list, as some data sets have it."""
    names = feature.get("names") or ()
    if isinstance(names, dict):
        names = next(iter(names.values()), ())
    return [str(name) for name in names] if isinstance(names, (list, tuple)) else ()


def _shortest(value: float) -> float:
    """Return the number that was meant by one of 32 bits: 0.2 was written, and 0.20000000298 is read."""
    return float(str(np.float32(value)))


def _place(episodes: npt.NDArray[np.int64], episode: int) -> tuple[int, int]:
    """Return the first row of an episode and how many rows it has; rows of an episode follow each other."""
    rows = np.flatnonzero(episodes == episode)
    return (int(rows[0]), len(rows)) if len(rows) else (0, 0)
