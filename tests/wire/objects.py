"""Small environments and world models that the tests serve: well-behaved ones and others.

They run in a process of their own, so what they do is chosen by their arguments and not by fixtures.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

import numpy as np

from harness.contracts.actions import Action, Candidate, navigation_space
from harness.contracts.cameras import Camera, Pose, Rig, Vec3, yaw_to_quaternion
from harness.contracts.episodes import Episode
from harness.contracts.errors import NotNavigable, Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import (
    EnvironmentSpec,
    ObjectBox,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import (
    Environment,
    HandlingErrors,
    Imagining,
    Lookahead,
    MotionErrors,
    Navigation,
    ObjectBoxes,
    PlantedError,
    Rendering,
    WorldModel,
)
from tests.image_goals import image_goal_episode

FRONT = Camera("front", "pinhole", 16, 24, 90.0, 1.25)
PANO = Camera("pano", "equirect", 8, 16, 360.0, 1.25)
ORIGIN = Pose((0.0, 0.0, 0.0), yaw_to_quaternion(0.0))


def example_episode(scene: str = "floor") -> Episode:
    """Return an episode in which all fields are filled."""
    goal = Pose((1.5, 0.0, -2.25), yaw_to_quaternion(67.5))
    return image_goal_episode("e1", "ignav", "easy", "test", scene, "7", ORIGIN, goal, 1.0, 2.7, 14, ("a", "b"))


def example_manifest(name: str = "paint", **fields: object) -> ModelManifest:
    """Return the manifest of a small model."""
    return ModelManifest(name, "tests", "plugin", settings={"depth_m": 2.5}, needs=("numpy",), **fields)  # type: ignore[arg-type]


class GridEnvironment(
    Environment, Rendering, Imagining, MotionErrors, HandlingErrors, Lookahead, Navigation, ObjectBoxes
):
    """A body on an endless floor: every action moves it one metre to the right; images count the moves.

    The scene of an episode names what goes wrong from then on.
    """

    def __init__(self, mischief: str = "", note: str = "", side: int = 0) -> None:
        self.thread = threading.get_ident()
        self.mischief = mischief
        self.note = note
        self.moves = 0
        front = FRONT if not side else Camera("front", "pinhole", side, side, 90.0, 1.25)
        self.rig = Rig((front, PANO))
        if mischief == "slow start":
            time.sleep(1.0)
        if mischief == "bad start":
            raise ValueError("no licence for the scenes")

    def describe(self) -> EnvironmentSpec:
        return EnvironmentSpec("grid", "tests 1", self.rig, (navigation_space(),))

    def _view(self, request: ViewRequest, moves: int) -> View:
        camera = self.rig.camera(request.camera)
        size = (camera.height, camera.width)
        rgb = np.full((*size, 3), moves % 256, np.uint8)
        depth = np.full(size, 1.5, np.float32) if request.depth else None
        ids = np.full(size, -3, np.int32) if request.ids else None
        return self._spoiled(View(camera, rgb, depth, ids))

    def _spoiled(self, view: View) -> View:
        if self.mischief == "wrong camera":
            return View(Camera("front", "pinhole", 16, 24, 80.0, 1.25), view.rgb, view.depth, view.ids)
        if self.mischief == "lost depth":
            return View(view.camera, view.rgb, None, view.ids)
        if self.mischief == "nan depth":
            return View(view.camera, view.rgb, np.full(view.rgb.shape[:2], np.nan, np.float32))
        if self.mischief == "wrong shape":
            return View(view.camera, view.rgb[:-1], view.depth, view.ids)
        return view

    def _observation(self, views: Sequence[ViewRequest], moves: int) -> Observation:
        pose = Pose((float(moves), 0.0, 0.0), ORIGIN.rotation)
        return Observation({v.camera: self._view(v, moves) for v in views}, pose, moves % 2 == 1, False, {"n": moves})

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        if threading.get_ident() != self.thread:
            raise AssertionError("called from another thread than the one that made it")
        self.moves = 0
        self.mischief = episode.scene
        return self._observation(views, seed)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        if self.mischief == "hang":
            time.sleep(60)
        if self.mischief == "spin":
            while True:
                pass
        if self.mischief == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mischief == "no space":
            raise OSError(errno.ENOSPC, "No space left on device", "/the/cache")
        if self.mischief == "raise":
            raise ValueError("the floor is lava\ud800")
        if self.mischief == "exit":
            sys.exit(3)
        if self.mischief == "too few":
            actions = actions[:-1]
        observations = []
        for _ in actions:
            self.moves += 1
            observations.append(self._observation(views, self.moves))
        return observations

    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> List[Mapping[str, View]]:
        """Show the x of each pose, which may be anything but negative."""
        if self.mischief == "lost pose":
            poses = poses[1:]
        if self.mischief == "lost view":
            views = views[1:]
        for pose in poses:
            if pose.position[0] < 0.0:
                raise NotNavigable(f"the pose {pose.position} is not navigable.", "Choose another.")
        return [{v.camera: self._view(v, round(pose.position[0])) for v in views} for pose in poses]

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        seen_by = self.rig.camera(camera)
        for index, wanted in enumerate(frames):
            if self.mischief == "fail second" and index == 1:
                raise NotNavigable("pose (9, 0, 9) lies outside.", "Try another one.")
            if self.mischief == "short rollout":
                wanted = wanted[:-1]
            shape = (len(wanted), seen_by.height, seen_by.width, 3)
            levels = np.array(wanted, np.uint8).reshape(-1, 1, 1, 1)
            rgb = np.broadcast_to(levels, shape)
            if self.mischief == "stall":
                time.sleep(60 if index else 0)
            if self.mischief == "unknown id":
                index += 7
            yield Rollout(0 if self.mischief == "twice" else index, rgb, seen_by, timings={"render": 0.25})

    def imagine_wrongly(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        error: PlantedError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Show what it was told: the seed, and 100 times the scale of motion or the offset of a hand."""
        seen_by = self.rig.camera(camera)
        for index, (wanted, seed) in enumerate(zip(frames, seeds)):
            rgb = np.full((len(wanted), seen_by.height, seen_by.width, 3), seed % 256, np.uint8)
            rgb[..., 1] = round(100 * (error.motion_scale if isinstance(error, MotionError) else error.offset_m))
            yield Rollout(index, rgb, seen_by)

    def rollout_poses(
        self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]
    ) -> Tuple[Tuple[Pose, ...], ...]:
        if self.mischief == "lost pose":
            frames = [wanted[1:] for wanted in frames]
        return tuple(tuple(Pose((float(i), 0.0, 0.1), ORIGIN.rotation) for i in wanted) for wanted in frames)

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        if self.mischief == "nan distance":
            return float("nan")
        return float("inf") if goal[0] > 100.0 else abs(goal[0] - start[0])

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        if goal[0] > 100.0:
            raise NotNavigable("no way to x > 100 m.", "Choose a goal in the same scene.")
        return ShortestPath(1.0, (start, goal))

    def is_navigable(self, position: Vec3) -> bool:
        return position[1] == 0.0

    def top_down_map(self) -> TopDownMap:
        return TopDownMap(np.eye(5, 7, dtype=bool), (-1.0, 2.0), 0.05)

    def object_boxes(self) -> Tuple[ObjectBox, ...]:
        chair = ObjectBox(3, "chair", (1.0, 0.5, -2.0), (0.5, 1.0, 0.25), yaw_to_quaternion(30.0))
        return (chair, ObjectBox(4, "", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)))

    def close(self) -> None:
        if self.mischief == "bad close":
            raise OSError("the simulator is stuck")
        if self.note:
            Path(self.note).write_text("closed", encoding="utf-8")


