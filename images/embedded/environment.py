"""The embedded environment: procedural homes behind the environment service.

The state is one immutable body in one loaded home, so imagining needs no saving and restoring, and a view depends
on the home and the body alone: the same pose shows the same bytes however it was reached.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.actions import Action, Candidate
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera, Pose, Rig, Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, SpecMismatch
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
from harness.contracts.rollouts import Rollout, check_wanted
from harness.wire.sdk import (
    Environment,
    Imagining,
    Lookahead,
    MotionErrors,
    Navigation,
    ObjectBoxes,
    Rendering,
)
from images.embedded.cache import DEFAULT_MAX_BYTES, HomeCache
from images.embedded.cameras import HEADINGS
from images.embedded.homebytes import home_digest
from images.embedded.homes import GENERATOR_VERSION
from images.embedded.mesh import Home, HomeObject
from images.embedded.motion import SPACE, Body, body_at
from images.embedded.navigation import Navigator
from images.embedded.renderer import Renderer
from images.embedded.wrong_motion import WrongMotion

CAMERA_HEIGHT_M = 1.25

RIG = Rig(
    (
        Camera("front", PINHOLE, 128, 128, 90.0, CAMERA_HEIGHT_M),
        Camera("pano", EQUIRECT, 128, 256, 360.0, CAMERA_HEIGHT_M),
        Camera("pano_large", EQUIRECT, 576, 1024, 360.0, CAMERA_HEIGHT_M),
    )
)

_VIEW_BYTES_KEPT = 32 << 20

_ViewKey = Tuple[str, Body, bool, bool]


@dataclass(frozen=True, eq=False)
class Scene:
    """A loaded home with all that answers questions about it."""

    name: str
    renderer: Renderer
    navigator: Navigator
    boxes: Tuple[ObjectBox, ...]


def make_scene(name: str, home: Home) -> Scene:
    """Prepare ``home`` for rendering and navigation."""
    return Scene(name, Renderer(home), Navigator(home), tuple(box_of(item) for item in home.objects))


def box_of(item: HomeObject) -> ObjectBox:
    """Return the box of an object, whose edges lie along the axes of the home."""
    low, high = item.bounds[:3], item.bounds[3:]
    x, y, z = ((a + b) / 2.0 for a, b in zip(low, high))
    width, height, depth = (b - a for a, b in zip(low, high))
    return ObjectBox(item.id, item.category, (x, y, z), (width, height, depth), (1.0, 0.0, 0.0, 0.0))


class SceneViews:
    """The views of one scene, the latest kept: rollouts share poses, and an agent walks where it has imagined.

    A panorama is drawn at heading 0 and rolled, so all turns at one place cost one drawing. Bounded by bytes.
    """

    def __init__(self, scene: Scene, most_bytes: int = _VIEW_BYTES_KEPT) -> None:
        self._scene = scene
        self._most_bytes = most_bytes
        self._bytes = 0
        self._views: OrderedDict[_ViewKey, View] = OrderedDict()
        self.drawn = 0
        """How many views were drawn so far (not remembered or rolled)."""

    def view(self, camera: Camera, body: Body, depth: bool = False, ids: bool = False) -> View:
        """Return what ``camera`` sees on ``body``."""
        columns, odd = divmod(camera.width * body.heading, HEADINGS)
        if camera.kind == EQUIRECT and not odd:
            level = Body(body.x, body.z, 0, body.base_deg)
            return self._remembered(camera, level, depth, ids).rolled(columns)
        return self._remembered(camera, body, depth, ids)

    def _remembered(self, camera: Camera, body: Body, depth: bool, ids: bool) -> View:
        key = (camera.name, body, depth, ids)
        if key in self._views:
            self._views.move_to_end(key)
            return self._views[key]
        view = self._scene.renderer.render(camera, (body.x, 0.0, body.z), body.yaw_deg, depth, ids)
        self.drawn += 1
        self._views[key] = view
        self._bytes += _view_bytes(view)
        while self._bytes > self._most_bytes and len(self._views) > 1:
            self._bytes -= _view_bytes(self._views.popitem(last=False)[1])
        return view


def _view_bytes(view: View) -> int:
    return sum(image.nbytes for image in (view.rgb, view.depth, view.ids) if image is not None)


class EmbeddedEnvironment(Environment, Rendering, Imagining, MotionErrors, Lookahead, Navigation, ObjectBoxes):
    """Plays episodes in procedural homes. Scenes are named by their home (``test-0007``)."""

    def __init__(
        self,
        cache_dir: str,
        cache_bytes: int = DEFAULT_MAX_BYTES,
        scene_digests: Optional[Mapping[str, str]] = None,
    ) -> None:
        """Keep baked homes under ``cache_dir``, ``cache_bytes`` at most.

        ``scene_digests`` are the suite's own, by scene name: a home with other bytes is refused, because results in
        it could not be compared with anybody's.
        """
        self._cache = HomeCache(cache_dir, cache_bytes)
        self._scene_digests = dict(scene_digests or {})
        self._views: Optional[SceneViews] = None
        self._scene: Optional[Scene] = None
        self._body = Body(0.0, 0.0, 0)
        self._collided = False

    def load_home(self, name: str) -> Home:
        """Return the home called ``name``, from the cache or newly built; SpecMismatch where its bytes are others."""
        home = self._cache.load(name)
        expected = self._scene_digests.get(name)
        if expected is not None and home_digest(home) != expected:
            raise SpecMismatch(
                f"home {name!r} has the digest {home_digest(home)}, the suite was made with {expected}.",
                "Use the version of this project that the suite's data belong to, with the pinned packages.",
            )
        return home

    def prepare(self, report: Callable[[str], None]) -> None:
        """Compile what this version of the code has not compiled yet on this machine."""
        from images.embedded.warm_up import compile_kernels

        compile_kernels(report)

    def describe(self) -> EnvironmentSpec:
        """Return cameras and actions."""
        return EnvironmentSpec(
            name="embedded",
            simulator=f"embedded homes, generator {GENERATOR_VERSION}",
            rig=RIG,
            action_spaces=(SPACE,),
        )

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Load the home, put the body at the start, and return what is seen there.

        There is no noise, so ``seed`` changes nothing. Raises NotNavigable for a start off the walkable area; in a
        scene that was being played the present state is then kept, else no episode is being played.
        """
        scene = self._load_scene(episode.scene)
        scene.navigator.check(episode.start.position, "start", f"scene {episode.scene!r}")
        body = body_at(episode.start)
        if self._scene is not scene or self._views is None:
            self._views = SceneViews(scene)
        self._scene, self._body, self._collided = scene, body, False
        return self._observe(views)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Execute ``actions``; return one observation after each. An unknown action moves nothing and is refused."""
        observations = []
        for body, collided in self._walk(actions):
            self._body, self._collided = body, collided
            observations.append(self._observe(views))
        return observations

    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> List[Mapping[str, View]]:
        """Return what is seen with the body at each pose; NotNavigable for one off the walkable area."""
        scene = self._current_scene()
        for pose in poses:
            scene.navigator.check(pose.position, "pose", f"scene {scene.name!r}")
        return [self._render(body_at(pose), views) for pose in poses]

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield the real rollout of each candidate; only wanted frames are drawn, equal poses once."""
        rig_camera = RIG.camera(camera)
        yield from self._drawn(rig_camera, self._bodies(candidates, frames))

    def imagine_wrongly(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        error: MotionError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Yield the rollout of each candidate with ``error`` planted in its motion."""
        rig_camera = RIG.camera(camera)
        check_wanted(candidates, frames)
        if len(seeds) != len(candidates):
            raise Refusal(f"{len(candidates)} candidates came with {len(seeds)} seeds.", "Give one a candidate.")
        motion = WrongMotion(self._current_scene().navigator, error)
        rollouts = [
            motion.bodies(self._body, candidate.actions, wanted, seed)
            for candidate, wanted, seed in zip(candidates, frames, seeds)
        ]
        yield from self._drawn(rig_camera, rollouts)

    def rollout_poses(
        self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]
    ) -> Tuple[Tuple[Pose, ...], ...]:
        """Return where the body would be at the wanted frames of each candidate."""
        return tuple(tuple(body.pose() for body in bodies) for bodies in self._bodies(candidates, frames))

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        """Return the walkable distance in metres; infinity where there is no way."""
        return self._current_scene().navigator.geodesic_distance(start, goal)

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        """Return a shortest walkable path."""
        return self._current_scene().navigator.shortest_path(start, goal)

    def is_navigable(self, position: Vec3) -> bool:
        """Say whether the body can stand at ``position``."""
        return self._current_scene().navigator.is_navigable(position)

    def top_down_map(self) -> TopDownMap:
        """Return the walkable area of the present home."""
        return self._current_scene().navigator.top_down_map()

    def object_boxes(self) -> Tuple[ObjectBox, ...]:
        """Return the boxes of all objects of the present home."""
        return self._current_scene().boxes

    def close(self) -> None:
        """Forget the home."""
        self._scene = self._views = None

    def _load_scene(self, name: str) -> Scene:
        if self._scene is not None and self._scene.name == name:
            return self._scene
        self._scene = self._views = None  # before the next is built: two homes and a bake would double the memory
        return make_scene(name, self.load_home(name))

    def _walk(self, actions: Sequence[Action]) -> List[Tuple[Body, bool]]:
        """Return (body, collided) after each action from the present state, which stays as it is."""
        navigator = self._current_scene().navigator
        body = self._body
        states = []
        for action in actions:
            body, collided = navigator.move(body, action)
            states.append((body, collided))
        return states

    def _bodies(self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]) -> List[List[Body]]:
        """Return the bodies at the wanted frames of each candidate from the present state."""
        check_wanted(candidates, frames)
        rollouts = []
        for candidate, wanted in zip(candidates, frames):
            bodies = [self._body] + [body for body, _ in self._walk(candidate.actions)]
            rollouts.append([bodies[frame] for frame in wanted])
        return rollouts

    def _drawn(self, camera: Camera, rollouts: Sequence[Sequence[Body]]) -> Iterator[Rollout]:
        views = self._current_views()
        for index, bodies in enumerate(rollouts):
            images = [views.view(camera, body).rgb for body in bodies]
            empty = np.zeros((0, camera.height, camera.width, 3), np.uint8)
            yield Rollout(index, np.stack(images) if images else empty, camera)

    def _observe(self, requests: Sequence[ViewRequest]) -> Observation:
        return Observation(self._render(self._body, requests), self._body.pose(), self._collided)

    def _render(self, body: Body, requests: Sequence[ViewRequest]) -> Dict[str, View]:
        views = self._current_views()
        return {r.camera: views.view(RIG.camera(r.camera), body, r.depth, r.ids) for r in requests}

    def _current_scene(self) -> Scene:
        if self._scene is None:
            raise Refusal("no episode is being played.", "Call reset first.")
        return self._scene

    def _current_views(self) -> SceneViews:
        self._current_scene()
        assert self._views is not None
        return self._views
