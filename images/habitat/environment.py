"""The environment service on habitat-sim alone.

The state is an immutable body; every action is the simulator's own motion from it (`engine.Engine.act`). Imagining is
therefore: save the body, act without rendering, render the wanted frames, put the agent back and check that it stands
exactly where it stood.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.actions import Action, Candidate, Primitive
from harness.contracts.cameras import Pose, Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.observations import (
    EnvironmentSpec,
    ObjectBox,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.rollouts import Rollout, check_wanted
from harness.contracts.scene_names import short_name
from harness.contracts.walkable import ROOFS, SMALL, Walkable
from harness.wire.sdk import Environment, Imagining, Navigation, ObjectBoxes, Rendering
from images.habitat.engine import Engine, EngineOptions
from images.habitat.motion import Body, Steps
from images.habitat.navigation import WalkableArea, area_of, roof_islands, small_islands
from images.habitat.options import navmesh_settings, rig_from_plain
from images.habitat.rigs import CHANNELS, IDS, sensors
from images.habitat.scenes import DATASET_CONFIGS, SceneFiles, SceneFolder
from images.habitat.views import SceneViews

_Known = Dict[Tuple[Body, Primitive], Tuple[Body, bool]]


class HabitatEnvironment(Environment, Rendering, Imagining, Navigation, ObjectBoxes):
    """Plays episodes in scenes that habitat-sim can open, embedded homes exported as GLB included."""

    def __init__(
        self,
        rig: Sequence[Mapping[str, Any]],
        scenes_dir: str = "data/scene_datasets",
        dataset_configs: Optional[Mapping[str, str]] = None,
        scene_digests: Optional[Mapping[str, str]] = None,
        navmesh: Optional[Mapping[str, Any]] = None,
        forward_m: float = 0.2,
        turn_deg: float = 22.5,
        gpu_device_id: int = 0,
        allow_sliding: bool = True,
        exclude_roofs: bool = True,
        least_island_m2: float = 1.0,
        semantics: bool = False,
        face_pixels: int = 0,
        navmesh_digests: Optional[Mapping[str, str]] = None,
    ) -> None:
        """Prepare the simulator; the first reset starts it.

        ``rig`` are the suite's cameras as fields of `Camera`. ``scenes_dir`` holds the scenes by name,
        ``dataset_configs`` the configurations of the data sets in it (first folder of a name -> path below it).
        ``navmesh`` are values of `NavmeshSettings`. ``gpu_device_id`` is the CUDA device, -1 a machine without one.
        ``exclude_roofs`` needs a simulator with Bullet; walkable islands below ``least_island_m2`` do not count.
        ``semantics`` loads annotations for ids and boxes. ``navmesh_digests`` are the digests of the walkable areas
        that a suite was made on, by scene name: another one is refused.
        ``face_pixels`` is the side of a panorama's cube faces (0: half its width).
        """
        self._rig = rig_from_plain(rig)
        self._steps = Steps(forward_m, turn_deg)
        self._navmesh = navmesh_settings(navmesh)
        self._scenes = SceneFolder(
            scenes_dir, DATASET_CONFIGS if dataset_configs is None else dataset_configs, scene_digests or {}
        )
        self._exclude_roofs = exclude_roofs
        self._least_island_m2 = least_island_m2
        channels = [channel for channel in CHANNELS if semantics or channel != IDS]
        self._engine = Engine(
            sensors(self._rig, channels, face_pixels),
            EngineOptions(gpu_device_id, self._steps, self._navmesh, allow_sliding, exclude_roofs),
        )
        self._views = SceneViews(self._engine, self._steps, face_pixels, semantics)
        self._navmesh_digests = {short_name(name): digest for name, digest in (navmesh_digests or {}).items()}
        self._scene = ""
        self._navigation: Optional[WalkableArea] = None
        self._walkable: Optional[Walkable] = None
        self._body = Body((0.0, 0.0, 0.0), 0)
        self._collided = False

    def describe(self) -> EnvironmentSpec:
        """Return cameras and actions."""
        return EnvironmentSpec(
            name="habitat",
            simulator=self._engine.version,
            rig=self._rig,
            action_spaces=(self._steps.space,),
        )

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Load the scene, put the body at the start, and return what is seen there.

        There is no noise, so ``seed`` changes nothing. Raises NotNavigable for a start off the walkable area; in a
        scene that was being played the present state is then kept, else no episode is being played.
        """
        navigation = self._opened(episode.scene)
        navigation.check(episode.start.position, "start", f"scene {episode.scene!r}")
        body = self._steps.body_at(episode.start)
        self._scene, self._navigation = episode.scene, navigation
        self._body, self._collided = body, False
        assert self._walkable is not None
        return replace(self._observe(views), info=self._walkable.to_info())

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Execute ``actions``; return one observation after each. An unknown action moves nothing and is refused."""
        observations = []
        for body, collided in self._walk(actions, {}):
            self._body, self._collided = body, collided
            observations.append(self._observe(views))
        return observations

    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> List[Mapping[str, View]]:
        """Return what is seen with the body at each pose; NotNavigable for one off the walkable area."""
        navigation = self._playing()
        for pose in poses:
            navigation.check(pose.position, "pose", f"scene {self._scene!r}")
        try:
            return [self._render(self._steps.body_at(pose), views) for pose in poses]
        finally:
            self._engine.place(self._body)

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield the real rollout of each candidate; only wanted frames are drawn, equal poses once."""
        rig_camera = self._rig.camera(camera)
        check_wanted(candidates, frames)
        wanted = []
        known: _Known = {}
        for candidate, numbers in zip(candidates, frames):
            bodies = [self._body] + [body for body, _ in self._walk(candidate.actions, known)]
            wanted.append([bodies[number] for number in numbers])
        try:
            for index, bodies in enumerate(wanted):
                images = [self._views.view(rig_camera, body).rgb for body in bodies]
                empty = np.zeros((0, rig_camera.height, rig_camera.width, 3), np.uint8)
                yield Rollout(index, np.stack(images) if images else empty, rig_camera)
        finally:
            self._engine.place(self._body)

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        """Return the walkable distance in metres; infinity where there is no way."""
        return self._playing().geodesic_distance(start, goal)

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        """Return a shortest walkable path."""
        return self._playing().shortest_path(start, goal)

    def is_navigable(self, position: Vec3) -> bool:
        """Say whether the body can stand at ``position``."""
        return self._playing().is_navigable(position)

    def top_down_map(self) -> TopDownMap:
        """Return the walkable area of the storey that the body is on."""
        return self._playing().top_down_map(self._body.position[1])

    def object_boxes(self) -> Tuple[ObjectBox, ...]:
        """Return the boxes of the scene's annotated objects; none where the scene has no annotations."""
        self._playing()
        return object_boxes(self._engine.semantic_objects)

    def close(self) -> None:
        """Close the simulator."""
        self._scene, self._navigation, self._walkable = "", None, None
        self._views.forget()
        self._engine.close()

    def _opened(self, name: str) -> WalkableArea:
        """Return the walkable area of scene ``name``, opening it unless it is open."""
        if self._navigation is not None and self._scene == name:
            return self._navigation
        files = self._scenes.find(name)
        self._scene, self._navigation = "", None
        self._views.forget()
        self._check_navmesh(name, files)
        self._engine.open(files)
        pathfinder = self._engine.pathfinder
        small = small_islands(pathfinder, self._least_island_m2)
        large = sorted(set(range(pathfinder.num_islands)) - small)
        roofs = roof_islands(pathfinder, self._engine.covered, large) if self._exclude_roofs else frozenset()
        navigation = WalkableArea(pathfinder, self._engine.path, roofs | small)
        left_out = {ROOFS: area_of(pathfinder, roofs), SMALL: area_of(pathfinder, small)}
        self._walkable = Walkable(self._navmesh_digest(files), navigation.area_m2, left_out)
        said = self._walkable.sentence(f"scene {name!r}")
        if said:
            print(said, flush=True)
        return navigation

    def _navmesh_digest(self, files: SceneFiles) -> str:
        rules = {"exclude_roofs": self._exclude_roofs, "least_island_m2": self._least_island_m2}
        return self._scenes.navmesh_digest(files, self._navmesh, rules)

    def _check_navmesh(self, name: str, files: SceneFiles) -> None:
        """Raise SpecMismatch where the suite was made on another walkable area than this one."""
        expected = self._navmesh_digests.get(short_name(name))
        found = self._navmesh_digest(files) if expected is not None else None
        if found != expected:
            raise SpecMismatch(
                f"the walkable area of scene {name!r} has the digest {found} (source {self._navmesh.source}, "
                f"file {files.navmesh.name}), the suite was made on {expected}.",
                "Get the navigation meshes that the suite's data were prepared with, or prepare the data again.",
            )

    def _walk(self, actions: Sequence[Action], known: _Known) -> List[Tuple[Body, bool]]:
        """Return (body, collided) after each action from the present state, which stays as it is.

        ``known`` are actions that were simulated before in this scene; candidates share many.
        """
        self._playing()
        checked = [self._steps.check(action) for action in actions]
        body = self._body
        states = []
        for action in checked:
            if (body, action) not in known:
                known[body, action] = self._engine.act(body, action)
            body, collided = known[body, action]
            states.append((body, collided))
        return states

    def _observe(self, requests: Sequence[ViewRequest]) -> Observation:
        return Observation(self._render(self._body, requests), self._steps.pose(self._body), self._collided)

    def _render(self, body: Body, requests: Sequence[ViewRequest]) -> Dict[str, View]:
        self._playing()
        return {r.camera: self._views.view(self._rig.camera(r.camera), body, r.depth, r.ids) for r in requests}

    def _playing(self) -> WalkableArea:
        if self._navigation is None:
            raise Refusal("no episode is being played.", "Call reset first.")
        return self._navigation


def object_boxes(objects: Iterable[Any]) -> Tuple[ObjectBox, ...]:
    """Return the boxes of the simulator's semantic objects, those without a category or an extent left out."""
    boxes = []
    for item in objects:
        box = item.obb
        if item.category is None or not float(box.volume) > 0.0:
            continue
        x, y, z, w = (float(value) for value in box.rotation)
        centre, size = _vec3(box.center), _vec3(box.sizes)
        boxes.append(ObjectBox(int(item.semantic_id), item.category.name(), centre, size, (w, x, y, z)))
    return tuple(boxes)


def _vec3(values: Any) -> Vec3:
    return (float(values[0]), float(values[1]), float(values[2]))
