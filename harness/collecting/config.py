"""Makes a plan of what a user asked; every wrong word is refused before anything is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from harness.collecting.choosing import choose_files, parse_scenes
from harness.collecting.demonstrations import DEMONSTRATION
from harness.collecting.plan import LAYOUTS, LEROBOT, PLAIN, WHOLE, CollectPlan, Recorded, rig_digest
from harness.collecting.policies import POLICIES, WAYPOINTS
from harness.collecting.split_guard import SPLITS, check_name
from harness.contracts.cameras import Rig
from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from harness.runtimes.environments import DEMONSTRATIONS, FILES, collection_of, find_environment

MOST_HOMES = 10_000
CLIPS_PER_TRAJECTORY = 25
CLIP_FRAMES = 14
FPS = 10
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Question:
    """What the command line asks, as it was typed; ``rig`` is that of the suite.

    ``environment`` plays the suite; ``scenes_of`` names the environment that its scenes are of, which is another one
    where the suite is played elsewhere.
    ``policy`` is '', ``clip_frames`` and ``fps`` are None where nothing was typed; ``recorded`` and ``navmesh``
    are as in `CollectPlan`.
    """

    name: str
    suite: str
    environment: str
    scenes_of: str
    rig: Rig
    camera: str
    split: str
    scenes: str
    policy: str
    clips: int
    clip_frames: Optional[int]
    fps: Optional[int]
    seed: int
    layout: str
    recorded: Recorded = PLAIN
    navmesh: Mapping[str, Any] = field(default_factory=dict)


def make_plan(question: Question, simulator: str, found_scenes: Tuple[str, ...] = ()) -> CollectPlan:
    """Return the plan; Refusal says what is wrong with the question.

    ``found_scenes`` are the scenes of a simulator that has files of its own; embedded homes are made from their names.
    """
    if not _NAME.fullmatch(question.name):
        raise Refusal(f"EXP_ID {question.name!r} is no name of a folder.", "Use letters, digits, dots and dashes.")
    if question.clips < 1:
        raise Refusal(f"--clips {question.clips}: a data set has at least one clip.", "For example: --clips 50")
    if question.split not in SPLITS:
        hint = "Test homes are collected for nobody." if question.split == "test" else nearest(question.split, SPLITS)
        raise Refusal(f"there is no split {question.split!r} to collect.", hint)
    if question.layout not in LAYOUTS:
        raise Refusal(f"there is no layout {question.layout!r}.", nearest(question.layout, LAYOUTS))
    policies, clip_frames, fps = _arm_settings(question) if _demonstrated(question) else _walk_settings(question)
    camera = question.rig.camera(question.camera)
    scenes, per_trajectory = choose_scenes(question, found_scenes)
    return CollectPlan(
        name=question.name,
        suite=question.suite,
        environment=question.environment,
        split=question.split,
        camera=camera,
        rig_digest=rig_digest(question.rig),
        scenes=scenes,
        policies=policies,
        clips=question.clips,
        clip_frames=clip_frames,
        clips_per_trajectory=per_trajectory,
        fps=fps,
        seed=question.seed,
        layout=question.layout,
        simulator=simulator,
        recorded=question.recorded,
        navmesh=dict(question.navmesh),
    )


def _demonstrated(question: Question) -> bool:
    return collection_of(find_environment(question.environment)).data == DEMONSTRATIONS


def _walk_settings(question: Question) -> Tuple[Tuple[str, ...], int, int]:
    """Return policies, frames of a clip and frames per second of walks."""
    policies = tuple((question.policy or WAYPOINTS).split(","))
    for policy in policies:
        if policy not in POLICIES:
            raise Refusal(f"there is no policy {policy!r}.", nearest(policy, POLICIES))
    clip_frames = CLIP_FRAMES if question.clip_frames is None else question.clip_frames
    if clip_frames < 2:
        raise Refusal(f"--clip-frames {clip_frames} is too few.", "Give at least 2.")
    return policies, clip_frames, FPS if question.fps is None else question.fps


def _arm_settings(question: Question) -> Tuple[Tuple[str, ...], int, int]:
    """Return the same of demonstrations; Refusal for what only walks have."""
    if question.policy or question.clip_frames is not None:
        raise Refusal(
            "--policy and --clip-frames are for walks: a clip of an arm is a whole demonstration.", "Leave them out."
        )
    if question.layout != LEROBOT:
        raise Refusal(f"the layout {question.layout} is for walks.", f"Demonstrations are written as {LEROBOT}.")
    if question.recorded != PLAIN:
        raise Refusal("--depth, --rig and --keep-roofs are for walks.", "Leave them out.")
    if not question.scenes:
        raise Refusal("no task was named.", "For example: --scenes push_buttons,stack_cups")
    own_fps = collection_of(find_environment(question.environment)).fps
    return (DEMONSTRATION,), WHOLE, own_fps if question.fps is None else question.fps


def choose_scenes(question: Question, found: Tuple[str, ...]) -> Tuple[Tuple[str, ...], int]:
    """Return the scenes and how many clips a trajectory gives.

    Without ``--scenes`` there is one home for every 25 clips. Scenes that were named all get a trajectory, however
    short: naming a scene and finding it missing from the data would be a trap.
    """
    per_trajectory = 1 if _demonstrated(question) else CLIPS_PER_TRAJECTORY
    wanted = -(-question.clips // per_trajectory)
    if of_files(question):
        scenes = choose_files(question.scenes, question.split, found, wanted)
    elif question.scenes:
        scenes = tuple(parse_scenes(question.scenes, question.split))
    else:
        scenes = tuple(f"{question.split}-{index:04d}" for index in range(min(wanted, MOST_HOMES)))
    if question.scenes:
        if question.clips < len(scenes):
            raise Refusal(
                f"--clips {question.clips} are fewer than the {len(scenes)} scenes.", "Every scene gives at least one."
            )
        per_trajectory = min(per_trajectory, question.clips // len(scenes))
    for scene in scenes:
        _check_scene_name(scene, question)
    return scenes, per_trajectory


def of_files(question: Question) -> bool:
    """Say whether scenes are files of the user's, and not exported from what can be made."""
    return find_environment(question.scenes_of).scenes == FILES


def _check_scene_name(scene: str, question: Question) -> None:
    find_environment(question.scenes_of).check_scene(scene)
    check_name(scene, question.split)
