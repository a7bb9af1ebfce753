"""What is collected: all that decides the bytes of a data set, and how it is cut into pieces of work.

A trajectory is the unit of work: it has a fixed number of clips and draws of its own, keyed by scene and number. So
neither the number of processes nor an interruption can change a byte, and every file has one author.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

from harness.contracts.actions import DISCRETE7
from harness.contracts.cameras import Camera, Rig
from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.runtimes.environments import DEMONSTRATIONS, collection_of, find_environment

LEROBOT, FOLDERS = "lerobot", "folders"
LAYOUTS = (LEROBOT, FOLDERS)
RECORD = "meta/collect.json"
CHUNK_FILES = 1000
"""Files in one folder of the layout, as its readers expect."""

WHOLE = 0
"""``clip_frames`` where a clip is a whole demonstration, which is as long as the task takes."""

WINDOW_FRAMES = 14
"""Frames between key frames of a whole demonstration: windows of it are decoded from nearby."""

FORMAT = 1
"""Raise whenever the same settings give other bytes."""


@dataclass(frozen=True)
class Unit:
    """One trajectory: where it walks, how, and which clips of the data set it gives."""

    number: int
    scene: str
    trajectory: int
    policy: str
    first_clip: int
    clips: int


@dataclass(frozen=True)
class Recorded:
    """How a walk is seen, beyond its camera.

    ``depth`` says whether depth is kept as well; ``face_pixels`` is the side of the cube faces that a simulator joins a
    panorama from (0: half its width); with ``keep_roofs`` it counts roofs as walkable.
    """

    depth: bool = False
    face_pixels: int = 0
    keep_roofs: bool = False


PLAIN = Recorded()
"""As every data set was recorded before there was a choice; it is not written down, so that their hashes hold."""


@dataclass(frozen=True)
class CollectPlan:
    """All settings of a data set.

    ``scenes`` are walked in turn, ``policies`` dealt to trajectories in turn. A clip has ``clip_frames`` frames, the
    first of them the view before its first action; a trajectory gives ``clips_per_trajectory`` clips, each starting
    with the last frame of the one before. With ``WHOLE`` a trajectory is one demonstration and one clip.
    ``rig_digest`` is that of the evaluation tier's rig, which ``camera`` is of, or of the published collection's.
    ``navmesh`` describes the walkable area where the suite does; otherwise the environment's own description holds.
    """

    name: str
    suite: str
    environment: str
    split: str
    camera: Camera
    rig_digest: str
    scenes: Tuple[str, ...]
    policies: Tuple[str, ...]
    clips: int
    clip_frames: int
    clips_per_trajectory: int
    fps: int
    seed: int
    layout: str
    simulator: str
    format: int = FORMAT
    recorded: Recorded = PLAIN
    navmesh: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse numbers that no data set can have."""
        demonstrates = collection_of(find_environment(self.environment)).data == DEMONSTRATIONS
        if self.whole != demonstrates or (self.whole and self.clips_per_trajectory != 1):
            raise Refusal(
                f"clips of {self.clip_frames} frames cannot be had of {self.environment}.", "Collect it again."
            )
        frames = WHOLE if self.whole else 2
        for name, least in (
            ("clips", 1),
            ("clip_frames", frames),
            ("clips_per_trajectory", 1),
            ("fps", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if value < least:
                raise Refusal(f"--{name.replace('_', '-')} {value} is too few.", f"Give at least {least}.")
        if self.recorded.depth and self.layout != FOLDERS:
            raise Refusal("depth is 16-bit pictures, which video cannot store.", f"Add --layout {FOLDERS}.")
        if self.camera.height % 2 or self.camera.width % 2:
            raise Refusal(f"camera {self.camera.name!r} has an odd side, which video cannot store.")

    @property
    def units(self) -> Tuple[Unit, ...]:
        """All trajectories, in the order of the data set."""
        size = self.clips_per_trajectory
        return tuple(self._unit(number, first) for number, first in enumerate(range(0, self.clips, size)))

    @property
    def whole(self) -> bool:
        """Whether clips are whole demonstrations of an arm, each of its own length, and not parts of walks."""
        return self.clip_frames == WHOLE

    @property
    def commanded(self) -> bool:
        """Whether a frame of a demonstration is what was seen after a commanded pose, which its action says."""
        return self.whole and collection_of(find_environment(self.environment)).told == DISCRETE7

    @property
    def tells_collisions(self) -> bool:
        """Whether rows say that an action was blocked."""
        return not self.whole or self.commanded

    @property
    def key_every(self) -> int:
        """How many frames of a clip's video go from one key frame to the next."""
        return WINDOW_FRAMES if self.whole else self.clip_frames

    @property
    def camera_key(self) -> str:
        """The name of the recorded views among the features."""
        return f"observation.images.{self.camera.name}"

    def digest(self) -> str:
        """Return the hash of all settings."""
        return digest(plan_to_plain(self))

    def _unit(self, number: int, first: int) -> Unit:
        count = len(self.scenes)
        clips = min(self.clips_per_trajectory, self.clips - first)
        policy = self.policies[(number // count + number) % len(self.policies)]
        return Unit(number, self.scenes[number % count], number // count, policy, first, clips)


def rig_digest(rig: Rig) -> str:
    """Return the hash of a suite's cameras, as it enters data and cards."""
    return digest(rig)


_LATER: Mapping[str, Any] = {"recorded": PLAIN, "navmesh": {}}


def plan_to_plain(plan: CollectPlan) -> Dict[str, Any]:
    """Return a plan as it is stored: settings that came later are left out where nothing was chosen."""
    plain: Dict[str, Any] = to_plain(plan)
    for name, value in _LATER.items():
        if getattr(plan, name) == value:
            del plain[name]
    return plain


def plan_from_plain(plain: Dict[str, Any]) -> CollectPlan:
    """Return the plan of ``plan_to_plain``; Refusal for anything else."""
    try:
        return from_plain(CollectPlan, plain)
    except ValueError as error:
        raise Refusal(f"the settings of this data set cannot be read ({error}).", "Collect it again.") from error


def read_plan(folder: Path) -> CollectPlan:
    """Return the plan of the data set in ``folder``; Refusal where there is none."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return plan_from_plain(record["plan"])
    except (OSError, ValueError, KeyError) as error:
        raise Refusal(
            f"{folder} is no collected data set: {RECORD} cannot be read ({type(error).__name__}).",
            "Give the folder that `collect` wrote, OUTPUT_DIR/EXP_ID.",
        ) from error


def differing(first: CollectPlan, second: CollectPlan) -> Tuple[str, ...]:
    """Return the names of the settings in which two plans differ."""
    return tuple(f.name for f in fields(CollectPlan) if getattr(first, f.name) != getattr(second, f.name))
