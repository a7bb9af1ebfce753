"""Data sets as windows of frames: what is in them, whether they may be trained on, and one window at a time.

Three layouts are read: LeRobotDataset v3, ours (`collect`) or anybody's that has the needed columns, and folders of
pictures, ours or as they were published.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, Camera, Pose, yaw_to_quaternion
from harness.contracts.errors import Refusal
from harness.contracts.portable import PI, sincos
from harness.contracts.seeds import generator
from harness.contracts.training import TrainingClip

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class Window:
    """Consecutive frames ``first`` .. ``first + frames - 1`` of one clip (``clip`` counts within its data set).

    ``scene`` is the home that was walked in: clips of one home resemble each other.
    """

    name: str
    scene: str
    clip: int
    first: int
    frames: int


class ClipData(ABC):
    """One data set. ``holds`` says what its clips have beside frames (`contracts.training.NEEDS`); ``sha256`` names it.

    ``split`` is that of its homes, "" where nobody says it. ``windows`` are all of them, in order; ``left_out`` counts
    clips that are shorter than a window.
    """

    folder: Path
    name: str
    sha256: str
    split: str
    camera: Camera
    holds: frozenset[str]
    windows: tuple[Window, ...]
    left_out: int = 0

    @abstractmethod
    def read(self, window: Window) -> TrainingClip:
        """Return one window; safe from several threads. Refusal where its files are not what the data set says."""

    def missing(self, need: str) -> str:
        """Return which column or file ``need`` would be read from, for the message about data without it."""
        return need


def cut(frames: int, length: int) -> list[int]:
    """Return the first frames of the windows of ``frames`` frames in a clip of ``length``.

    Neighbours share a frame, so that every action is in one; the last window ends with the clip, and may share more.
    """
    if length < frames:
        return []
    starts = list(range(0, length - frames + 1, frames - 1))
    return starts if starts[-1] == length - frames else [*starts, length - frames]


def relative_poses(states: npt.NDArray[np.float64]) -> tuple[Pose, ...]:
    """Return poses [T, 4] (x, y, z in metres and yaw in degrees, in the home) as seen from the first one."""
    x, y, z, yaw = states[0].tolist()
    sine, cosine = sincos(yaw * (PI / 180.0))
    found = []
    for row in states.tolist():
        dx, dy, dz = row[0] - x, row[1] - y, row[2] - z
        position = (cosine * dx - sine * dz, dy, sine * dx + cosine * dz)
        turned = (row[3] - yaw + 180.0) % 360.0 - 180.0
        found.append(Pose(position, yaw_to_quaternion(turned)))
    return tuple(found)


def check_alike(data: Sequence[ClipData]) -> None:
    """Raise Refusal where data sets are seen by different cameras: their clips would not fit into one batch."""
    first = data[0]
    for other in data[1:]:
        if _seen(other.camera) != _seen(first.camera):
            raise Refusal(
                f"{first.folder} is seen by {_seen(first.camera)}, {other.folder} by {_seen(other.camera)}.",
                "Train on data of one camera.",
            )


def check_needs(data: ClipData, needs: frozenset[str], model: str) -> None:
    """Raise Refusal, by name, where data do not hold what a trainee needs."""
    lacking = sorted(needs - data.holds)
    if lacking:
        what = "; ".join(data.missing(need) for need in lacking)
        raise Refusal(
            f"{data.folder} does not hold {', '.join(lacking)}, which {model} is trained with: {what}.",
            "Collect data that hold it (docs/collecting.md), or choose another recipe.",
        )


def check_view(data: ClipData, view: str, model: str) -> None:
    """Raise Refusal where data were seen by another kind of camera than ``model``, whose ``view`` its manifest says."""
    if (data.camera.kind == EQUIRECT) != (view == "panorama"):
        raise Refusal(
            f"{data.folder} is seen by {_seen(data.camera)}, and {model} is a {view} model.",
            "Collect with --camera " + ("pano." if view == "panorama" else "front."),
        )


def _seen(camera: Camera) -> str:
    return f"{camera.kind} {camera.height} × {camera.width}, {camera.hfov_deg:g}°"


def read_window(data: ClipData, window: Window) -> TrainingClip:
    """Return a window; whatever its files raise becomes a Refusal that names the window."""
    try:
        return data.read(window)
    except Refusal:
        raise
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        what = f"{window.name} of {data.folder} cannot be read ({type(error).__name__}: {error})."
        raise Refusal(what, "Check the data: python benchmark.py collect --check FOLDER.") from error


@dataclass(frozen=True)
class Item:
    """One window and the data set that it is in."""

    data: ClipData
    window: Window

    @property
    def name(self) -> str:
        """Return where the window is from, uniquely among all data of a training."""
        return f"{self.data.name}/{self.window.name}"

    @property
    def scene(self) -> str:
        """Return the home that the window was recorded in."""
        return f"{self.data.name}/{self.window.scene}"


def items_of(data: Sequence[ClipData]) -> list[Item]:
    """Return all windows of the data sets, in order."""
    return [Item(each, window) for each in data for window in each.windows]


def held_out(items: Sequence[Item], seed: int) -> tuple[list[Item], list[Item]]:
    """Return the items to train on, and those of a tenth of the homes, drawn by ``seed``, to judge by.

    Whole homes: windows of one home resemble each other. Refusal where there is only one.
    """
    scenes = sorted({item.scene for item in items})
    if len(scenes) < 2:
        raise Refusal(
            f"all clips are of one home ({scenes[0]}): none is left to see whether the model uses its actions.",
            "Collect in more homes (--scenes 4), or give clips of validation homes: --held-out DIR.",
        )
    order = generator(seed, "", -1, -1, "posttrain-held-out").permutation(len(scenes))
    count = 1 if len(scenes) < 10 else max(2, round(HELD_OUT_SHARE * len(scenes)))
    chosen = {scenes[place] for place in order[:count].tolist()}
    return [item for item in items if item.scene not in chosen], [item for item in items if item.scene in chosen]


def of_first_homes(items: Sequence[Item], homes: int) -> list[Item]:
    """Return the items of the first ``homes`` homes by name (0: all), so that fewer are a part of more.

    Refusal where there are not so many.
    """
    scenes = sorted({item.scene for item in items})
    if homes > len(scenes):
        raise Refusal(
            f"data.homes is {homes}, and {len(scenes)} homes are there to train on.",
            "Collect in more homes (--scenes), or ask for fewer.",
        )
    chosen = set(scenes[: homes or len(scenes)])
    return [item for item in items if item.scene in chosen]


def plain_data(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return what a card says of each data set that ``items`` are of; a frame of two windows counts once."""
    found = []
    for data in {item.data.name: item.data for item in items}.values():
        used = [item.window for item in items if item.data is data]
        frames = len({(window.clip, window.first + frame) for window in used for frame in range(window.frames)})
        found.append({"name": data.name, "sha256": data.sha256, "clips": len(used), "frames": frames})
    return found
