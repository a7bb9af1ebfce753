"""Checks a data set from its files alone and names the first bad clip.

Checksums come first, but every other check holds without them: a data set whose checksums were made again after a
change is still found out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from harness.collecting import tables
from harness.collecting.continuity import broken_commands, broken_link, broken_motion, broken_row, broken_step
from harness.collecting.dataset_reader import ReadClip, Row, read_clips, read_frames, read_rows
from harness.collecting.dataset_writer import CHECKSUMS, clip_stats
from harness.collecting.layouts import METADATA, STEP_NAME, clip_folder, file_digest
from harness.collecting.plan import LEROBOT, CollectPlan, Unit, read_plan
from harness.collecting.recording import DEPTH_NAME, read_depth
from harness.collecting.split_guard import check_scene
from harness.collecting.statistics import Stats, column_stats, image_stats, merged
from harness.contracts.digest import array_digest
from harness.contracts.errors import Refusal

TIME_TOLERANCE_S = 1e-4
STATS_TOLERANCE = 1e-6
SEEN_TOLERANCE = 0.02
"""How far mean and spread of a decoded clip may be from the rendered one's: video compression changes them by less."""


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong; ``clip`` is the first clip concerned, -1 where it is the data set as a whole."""

    clip: int
    what: str

    def __str__(self) -> str:
        return f"clip {self.clip}: {self.what}" if self.clip >= 0 else self.what


@dataclass(frozen=True)
class CheckReport:
    """All faults found, the whole data set's first, then by clip."""

    clips: int
    frames: int
    faults: Tuple[Fault, ...]

    @property
    def first_bad_clip(self) -> Optional[int]:
        """The first clip with a fault."""
        return min((fault.clip for fault in self.faults if fault.clip >= 0), default=None)

    def to_plain(self) -> Dict[str, Any]:
        """Return the report as JSON-ready values."""
        faults = [{"clip": fault.clip, "what": fault.what} for fault in self.faults]
        return {"clips": self.clips, "frames": self.frames, "first_bad_clip": self.first_bad_clip, "faults": faults}


def check_dataset(folder: Path) -> CheckReport:
    """Return what is wrong with the data set in ``folder``; Refusal where there is none, or no whole one."""
    plan = read_plan(folder)
    if not (folder / CHECKSUMS).exists():
        raise Refusal(f"{folder} is not complete: it has no {CHECKSUMS}.", "Run the same collect command to go on.")
    faults = list(_checksum_faults(folder, plan))
    rows, errors = _rows(folder, plan)
    faults += errors
    if rows:
        faults += _meta_faults(folder, plan, rows)
        for unit in plan.units:
            faults += _unit_faults(folder, plan, unit, rows[unit.first_clip : unit.first_clip + unit.clips])
    return CheckReport(plan.clips, sum(row["length"] for row in rows), tuple(sorted(faults)))


def _checksum_faults(folder: Path, plan: CollectPlan) -> Iterator[Fault]:
    listed = _listed(folder / CHECKSUMS)
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    clips = _first_clips(plan)
    for path in sorted({*listed, *present} - {CHECKSUMS}):
        clip = clips.get(path, -1)
        if path not in present:
            yield Fault(clip, f"{path} is missing")
        elif path not in listed:
            yield Fault(clip, f"{path} is not listed in {CHECKSUMS}")
        elif file_digest(folder / path) != listed[path]:
            yield Fault(clip, f"{path} has another SHA-256 than {CHECKSUMS} says")


