"""A toy world for the loop: a walled floor with coloured posts, panoramas by ray casting, exact motion."""

from __future__ import annotations

import math
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.actions import FORWARD, Action, Candidate, Primitive, navigation_space, signed_turn
from harness.contracts.cameras import Camera, Pose, Rig, Vec3, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.episodes import Episode
from harness.contracts.observations import (
    RGB,
    EnvironmentSpec,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.rollouts import Rollout
from harness.wire.sdk import Environment, Imagining, Lookahead, Navigation, Rendering
from harness.worldmodels.imaginer import EarlierView
from tests.image_goals import image_goal_episode

PANO = Camera("pano", "equirect", 32, 64, 360.0, 1.25)
FRONT = Camera("front", "pinhole", 16, 16, 90.0, 1.25)
HALF = 5.0
POSTS = 14


class ToyEnvironment(Environment, Rendering, Imagining, Lookahead, Navigation):
    """A square of 10 x 10 m without obstacles, whose walls and posts are coloured by position.

    ``calls`` lists the names of the methods called, for tests that watch who asks what.
    """

    def __init__(self, goal_offset: Vec3 = (0.0, 0.0, 0.0)) -> None:
        self.calls: List[str] = []
        self._goal_offset = goal_offset
        rng = np.random.default_rng(7)
        self._posts = rng.uniform(-HALF + 0.3, HALF - 0.3, (POSTS, 2))
        self._colours = rng.integers(30, 255, (POSTS, 3))
        self._x = self._z = self._yaw = 0.0

    def describe(self) -> EnvironmentSpec:
        return EnvironmentSpec("toy", "toy 1", Rig((PANO, FRONT)), (navigation_space(),))

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        self.calls.append("reset")
        self._x, _, self._z = episode.start.position
        self._yaw = quaternion_to_yaw(episode.start.rotation)
        return self._observe(views)

    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> List[Mapping[str, View]]:
        self.calls.append("render")
        places = [(pose.position[0], pose.position[2], quaternion_to_yaw(pose.rotation)) for pose in poses]
        return [{r.camera: self._view(r.camera, *place) for r in views} for place in places]

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        self.calls.append("step")
        observations = []
        for action in actions:
            self._act(action)
            observations.append(self._observe(views))
        return observations

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        self.calls.append("imagine")
        state = (self._x, self._z, self._yaw)
        for number, (candidate, wanted) in enumerate(zip(candidates, frames)):
            self._x, self._z, self._yaw = state
            images = []
            for step, action in enumerate(candidate.actions, start=1):
                self._act(action)
                if step in wanted:
                    images.append(self._view(camera, self._x, self._z, self._yaw).rgb)
            self._x, self._z, self._yaw = state
            yield Rollout(number, np.stack(images), PANO if camera == "pano" else FRONT)

    def rollout_poses(
        self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]
    ) -> Tuple[Tuple[Pose, ...], ...]:
        self.calls.append("rollout_poses")
        state = (self._x, self._z, self._yaw)
        poses = []
        for candidate, wanted in zip(candidates, frames):
            found = [self._pose()]
            for action in candidate.actions:
                self._act(action)
                found.append(self._pose())
            self._x, self._z, self._yaw = state
            poses.append(tuple(found[index] for index in wanted))
        return tuple(poses)

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        self.calls.append("geodesic_distance")
        dx, _, dz = (a - b - c for a, b, c in zip(start, goal, self._goal_offset))
        return math.sqrt(dx * dx + dz * dz)

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        self.calls.append("shortest_path")
        return ShortestPath(self.geodesic_distance(start, goal), (start, goal))

    def is_navigable(self, position: Vec3) -> bool:
        self.calls.append("is_navigable")
        return abs(position[0]) < HALF and abs(position[2]) < HALF

    def top_down_map(self) -> TopDownMap:
        self.calls.append("top_down_map")
        return TopDownMap(np.ones((100, 100), np.bool_), (-HALF, -HALF), 0.1)

    def close(self) -> None:
        self.calls.append("close")

    def _act(self, action: Action) -> None:
        self._yaw = (self._yaw + signed_turn(action)) % 360.0
        if isinstance(action, Primitive) and action.name == FORWARD:
            angle = math.radians(self._yaw)
            self._x = min(max(self._x - action.magnitude * math.sin(angle), 0.2 - HALF), HALF - 0.2)
            self._z = min(max(self._z - action.magnitude * math.cos(angle), 0.2 - HALF), HALF - 0.2)

    def _observe(self, views: Sequence[ViewRequest]) -> Observation:
        seen = {r.camera: self._view(r.camera, self._x, self._z, self._yaw) for r in views}
        return Observation(seen, self._pose())

    def _pose(self) -> Pose:
        return Pose((self._x, 0.0, self._z), yaw_to_quaternion(self._yaw))

    def _view(self, camera: str, x: float, z: float, yaw_deg: float) -> View:
        return View(PANO, self._render(x, z, yaw_deg)) if camera == "pano" else View(FRONT, self._front(x, z, yaw_deg))

    def _render(self, x: float, z: float, yaw_deg: float) -> RGB:
        columns = (0.5 - (np.arange(PANO.width) + 0.5) / PANO.width) * 360.0
        rows = (0.5 - (np.arange(PANO.height) + 0.5) / PANO.height) * 180.0
        return self._shade(x, z, np.radians(columns + yaw_deg)[None, :], np.radians(rows)[:, None])

    def _front(self, x: float, z: float, yaw_deg: float) -> RGB:
        u = (np.arange(FRONT.width) + 0.5) / FRONT.width * 2.0 - 1.0
        azimuth = math.radians(yaw_deg) - np.arctan(u)[None, :]
        elevation = np.arctan(-u[:, None] / np.sqrt(1.0 + u[None, :] ** 2))
        return self._shade(x, z, azimuth, elevation)

    def _shade(self, x: float, z: float, azimuth: np.ndarray, elevation: np.ndarray) -> RGB:  # type: ignore[type-arg]
        azimuth, elevation = np.broadcast_arrays(azimuth, elevation)
        dx, dz = -np.sin(azimuth), -np.cos(azimuth)
        to_x = np.where(dx > 0, HALF - x, -HALF - x) / np.where(np.abs(dx) < 1e-9, 1e-9, dx)
        to_z = np.where(dz > 0, HALF - z, -HALF - z) / np.where(np.abs(dz) < 1e-9, 1e-9, dz)
        depth = np.minimum(to_x, to_z)
        wall_x, wall_z = x + depth * dx, z + depth * dz
        image = np.stack([128 + 20 * wall_x, 128 + 20 * wall_z, np.where(to_x < to_z, 40.0, 200.0)], -1)
        for (post_x, post_z), colour in zip(self._posts, self._colours):
            along = (post_x - x) * dx + (post_z - z) * dz
            aside = np.abs((post_x - x) * dz - (post_z - z) * dx)
            hit = (along > 0.05) & (aside < 0.25) & (along < depth)
            image[hit] = colour
            depth = np.where(hit, along, depth)
        height = depth * np.tan(elevation)
        image[height > 1.2] = (240, 240, 235)
        image[height < -1.2] = (90, 70, 50)
        shaded: RGB = np.clip(image, 0, 255).astype(np.uint8)
        return shaded


