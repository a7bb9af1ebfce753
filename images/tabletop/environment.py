"""The tabletop environment: a robot arm at a table, simulated by MuJoCo and drawn on the CPU.

A body's pose is that of the gripper's tip, and success is sustained, as in RLBench. The whole state (MuJoCo's, the
gripper's command and the task's progress) is saved and restored, so that imagining is playing and going back.
"""

from __future__ import annotations

from functools import partial
from importlib import metadata
from importlib.util import find_spec
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.actions import Action, Candidate
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.handling_errors import HandlingError
from harness.contracts.observations import RGB, EnvironmentSpec, Observation, ViewRequest
from harness.contracts.rollouts import Rollout, check_wanted
from harness.wire.sdk import Environment, HandlingErrors, Imagining
from images.rlbench.actions import SPACES, GripperPose, target_of, to_xyzw
from images.rlbench.frames import gripper_pose, numbers_of
from images.tabletop import arm
from images.tabletop.play import Play
from images.tabletop.stage import RIG, eye_of, pose_of
from images.tabletop.tasks.all import scene_digest
from images.tabletop.warm_up import compile_kernels
from images.tabletop.wrong_handling import seen_by, seen_with_things_at, wrong_targets

_PARTS = ("ee.x", "ee.y", "ee.z", "ee.qw", "ee.qx", "ee.qy", "ee.qz")


class TabletopEnvironment(Environment, Imagining, HandlingErrors):
    """Plays scenes that are made of their names (``push_buttons/variation3/episode7``)."""

    def __init__(self, scene_digests: Optional[Mapping[str, str]] = None) -> None:
        """Make an environment; ``scene_digests`` are a suite's own, and a scene made of other things is refused."""
        self._play: Optional[Play] = None
        self._digests = dict(scene_digests or {})

    def prepare(self, report: Callable[[str], None]) -> None:
        """Compile the kernels by drawing one scene; Refusal where MuJoCo or the arm's files are missing."""
        if find_spec("mujoco") is None:
            raise Refusal("there is no package mujoco.", arm.GET_PACKAGES)
        arm.folder()
        compile_kernels(report)

    def describe(self) -> EnvironmentSpec:
        """Return cameras and actions.

        Cameras stand in the scene or on the wrist, not at a height on a body: `Camera.height_m` is 0 and their poses
        come with every observation (``<camera>.x`` ... ``<camera>.qz`` in its info).
        """
        simulator = f"MuJoCo {_version('mujoco')}, Panda of gymnasium-robotics {_version('gymnasium-robotics')}"
        return EnvironmentSpec(name="tabletop", simulator=simulator, rig=RIG, action_spaces=SPACES)

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Put the scene back to its beginning, or make it. There is no noise, so ``seed`` changes nothing."""
        wanted = _wanted(views)
        if self._play is None or self._play.scene != episode.scene:
            self._play = self._made(episode.scene)
        else:
            self._play.restore(self._play.beginning)
        return self._observe(self._play, wanted)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Carry out ``actions``; return one observation after each.

        All are read first, so that a wrong one moves nothing. ``collided``: the pose was not reached in time.
        """
        play, wanted = self._playing(), _wanted(views)
        observations = []
        for target in [target_of(action) for action in actions]:
            play.act(target)
            observations.append(self._observe(play, wanted))
        return observations

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield the real rollout of each candidate; nothing is simulated after its last wanted frame."""
        play = self._playing()
        yield from self._imagined(_targets(candidates, frames), camera, frames, partial(seen_by, play))

    def imagine_wrongly(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        error: HandlingError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Yield the rollout of each candidate with ``error`` planted in its handling."""
        play, right = self._playing(), _targets(candidates, frames)
        if len(seeds) != len(candidates):
            raise Refusal(f"{len(candidates)} candidates came with {len(seeds)} seeds.", "Give one a candidate.")
        is_open = play.controller.gripper_open
        targets = [wrong_targets(goals, error, seed, is_open) for goals, seed in zip(right, seeds)]
        see = partial(seen_with_things_at, play, play.world.things()) if error.things_stay else partial(seen_by, play)
        play.world.let_things_through(error.through_things)
        try:
            yield from self._imagined(targets, camera, frames, see)
        finally:
            play.world.let_things_through(False)

    def close(self) -> None:
        """Forget the scene."""
        self._play = None

    def _imagined(
        self,
        targets: Sequence[Sequence[GripperPose]],
        camera: str,
        frames: Sequence[Sequence[int]],
        see: Callable[[str], RGB],
    ) -> Iterator[Rollout]:
        """Yield what is seen at the wanted frames of each list of targets, from the present moment."""
        play, rig_camera = self._playing(), RIG.camera(camera)
        present = play.save()
        for index, (candidate, wanted) in enumerate(zip(targets, frames)):
            images: List[RGB] = []
            try:
                for frame in range(max(wanted, default=-1) + 1):
                    if frame:
                        play.act(candidate[frame - 1])
                    if frame in wanted:
                        images.append(see(camera))
            finally:
                play.restore(present)
            empty = np.zeros((0, rig_camera.height, rig_camera.width, 3), np.uint8)
            yield Rollout(index, np.stack(images) if images else empty, rig_camera)

    def _made(self, scene: str) -> Play:
        play = Play(scene)
        expected = self._digests.get(scene)
        if expected is not None and scene_digest(play.puzzle) != expected:
            raise SpecMismatch(
                f"scene {scene!r} is made of other things than those that the suite names (digest {expected}).",
                "Use the version of images/tabletop that belongs to the suite.",
            )
        return play

    def _playing(self) -> Play:
        if self._play is None:
            raise Refusal("no episode is being played.", "Call reset first.")
        return self._play

    def _observe(self, play: Play, wanted: Mapping[str, Tuple[bool, bool]]) -> Observation:
        position, rotation = play.controller.pose()
        x, y, z = position
        info: Dict[str, float] = {
            "success": float(play.progress.succeeded),
            "spoiled": float(play.progress.spoiled),
            "executed": float(not play.blocked),
            "gripper_open": float(play.controller.gripper_open),
            "finger_gap": play.world.finger_gap(),
            **dict(zip(_PARTS, (x, y, z, *rotation))),
            **play.puzzle.distances(play.progress, play.world),
        }
        for name in wanted:
            info.update(numbers_of(name, pose_of(eye_of(name, play.world))))
        views = play.stage.views(play.world, wanted)
        pose = gripper_pose((x, y, z, *to_xyzw(rotation)))
        return Observation(views, pose, play.blocked, False, info)


def _wanted(requests: Sequence[ViewRequest]) -> Dict[str, Tuple[bool, bool]]:
    return {RIG.camera(request.camera).name: (request.depth, request.ids) for request in requests}


def _targets(candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]) -> List[List[GripperPose]]:
    check_wanted(candidates, frames)
    return [[target_of(action) for action in candidate.actions] for candidate in candidates]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
