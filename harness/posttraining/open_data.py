"""Opens data sets for training: which layout a folder has, and whether its homes may be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.collecting.plan import FOLDERS, RECORD, read_plan
from harness.collecting.split_guard import TRAIN
from harness.contracts.errors import Refusal
from harness.posttraining.clips import ClipData, check_alike, check_needs
from harness.worldmodels.digests import Progress, quiet

INFO = "meta/info.json"

ANY = ""
"""The split of data that are judged with, whichever they are of."""


def open_all(
    folders: Sequence[Path],
    frames: int,
    needs: frozenset[str],
    model: str,
    split: str = TRAIN,
    progress: Progress = quiet,
) -> tuple[ClipData, ...]:
    """Return the data sets in ``folders``, cut into windows of ``frames`` frames.

    Refusal for a folder that is no data set, for homes of another split, for data without what ``model`` needs, for
    cameras that differ, and where no clip is long enough.
    """
    found = tuple(open_data(folder, frames, split, progress) for folder in folders)
    for data in found:
        check_needs(data, needs, model)
        if not data.windows:
            raise Refusal(
                f"no clip of {data.folder} has {frames} frames.", "Collect longer clips, or --set data.frames=N."
            )
    check_alike(found)
    return found


def open_data(folder: Path, frames: int, split: str = TRAIN, progress: Progress = quiet) -> ClipData:
    """Return one data set in whichever layout it has; a folder that holds one data set alone stands for it."""
    if (folder / RECORD).is_file():
        plan = read_plan(folder)
        if split not in (plan.split, ANY):
            raise Refusal(
                f"{folder} holds {plan.split} data, and {split} data are asked for.",
                "Train with --data on homes of the split train; --held-out takes those of the split validation.",
            )
        if plan.layout == FOLDERS:
            from harness.posttraining.folder_clips import open_collected

            return open_collected(folder, plan, frames)
        from harness.posttraining.lerobot_clips import open_lerobot

        return open_lerobot(folder, frames, split, plan, progress)
    if (folder / INFO).is_file():
        from harness.posttraining.lerobot_clips import open_lerobot

        return open_lerobot(folder, frames, split, None, progress)
    from harness.posttraining.folder_clips import is_published, open_published

    if folder.is_dir() and is_published(folder):
        return open_published(folder, frames, split, progress)
    below = sorted(each for each in folder.iterdir() if _is_marked(each)) if folder.is_dir() else []
    if len(below) == 1:
        return open_data(below[0], frames, split, progress)
    if below:
        names = ", ".join(each.name for each in below)
        raise Refusal(f"{folder} holds {len(below)} data sets: {names}.", f"Give each that is meant: --data {below[0]}")
    raise Refusal(
        f"{folder} is no data set that can be trained on: it has neither {RECORD}, {INFO} nor SCENE/traj-0/waypoint-0.",
        "Make one: python benchmark.py collect NAME FOLDER 2, then --data FOLDER/NAME.",
    )


def _is_marked(folder: Path) -> bool:
    return (folder / RECORD).is_file() or (folder / INFO).is_file()
