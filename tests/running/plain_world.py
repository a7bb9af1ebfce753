"""A world without textures, drawn by hand: a floor of one colour, walls of one colour or none, and a black sky."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.contracts.actions import FORWARD, Action, Candidate, Primitive, navigation_space, signed_turn
from harness.contracts.cameras import Camera, Pose, Rig, Vec3, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.episodes import Episode
from harness.contracts.observations import (
    EnvironmentSpec,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.rollouts import Rollout
from harness.wire.sdk import Environment, Imagining, Navigation, Rendering

FRONT = Camera("front", "pinhole", 24, 24, 90.0, 1.0)
PANO = Camera("pano", "equirect", 16, 32, 360.0, 1.0)
FLOOR, WALL, SKY = (90, 80, 70), (200, 200, 190), (0, 0, 0)
MARGIN = 0.15


class PlainWorld(Environment, Rendering, Imagining, Navigation):
    """A square of ``half`` metres to each side; ``walls`` metres high, 0 for none. ``fault`` hits every frame from
    the observation number ``at`` on: ``black``, ``constant`` or ``frozen``, with its depth too where ``dead_depth``."""

    def __init__(
        self, half: float, walls: float, fault: str = "", at: int = 0, dead_depth: bool = False, turns: bool = True
    ) -> None:
        self._half, self._walls = half, walls
        self._fault, self._at, self._dead_depth, self._turns = fault, at, dead_depth, turns
        self._x = self._z = self._yaw = 0.0
        self._count = 0
        self._last: dict[str, View] = {}

    def describe(self) -> EnvironmentSpec:
        space = navigation_space()
        if not self._turns:
            space = replace(space, primitives=tuple(p for p in space.primitives if p.name == FORWARD))
        return EnvironmentSpec("plain", "plain 1", Rig((FRONT, PANO)), (space,))

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        self._x, self._z = episode.start.position[0], episode.start.position[2]
        self._yaw = round(quaternion_to_yaw(episode.start.rotation) / 22.5) * 22.5 % 360.0
        return self._observed(views)

    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> list[Mapping[str, View]]:
        places = [(pose.position[0], pose.position[2], quaternion_to_yaw(pose.rotation)) for pose in poses]
        return [{r.camera: self._drawn(r.camera, *place) for r in views} for place in places]

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> list[Observation]:
        seen = []
        for action in actions:
            self._act(action)
            seen.append(self._observed(views))
        return seen

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        state = (self._x, self._z, self._yaw)
        for number, (candidate, wanted) in enumerate(zip(candidates, frames, strict=True)):
            images = [self._seen(camera).rgb] if 0 in wanted else []
            for step, action in enumerate(candidate.actions, start=1):
                self._act(action)
                if step in wanted:
                    images.append(self._seen(camera).rgb)
            self._x, self._z, self._yaw = state
            yield Rollout(number, np.stack(images), FRONT if camera == "front" else PANO)

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        return math.dist(start, goal)

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        return ShortestPath(math.dist(start, goal), (start, goal))

    def is_navigable(self, position: Vec3) -> bool:
        return max(abs(position[0]), abs(position[2])) < self._half - MARGIN

    def top_down_map(self) -> TopDownMap:
        return TopDownMap(np.ones((4, 4), np.bool_), (0.0, 0.0), 1.0)

    def close(self) -> None:
        return None

    def _act(self, action: Action) -> None:
        self._yaw = (self._yaw + signed_turn(action)) % 360.0
        if isinstance(action, Primitive) and action.name == FORWARD:
            yaw, limit = math.radians(self._yaw), self._half - MARGIN
            self._x = min(limit, max(-limit, self._x - 0.2 * math.sin(yaw)))
            self._z = min(limit, max(-limit, self._z - 0.2 * math.cos(yaw)))

    def _observed(self, requests: Sequence[ViewRequest]) -> Observation:
        self._count += 1
        views = {r.camera: self._seen(r.camera) for r in requests}
        return Observation(views, Pose((self._x, 0.0, self._z), yaw_to_quaternion(self._yaw)), False)

    def _seen(self, camera: str) -> View:
        """Return what the camera shows now, with the fault if there is one."""
        true = self._drawn(camera, self._x, self._z, self._yaw)
        before = self._last.get(camera, true)
        if not self._fault or self._count <= self._at:
            self._last[camera] = true
            return true
        shown = {
            "black": np.zeros_like(true.rgb),
            "constant": np.full_like(true.rgb, 60),
            "frozen": before.rgb,
        }[self._fault]
        assert true.depth is not None and before.depth is not None
        dead = before.depth if self._fault == "frozen" else np.zeros_like(true.depth)
        return replace(true, rgb=shown, depth=dead if self._dead_depth else true.depth)

    def _drawn(self, camera: str, x: float, z: float, yaw_deg: float) -> View:
        made = FRONT if camera == "front" else PANO
        rays = _rays(made, math.radians(yaw_deg))
        with np.errstate(divide="ignore", invalid="ignore"):
            down = np.where(rays[..., 1] < -1e-9, -made.height_m / rays[..., 1], np.inf)
            hit_x, hit_z = x + down * rays[..., 0], z + down * rays[..., 2]
            on_floor = (np.abs(hit_x) <= self._half) & (np.abs(hit_z) <= self._half)
            to_x = np.where(rays[..., 0] != 0.0, (np.sign(rays[..., 0]) * self._half - x) / rays[..., 0], np.inf)
            to_z = np.where(rays[..., 2] != 0.0, (np.sign(rays[..., 2]) * self._half - z) / rays[..., 2], np.inf)
            wall = np.minimum(to_x, to_z)
            height = made.height_m + wall * rays[..., 1]
            on_wall = (height >= 0.0) & (height <= self._walls) & ~(on_floor & (down < wall))
        rgb = np.full((made.height, made.width, 3), SKY, np.uint8)
        rgb[on_wall], rgb[on_floor & ~on_wall] = WALL, FLOOR
        depth = np.where(on_wall, wall, np.where(on_floor, down, 0.0)).astype(np.float32)
        return View(made, rgb, depth)


def _rays(camera: Camera, yaw: float) -> np.ndarray:  # type: ignore[type-arg]
    if camera.kind == "pinhole":
        steps = (np.arange(camera.width) + 0.5) / camera.width * 2.0 - 1.0
        across, down = np.meshgrid(steps, steps)
        local = np.stack([across, -down, -np.ones_like(across)], axis=-1)
    else:
        around = (0.5 - (np.arange(camera.width) + 0.5) / camera.width) * 2.0 * np.pi
        upward = (0.5 - (np.arange(camera.height) + 0.5) / camera.height) * np.pi
        azimuth, elevation = np.meshgrid(around, upward)
        flat = np.cos(elevation)
        local = np.stack([-np.sin(azimuth) * flat, np.sin(elevation), -np.cos(azimuth) * flat], axis=-1)
    sine, cosine = math.sin(yaw), math.cos(yaw)
    turned = np.stack(
        [cosine * local[..., 0] + sine * local[..., 2], local[..., 1], -sine * local[..., 0] + cosine * local[..., 2]],
        -1,
    )
    unit: np.ndarray = turned / np.linalg.norm(turned, axis=-1, keepdims=True)  # type: ignore[type-arg]
    return unit
