"""Clips as folders of pictures, ours and as they were published: step s is the view after action s.

The published data lack step 0, the view before the first action; so frame 0 of a clip is the first picture that is
there, and the action of its step is left out, since nothing shows where it began.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.collecting.dataset_reader import read_rows
from harness.collecting.layouts import METADATA, STEP_NAME, clip_folder
from harness.collecting.plan import CollectPlan
from harness.collecting.recording import ACTION_IDS, DEPTH_NAME, MOST_M
from harness.collecting.split_guard import check_name, check_scene, evaluation_homes, scene_id, set_of, split_of
from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Primitive
from harness.contracts.cameras import EQUIRECT, Camera, quaternion_to_yaw
from harness.contracts.errors import Refusal
from harness.contracts.training import ACTIONS, COLLIDED, DEPTH, POSES, TrainingClip
from harness.posttraining.checksums import Checksums
from harness.posttraining.clips import ClipData, Window, cut, relative_poses
from harness.worldmodels.digests import Progress, quiet

FORWARD_M, TURN_DEG = 0.2, 22.5
FULL = 65535
_MAGNITUDES = {FORWARD: FORWARD_M, TURN_LEFT: TURN_DEG, TURN_RIGHT: TURN_DEG}
_NAMES = {number: name for name, number in ACTION_IDS.items()}
_STEP = re.compile(r"step-(\d+)_type-(rgb|depth)\.png")
_MISSING = {
    COLLIDED: "the steps of metadata.json have no 'collided' (collect with this project, --layout folders)",
    DEPTH: "there are no step-*_type-depth.png (collect --layout folders --depth)",
}


class FolderClips(ClipData):
    """Clips of pictures; ``places`` are their folders below the data set, with the number of the first step."""

    def __init__(self, folder: Path, name: str, camera: Camera, checksums: Checksums) -> None:
        self.folder = folder
        self.name = name
        self.camera = camera
        self.sha256 = checksums.sha256
        self._checksums = checksums
        self._places: list[tuple[str, int]] = []
        self._found: list[Window] = []

    def add(self, place: str, scene: str, first_step: int, length: int, frames: int) -> None:
        """Add the windows of the clip in ``place``."""
        starts = cut(frames, length)
        self.left_out += not starts
        clip = len(self._places)
        self._places.append((place, first_step))
        self._found += [Window(f"{place}+{start}", scene, clip, start, frames) for start in starts]
        self.windows = tuple(self._found)

    def missing(self, need: str) -> str:
        """Return the file or field that ``need`` would be read from."""
        return _MISSING.get(need, need)

    def read(self, window: Window) -> TrainingClip:
        """Return a window of pictures with what stands in the clip's metadata."""
        place, first = self._places[window.clip]
        steps = _steps(json.loads(self._checksums.read(f"{place}/{METADATA}")))
        numbers = range(first + window.first, first + window.first + window.frames)
        known = [steps[number] for number in numbers]
        states = [(*step["coord"][0], quaternion_to_yaw(tuple(step["coord"][1]))) for step in known]
        collided = np.array([step["collided"] for step in known[1:]], np.bool_) if COLLIDED in self.holds else None
        return TrainingClip(
            name=window.name,
            frames=np.stack([self._picture(f"{place}/{STEP_NAME.format(step=n)}", "RGB") for n in numbers]),
            camera=self.camera,
            actions=tuple(action_of(int(step["action"])) for step in known[1:]),
            poses=relative_poses(np.array(states, np.float64)),
            collided=collided,
            depth=self._depth(place, numbers) if DEPTH in self.holds else None,
        )

    def _depth(self, place: str, numbers: range) -> npt.NDArray[np.float32]:
        pictures = [self._picture(f"{place}/{DEPTH_NAME.format(step=number)}", "") for number in numbers]
        metres: npt.NDArray[np.float32] = np.stack(pictures).astype(np.float32) * np.float32(MOST_M / FULL)
        return metres

    def _picture(self, path: str, mode: str) -> npt.NDArray[Any]:
        from PIL import Image

        with Image.open(io.BytesIO(self._checksums.read(path))) as image:
            if not mode and image.mode not in ("I;16", "I"):
                raise ValueError(f"{path} is no picture of 16 bits")
            pixels = np.asarray(image.convert(mode) if mode else image)
        if pixels.shape[:2] != (self.camera.height, self.camera.width):
            raise ValueError(f"{path} is {pixels.shape[0]} × {pixels.shape[1]}, not as the first picture")
        return pixels


def action_of(number: int) -> Primitive:
    """Return the action that the data sets call by this number; ValueError where none has it."""
    if number not in _NAMES:
        raise ValueError(f"there is no action {number}")
    name = _NAMES[number]
    return Primitive(name, _MAGNITUDES.get(name, 0.0))