def _listed(path: Path) -> Dict[str, str]:
    """Return path -> SHA-256; a line of another form lists nothing, so its file shows up as not listed."""
    lines = (line.partition("  ") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return {name: digest for digest, _, name in lines if name}


def _first_clips(plan: CollectPlan) -> Dict[str, int]:
    """Return the first clip in each file."""
    found = {}
    for unit in plan.units:
        if plan.layout == LEROBOT:
            found[tables.data_path(unit.number)] = unit.first_clip
            found[tables.video_path(plan.camera_key, unit.number)] = unit.first_clip
            continue
        for clip in range(unit.clips):
            place = clip_folder(unit.scene, unit.trajectory, clip)
            kinds = (STEP_NAME, DEPTH_NAME) if plan.recorded.depth else (STEP_NAME,)
            names = [METADATA, *(kind.format(step=step) for kind in kinds for step in range(plan.clip_frames))]
            found.update({f"{place}/{name}": unit.first_clip + clip for name in names})
    return found


def _rows(folder: Path, plan: CollectPlan) -> Tuple[List[Row], List[Fault]]:
    try:
        rows = read_rows(folder, plan)
    except (OSError, ValueError) as error:
        return [], [Fault(-1, f"the table of clips cannot be read: {error}")]
    if [row.get("episode_index") for row in rows] != list(range(plan.clips)):
        return [], [Fault(-1, f"the table of clips does not list the clips 0 to {plan.clips - 1} in order")]
    wrong = [
        Fault(row["episode_index"], f"its row says {row.get('length')} frames, which no clip here has")
        for row in rows
        if not isinstance(row.get("length"), int)
        or row["length"] < 2
        or row["length"] != (plan.clip_frames or row["length"])
    ]
    return ([], wrong) if wrong else (rows, [])


def _meta_faults(folder: Path, plan: CollectPlan, rows: List[Row]) -> Iterator[Fault]:
    try:
        stats = json.loads((folder / tables.STATS_PATH).read_text(encoding="utf-8"))
        yield from (Fault(-1, f"meta/stats.json: {what}") for what in _differing(stats, merged(_all_stats(rows))))
        if plan.layout == LEROBOT:
            yield from _lerobot_faults(folder, plan, sum(row["length"] for row in rows))
    except (OSError, ValueError, KeyError) as error:
        yield Fault(-1, f"the data set's tables cannot be read: {type(error).__name__}: {error}")
    yield from _place_faults(rows)
    yield from _origin_faults(plan, rows)


def _place_faults(rows: List[Row]) -> Iterator[Fault]:
    """Yield the first clip that does not follow the one before it in the count of all frames."""
    first = 0
    for row in rows:
        last = first + row["length"]
        if (row["dataset_from_index"], row["dataset_to_index"]) != (first, last):
            yield Fault(row["episode_index"], f"its row does not say that it has the frames {first} to {last}")
            return
        first = last


def _origin_faults(plan: CollectPlan, rows: List[Row]) -> Iterator[Fault]:
    """Yield clips that are not from where the settings say, or from where no data may be."""
    seen: Dict[str, int] = {}
    grounds: Dict[str, str] = {}
    for unit in plan.units:
        for row in rows[unit.first_clip : unit.first_clip + unit.clips]:
            expected = (unit.scene, unit.trajectory, row["episode_index"] - unit.first_clip, unit.policy, plan.split)
            if (row["scene"], row["trajectory"], row["clip"], row["policy"], row["split"]) != expected:
                yield Fault(row["episode_index"], f"its row does not say {expected}, as the settings do")
            ground = row.get("navmesh_digest", "")
            if grounds.setdefault(row["scene"], ground) != ground:
                yield Fault(row["episode_index"], "it was walked on another navigation mesh than clips before")
            try:
                check_scene(row["scene"], row["scene_digest"], plan.split)
            except Refusal as refusal:
                yield Fault(row["episode_index"], refusal.what)
            if plan.whole:
                before = seen.setdefault(row["scene_digest"], row["episode_index"])
                what = broken_row(row) or (
                    f"it has the scene of clip {before}" if before != row["episode_index"] else ""
                )
                if what:
                    yield Fault(row["episode_index"], what)


def _lerobot_faults(folder: Path, plan: CollectPlan, frames: int) -> Iterator[Fault]:
    if json.loads((folder / tables.INFO_PATH).read_text(encoding="utf-8")) != tables.info(plan, frames):
        yield Fault(-1, f"{tables.INFO_PATH} does not say what the settings do")
    names = [row["task_index"] for row in tables.read_rows(folder / tables.TASKS_PATH)]
    if names != list(range(len(tables.plan_tasks(plan)))):
        yield Fault(-1, f"{tables.TASKS_PATH} does not list the tasks")


def _all_stats(rows: List[Row]) -> List[Dict[str, Stats]]:
    return [clip_stats(row) for row in rows]


def _unit_faults(folder: Path, plan: CollectPlan, unit: Unit, rows: List[Row]) -> Iterator[Fault]:
    """Yield the faults of one trajectory; a file that cannot be read is one."""
    try:
        yield from _motion_faults(folder, plan, unit, rows)
    except (OSError, ValueError, KeyError, IndexError) as error:
        yield Fault(unit.first_clip, f"its table cannot be read: {type(error).__name__}: {error}")
    try:
        if plan.layout == LEROBOT:
            yield from _time_faults(folder, plan, unit, rows)
        for row, frames in read_frames(folder, plan, unit, rows):
            yield from _frame_faults(plan, row, frames)
        if plan.recorded.depth:
            yield from _depth_faults(folder, rows)
    except (OSError, ValueError, KeyError, IndexError) as error:
        yield Fault(unit.first_clip, f"its frames cannot be read: {type(error).__name__}: {error}")


def _motion_faults(folder: Path, plan: CollectPlan, unit: Unit, rows: List[Row]) -> Iterator[Fault]:
    if plan.layout == LEROBOT:
        path = folder / tables.data_path(unit.number)
        if not tables.read_schema(path).equals(tables.schema(plan)):
            yield Fault(unit.first_clip, f"{path.relative_to(folder)} has another schema")
            return
    before: Optional[ReadClip] = None
    for clip in read_clips(folder, plan, unit, rows):
        number = clip.row["episode_index"]
        if len(clip.poses) != clip.row["length"]:
            yield Fault(number, f"it has {len(clip.poses)} frames in its table, not {clip.row['length']}")
            continue
        yield from (Fault(number, what) for what in _table_faults(plan, unit, clip))
        if plan.whole:
            what = broken_commands(clip) if plan.commanded else broken_motion(clip)
        else:
            what = broken_step(clip) or (broken_link(before, clip) if before is not None else "")
        if what:
            yield Fault(number, what)
        before = clip


def _table_faults(plan: CollectPlan, unit: Unit, clip: ReadClip) -> Iterator[str]:
    """Yield what is wrong with numbers, times and statistics of one clip's rows."""
    if not clip.table:
        return
    first, task = clip.row["dataset_from_index"], tables.task_index(plan, unit)
    for frame, line in enumerate(clip.table):
        if (line["frame_index"], line["index"], line["task_index"]) != (frame, first + frame, task):
            yield f"row {frame} is numbered wrongly"
        if abs(line["timestamp"] - frame / plan.fps) > TIME_TOLERANCE_S:
            yield f"row {frame} has the time {line['timestamp']:.4f} s, not {frame / plan.fps:.4f}"
    known = clip_stats(clip.row)
    found = {
        name: column_stats(np.array([line[name] for line in clip.table])) for name in known if name in clip.table[0]
    }
    yield from _differing({name: known[name] for name in found}, found)


def _time_faults(folder: Path, plan: CollectPlan, unit: Unit, rows: List[Row]) -> Iterator[Fault]:
    """Yield frames that are missing from a video or shown at a wrong time, and clips without a key frame of theirs."""
    from harness.collecting.video import read_times

    path = tables.video_path(plan.camera_key, unit.number)
    times, keys = read_times(folder / path)
    places = [(row["episode_index"], place) for row in rows for place in range(row["length"])]
    if len(times) != len(places):
        clip = places[min(len(times), len(places) - 1)][0]
        yield Fault(clip, f"{path} has {len(times)} frames, not {len(places)}")
    for frame, (time, key, (clip, place)) in enumerate(zip(times, keys, places, strict=False)):
        if abs(time - frame / plan.fps) > TIME_TOLERANCE_S:
            yield Fault(clip, f"frame {frame} of {path} is shown at {time:.4f} s, not {frame / plan.fps:.4f}")
            return
        if place % plan.key_every == 0 and not key:
            yield Fault(clip, f"{path} has no key frame at its frame {place}")


def _depth_faults(folder: Path, rows: List[Row]) -> Iterator[Fault]:
    for row in rows:
        place = folder / clip_folder(row["scene"], row["trajectory"], row["clip"])
        pictures = [read_depth(place / DEPTH_NAME.format(step=step)) for step in range(row["length"])]
        if array_digest(np.stack(pictures)) != row["depth_digest"]:
            yield Fault(row["episode_index"], "its depth is not what was recorded")


def _frame_faults(plan: CollectPlan, row: Row, frames: np.ndarray[Any, np.dtype[np.uint8]]) -> Iterator[Fault]:
    expected = (row["length"], plan.camera.height, plan.camera.width, 3)
    if frames.shape != expected:
        yield Fault(row["episode_index"], f"its frames are {frames.shape}, not {expected}")
        return
    known, found = clip_stats(row)[plan.camera_key], image_stats(frames)
    for kind in ("mean", "std"):
        off = float(np.abs(np.ravel(known[kind]) - np.ravel(found[kind])).max())
        if off > SEEN_TOLERANCE:
            yield Fault(
                row["episode_index"], f"its frames are not those of its statistics ({kind} differs by {off:.3f})"
            )
            return


def _differing(stated: Dict[str, Stats], found: Dict[str, Stats]) -> Iterator[str]:
    for name in sorted({*stated, *found}):
        for kind in ("min", "max", "mean", "std", "count"):
            first = np.ravel(stated.get(name, {}).get(kind, ()))
            second = np.ravel(found.get(name, {}).get(kind, ()))
            if first.shape != second.shape or not np.allclose(
                first, second, rtol=STATS_TOLERANCE, atol=STATS_TOLERANCE
            ):
                yield f"statistics of {name}: {kind} is {first.tolist()}, the data have {second.tolist()}"