class CopyImaginer:
    """Imagines that nothing changes."""

    every_frame = True
    further_view = None
    context_max = 0

    def __init__(self) -> None:
        self.rollouts = 0

    def imagine(
        self,
        view: View,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        seeds: Sequence[int],
        further: Optional[View] = None,
        earlier: Sequence[EarlierView] = (),
    ) -> List[Mapping[int, View]]:
        self.rollouts += len(candidates)
        return [dict.fromkeys(range(1, len(candidate) + 1), view) for candidate in candidates]


def toy_episode(number: int, tier: str = "easy") -> Episode:
    """Return an episode of the toy world with a goal 1.5 to 2.5 m away."""
    rng = np.random.default_rng(number)
    while True:
        start, goal = rng.uniform(-4.0, 4.0, (2, 2))
        length = float(np.hypot(*(goal - start)))
        if 1.5 <= length <= 2.5:
            break
    yaws = rng.integers(16, size=2) * 22.5
    poses = [Pose((float(x), 0.0, float(z)), yaw_to_quaternion(float(yaw))) for (x, z), yaw in zip((start, goal), yaws)]
    return image_goal_episode(
        f"toy-{number}", "ignav", tier, "validation", "toy", "toy", poses[0], poses[1], 0.5, length,
        reference_actions=round(length / 0.2) + 4,
    )  # fmt: skip