def open_collected(folder: Path, plan: CollectPlan, frames: int) -> FolderClips:
    """Return the clips of a data set that `collect` wrote with ``--layout folders``."""
    data = FolderClips(folder, plan.name, plan.camera, Checksums.stated(folder))
    data.split = plan.split
    data.holds = frozenset({ACTIONS, POSES, COLLIDED} | ({DEPTH} if plan.recorded.depth else set()))
    for row in read_rows(folder, plan):
        check_scene(row["scene"], row["scene_digest"], plan.split)
        data.add(clip_folder(row["scene"], row["trajectory"], row["clip"]), row["scene"], 0, row["length"], frames)
    return data


def is_published(folder: Path) -> bool:
    """Say whether ``folder`` has the tree of the published data: ``SCENE/traj-K/waypoint-K/metadata.json``."""
    return next(folder.glob(f"*/traj-*/waypoint-*/{METADATA}"), None) is not None


def open_published(folder: Path, frames: int, split: str, progress: Progress = quiet) -> FolderClips:
    """Return the clips of data as they were published; nothing but names says which homes they are of."""
    places = sorted(file.parent for file in folder.glob(f"*/traj-*/waypoint-*/{METADATA}"))
    files = [file for place in places for file in sorted(place.iterdir()) if file.is_file()]
    checksums = Checksums.computed(folder, files, progress)
    first = places[0]
    steps = _steps(json.loads((first / METADATA).read_text(encoding="utf-8")))
    data = FolderClips(folder, folder.name, _camera(first, steps), checksums)
    data.split = ""
    holds = {ACTIONS, POSES, COLLIDED, DEPTH}
    for place in places:
        scene = place.parent.parent.name
        _check_published(scene, split)
        steps = _steps(json.loads((place / METADATA).read_text(encoding="utf-8")))
        rgb, depth = _numbers(place, "rgb"), _numbers(place, "depth")
        if not rgb:
            continue
        holds -= set() if set(rgb) <= set(depth) else {DEPTH}
        holds -= set() if all("collided" in steps[n] for n in rgb[1:]) else {COLLIDED}
        data.add(str(place.relative_to(folder)), scene, rgb[0], len(rgb), frames)
    data.holds = frozenset(holds)
    return data


def _numbers(place: Path, kind: str) -> list[int]:
    """Return the numbers of a clip's pictures, which follow each other."""
    matches = (_STEP.fullmatch(file.name) for file in place.iterdir())
    found = sorted(int(match[1]) for match in matches if match and match[2] == kind)
    gap = next((a for a, b in zip(found, found[1:], strict=False) if b != a + 1), None)
    if gap is not None:
        raise Refusal(f"{place} has no picture of step {gap + 1}.", "Get the data again.")
    return found


def _camera(place: Path, steps: Mapping[int, Any]) -> Camera:
    """Return the camera of published panoramas: as large as the first picture, as high as it was told."""
    from PIL import Image

    number = _numbers(place, "rgb")[0]
    with Image.open(place / STEP_NAME.format(step=number)) as image:
        width, height = image.size
    seen, stood = steps[number].get("habitat_camera_coord"), steps[number]["coord"]
    height_m = round(float(seen[0][1]) - float(stood[0][1]), 3) if seen else 0.0
    return Camera("pano", EQUIRECT, height, width, 360.0, height_m)


def _check_published(scene: str, split: str) -> None:
    """Raise Refusal for a scene that is, by its id alone, of another split or played by a suite."""
    known = scene_id(scene)
    if split_of(known):
        check_name(known, split or split_of(known))
    sets = {set_of(f"mp3d/{known}/{known}.glb")} - {"mp3d-train"}
    played = known in {scene_id(name) for name in evaluation_homes().values() if not split_of(name)}
    if sets or played:
        raise Refusal(
            f"scene {scene} is " + (f"of the set {sets.pop()}" if sets else "played by a suite")
            + f", and these are to be {split} data.",
            "Leave it out.",
        )  # fmt: skip


def _steps(metadata: Mapping[str, Any]) -> dict[int, Any]:
    """Return what a clip's metadata say of each step, by its number."""
    trajectory = _only(_only(metadata))
    steps = trajectory["steps"]
    leg = steps if all(name.startswith("step-") for name in steps) else _only(steps)
    return {int(name.removeprefix("step-")): step for name, step in leg.items()}


def _only(table: Mapping[str, Any]) -> Any:
    if len(table) != 1:
        raise ValueError(f"the metadata hold {len(table)} entries where one clip has one")
    return next(iter(table.values()))