class BareEnvironment(Environment):
    """Does what every environment does, and nothing more."""

    def describe(self) -> EnvironmentSpec:
        return EnvironmentSpec("bare", "tests 1", Rig((FRONT, PANO)), (navigation_space(),))

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        return Observation({}, ORIGIN)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        return [Observation({}, ORIGIN) for _ in actions]

    def close(self) -> None:
        return None


class PaintModel(WorldModel):
    """Answers with frames that hold their index; what the prompt names goes wrong."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        if request.prompt == "raise":
            raise ValueError("no paint left")
        if request.prompt == "refuse":
            raise Refusal("the view is too dark.", "Use another one.")
        if request.prompt == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        camera = request.camera
        shape = (len(request.frames), camera.height, camera.width, 3)
        rgb = np.broadcast_to(np.array(request.frames, np.uint8).reshape(-1, 1, 1, 1), shape).copy()
        confidence = (0.5,) * len(request.frames)
        if request.prompt == "short":
            rgb, confidence = rgb[:-1], ()
        if request.prompt == "float":
            rgb = rgb.astype(np.float64)
        if request.prompt == "none":
            return None  # type: ignore[return-value]
        if request.prompt == "slow, and silent about it":
            time.sleep(0.05)
            return Rollout(request.id, rgb, camera, confidence)
        return Rollout(request.id, rgb, camera, confidence, {"paint": 0.5})


class Unreadable(Exception):
    """An error whose message cannot be read either."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class RaisingModel(PaintModel):
    """Raises what is no Exception, or what cannot be told."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Raise what the prompt says."""
        kinds: Dict[str, BaseException] = {
            "interrupt": KeyboardInterrupt(),
            "cancelled": asyncio.CancelledError(),
            "unreadable": Unreadable(),
        }
        raise kinds[request.prompt]


class BatchModel(PaintModel):
    """Answers a batch backwards and stops in the middle if a prompt says so."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        for request in reversed(requests):
            if request.prompt == "end":
                return
            if request.prompt == "stranger":
                yield Rollout(12345, np.zeros((0, 16, 24, 3), np.uint8), FRONT)
            yield self.imagine(request)


class WaitingModel(PaintModel):
    """Imagines a batch one by one; a prompt names a file that must be there before its rollout is made."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        for request in requests:
            end = time.monotonic() + 10.0
            while request.prompt and not Path(request.prompt).exists():
                if time.monotonic() > end:
                    raise TimeoutError("nobody has received the rollout before")
                time.sleep(0.01)
            yield self.imagine(request)


class StillEnvironment(GridEnvironment):
    """Sees two images that were made once: what is left to measure is the wire."""

    def __init__(self) -> None:
        super().__init__(side=256)
        self.rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        view = View(self.rig.camera("front"), self.rgb)
        return [Observation({"front": view}, ORIGIN) for _ in actions]


class StillModel(WorldModel):
    """Answers with the same 14 large panoramas every time."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.rgb = np.random.default_rng(0).integers(0, 256, (14, 576, 1024, 3), np.uint8)

    def imagine(self, request: RolloutRequest) -> Rollout:
        return Rollout(request.id, self.rgb, request.camera)
