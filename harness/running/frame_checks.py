"""The frame liveness gate: an episode whose frames do not show the world ends as an error, never as a score.

A simulator without a working GPU context often raises nothing: it answers black, a clear colour, or what it drew
before, and the agent then plays a lost episode that looks like a poor model. The gate stands between the environment
and everything that plays on it, and looks at every frame once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.contracts.actions import Action, Candidate, Primitive, signed_turn
from harness.contracts.cameras import Pose, Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import DeadFrame
from harness.contracts.observations import (
    RGB,
    EnvironmentSpec,
    ObjectBox,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.rollouts import Rollout
from harness.running.second_look import Look, SecondLook, believed, open_and_plain
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
    imagine_wrongly,
    require,
)

BLACK, CONSTANT, FROZEN, STALE = "black", "constant", "frozen", "stale"

DARK = 3
"""A pixel is dark when no channel is above this (of 255). Pictures of unlit rooms hold sensor noise and reflections
above it; what was never drawn is 0."""

LIT_SHARE = 0.001
"""A frame is black when fewer pixels than this share are not dark: a stray pixel does not make it a picture."""

SAMPLE_STRIDE = 8
"""The first look takes every 8th row and column; only a frame that looks dead there is read whole."""

MOVED_M = 0.005
TURNED = 0.005
"""Below 5 mm and 0.6 degrees (0.005 is half that angle in radians) equal bytes are believed: so small a move, such as
the end of a slide along a wall, need not change any 8-bit pixel."""

DOUBTS_IN_A_ROW = 2
"""So many doubtful frames in a row are dead where a body cannot look round."""

MOST_DOUBTED = 4
"""Imagined frames of one call that are looked at again: a simulator that does not draw is found by the first."""

FRAMES_REMEMBERED = 10_000
"""Digests kept a camera: many episodes, in about 3 MB."""

NEXT_STEP = (
    "The simulator does not draw what its cameras see (GPU, EGL or driver): run `python benchmark.py doctor`, fix "
    "what it names, then play the episode again with --resume RUN --retry-errors."
)


@dataclass(frozen=True)
class _Place:
    """Where and when a frame was seen."""

    scene: str
    pose: Pose
    episode: str
    step: int

    def __str__(self) -> str:
        x, _, z = self.pose.position
        rotation = ", ".join(f"{value:.3f}" for value in self.pose.rotation)
        return f"step {self.step} of {self.episode} in {self.scene} at ({x:.3f}, {z:.3f}), rotation ({rotation})"


@dataclass(frozen=True, eq=False)
class _Doubted:
    """An imagined frame that may be dead, and the actions that lead to it."""

    doubt: DeadFrame
    rgb: RGB
    actions: Sequence[Action]


class _Memory:
    """The digests of the frames of one camera, each with the place where it was last seen."""

    def __init__(self) -> None:
        self._places: OrderedDict[bytes, _Place] = OrderedDict()
        self.last = b""
        """The digest of the episode's latest frame; empty at its start."""
        self.last_step = -1
        self.doubts = 0
        """How many frames in a row were doubted where nobody could look round."""

    def doubt(self, camera: str, digest: bytes, place: _Place) -> DeadFrame | None:
        """Return the error of a frame whose bytes another place has shown, or None."""
        before = self._places.get(digest)
        if before is None or not _differ(before, place):
            return None
        kind = FROZEN if digest == self.last else STALE
        return _dead(kind, camera, f"{place} shows the bytes of {before}")

    def add(self, digest: bytes, place: _Place) -> None:
        """Remember a frame."""
        self._places[digest] = place
        self._places.move_to_end(digest)
        if len(self._places) > FRAMES_REMEMBERED:
            self._places.popitem(last=False)
        self.last, self.last_step = digest, place.step

    def forget_latest(self) -> None:
        """Begin an episode: what follows is stale, not frozen, where it repeats a frame of an earlier one."""
        self.last, self.last_step = b"", -1

    def in_another_scene(self, digest: bytes, scene: str) -> _Place | None:
        """Return where another scene has shown these bytes, or None."""
        place = self._places.get(digest)
        return place if place is not None and place.scene != scene else None


class LivenessGate(Environment, Rendering, Imagining, MotionErrors, HandlingErrors, Lookahead, Navigation, ObjectBoxes):
    """An environment whose every frame is looked at before anybody sees it; a dead one raises DeadFrame.

    *Black* and *constant* are doubted for the frame alone. *Frozen* (the bytes of the frame before, the pose changed)
    and *stale* (the bytes of an older frame of another pose or scene) are doubted for their digests; a body that did
    not move may repeat its frame. A doubt is no proof, because a plain wall fills a view with one colour, and a wide
    floor looks the same a step further: so the simulator looks round where the frame was seen (`second_look`), and the
    frame is dead unless it is drawn again as it was and other directions look different. What shows one value in all
    directions is dead: it cannot be told from a clear colour, and says nothing to an agent either. A body that cannot
    turn (an arm) is believed once: its second doubtful frame in a row is dead.

    Poses of imagined frames are not told, and a forward may be blocked; but a turn never is, so imagined frames are
    doubted when equal bytes come with different net turns; they are looked at again when all rollouts are there.
    Rendered views are compared among themselves.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._second = SecondLook(environment)
        self._memories: dict[str, _Memory] = {}
        self._rendered: dict[str, _Memory] = {}
        self._episode = ""
        self._scene = ""
        self._steps = 0

    def describe(self) -> EnvironmentSpec:
        """Return what the environment declares."""
        return self._environment.describe()

    def capabilities(self) -> tuple[str, ...]:
        """Return those of the environment."""
        return self._environment.capabilities()

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Reset, and look at the first observation."""
        observation = self._environment.reset(episode, seed, views)
        self._episode, self._scene, self._steps = episode.id, episode.scene, 0
        for memory in [*self._memories.values(), *self._rendered.values()]:
            memory.forget_latest()
        self._observe(observation)
        return observation

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> list[Observation]:
        """Execute ``actions`` one by one, and look at every observation while the body stands where it was made."""
        observations: list[Observation] = []
        for action in actions:
            for observation in self._environment.step([action], views):
                self._steps += 1
                self._observe(observation)
                observations.append(observation)
        return observations

    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> list[Mapping[str, View]]:
        """Render, and look at every view."""
        found = require(self._environment, Rendering).render(poses, views)
        for pose, seen in zip(poses, found, strict=True):
            for name, view in seen.items():
                self._look_at_rendered(name, view, pose)
        return found

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield the real rollouts, each looked at."""
        memory = self._memories.setdefault(camera, _Memory())
        turned = {memory.last: 0.0} if memory.last_step == self._steps else {}
        doubted: list[_Doubted] = []
        for rollout in require(self._environment, Imagining).imagine(candidates, camera, frames):
            known = 0 <= rollout.id < len(candidates) and len(rollout.rgb) == len(frames[rollout.id])
            if known and not rollout.error:  # anything else is the caller's to refuse
                for index, rgb in zip(frames[rollout.id], rollout.rgb, strict=True):
                    label = f"camera {camera!r}, frame {index} of rollout {rollout.id}"
                    actions = candidates[rollout.id].actions[:index]
                    doubt = self._doubt_imagined(memory, turned, label, rgb, actions)
                    if doubt is not None and len(doubted) < MOST_DOUBTED:
                        doubted.append(_Doubted(doubt, rgb, actions))
            yield rollout
        for frame in doubted:  # asked only now: the simulator answers one question at a time
            self._look_again(frame, camera)

    def imagine_wrongly(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        error: PlantedError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Yield the wrong rollouts as they are: a camera inside a wall may well see one colour."""
        return imagine_wrongly(self._environment, candidates, camera, frames, error, seeds)

    def rollout_poses(
        self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]
    ) -> tuple[tuple[Pose, ...], ...]:
        """Return the environment's answer."""
        return require(self._environment, Lookahead).rollout_poses(candidates, frames)

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        """Return the environment's answer."""
        return require(self._environment, Navigation).geodesic_distance(start, goal)

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        """Return the environment's answer."""
        return require(self._environment, Navigation).shortest_path(start, goal)

    def is_navigable(self, position: Vec3) -> bool:
        """Return the environment's answer."""
        return require(self._environment, Navigation).is_navigable(position)

    def top_down_map(self) -> TopDownMap:
        """Return the environment's answer."""
        return require(self._environment, Navigation).top_down_map()

    def object_boxes(self) -> tuple[ObjectBox, ...]:
        """Return the environment's answer."""
        return require(self._environment, ObjectBoxes).object_boxes()

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()

    def _observe(self, observation: Observation) -> None:
        for name, view in observation.views.items():
            self._look(self._memories, name, f"camera {name!r}", view, observation.pose)

    def _look(self, memories: dict[str, _Memory], name: str, label: str, view: View, pose: Pose) -> None:
        memory, doubt = self._doubted(memories, name, label, view, pose)
        if doubt is not None:
            self._believe(memory, doubt, view.rgb, *self._looks(name))

    def _look_at_rendered(self, name: str, view: View, pose: Pose) -> None:
        """Look at a view of another pose; a doubtful one is rendered again, and in other directions too."""
        memory, doubt = self._doubted(self._rendered, name, f"rendered view {name!r}", view, pose)
        if doubt is None:
            return
        ask = partial(self._second.around_pose, pose=pose)
        looks = ask(name)
        if looks is None:
            self._believe(memory, doubt, view.rgb, None, None)
        else:
            self._believe(memory, doubt, view.rgb, looks[0].rgb, self._second.witnesses(name, looks, 0, ask))

    def _doubted(
        self, memories: dict[str, _Memory], name: str, label: str, view: View, pose: Pose
    ) -> tuple[_Memory, DeadFrame | None]:
        """Remember a frame; return the memory of its camera, and why it may be dead."""
        place = _Place(self._scene, pose, self._episode, self._steps)
        memory, digest = memories.setdefault(name, _Memory()), frame_digest(view.rgb)
        doubt = _blank(label, view.rgb, f"{place}") or memory.doubt(label, digest, place)
        memory.add(digest, place)
        memory.doubts = 0 if doubt is None else memory.doubts + 1
        return memory, doubt

    def _looks(self, camera: str) -> tuple[RGB | None, Sequence[Look] | None]:
        """Return what the camera shows when it is asked again, and looks in four directions; None where none can be."""
        looks = self._second.around(camera)
        if looks is None:
            return None, None
        return looks[-1].rgb, self._second.witnesses(camera, looks, len(looks) - 1, self._second.around)

    def _believe(
        self, memory: _Memory, doubt: DeadFrame, rgb: RGB, here: RGB | None, looks: Sequence[Look] | None
    ) -> None:
        """Raise ``doubt`` unless a second look shows that the frame is true."""
        if here is None or looks is None:
            if memory.doubts >= DOUBTS_IN_A_ROW or (here is not None and not np.array_equal(rgb, here)):
                raise doubt
        elif not believed(rgb, here, looks):
            raise doubt

    def _look_again(self, frame: _Doubted, camera: str) -> None:
        """Raise the doubt about an imagined frame unless a look round from where it was imagined shows it to be true.

        Imagined views have no depth: where they are alike all around, the real ones here must be so too.
        """
        looks = self._second.around_imagined(camera, frame.actions)
        if not looks:
            raise frame.doubt
        ask = partial(self._second.around_imagined, actions=frame.actions)
        seen = self._second.witnesses(camera, looks, 0, ask) or []
        if seen and believed(frame.rgb, looks[0].rgb, seen):
            return
        here = self._second.around(camera) or []
        alike = bool(here) and all(np.array_equal(look.rgb, here[-1].rgb) for look in (*looks, *here))
        if not (alike and np.array_equal(frame.rgb, looks[0].rgb) and open_and_plain(here)):
            raise frame.doubt

    def _doubt_imagined(
        self, memory: _Memory, turned: dict[bytes, float], label: str, rgb: RGB, actions: Sequence[Action]
    ) -> DeadFrame | None:
        where = f"imagined after step {self._steps} of {self._episode} in {self._scene}"
        blank = _blank(label, rgb, where)
        if blank is not None:
            return blank
        digest = frame_digest(rgb)
        stranger = memory.in_another_scene(digest, self._scene)
        if stranger is not None:
            return _dead(STALE, label, f"{where} shows the bytes of {stranger}")
        if all(isinstance(action, Primitive) for action in actions):
            turn_deg = sum(signed_turn(action) for action in actions) % 360.0
            before_deg = turned.setdefault(digest, turn_deg)
            if before_deg != turn_deg:
                return _dead(FROZEN, label, f"{where}: net turns of {before_deg:g} and {turn_deg:g} degrees look alike")
        return None


def _blank(label: str, rgb: RGB, where: str) -> DeadFrame | None:
    """Return the error of a frame that is black or has one value, or None."""
    try:
        check_frame(label, rgb, where)
    except DeadFrame as error:
        return error
    return None


def check_frame(label: str, rgb: RGB, where: str) -> None:
    """Raise DeadFrame where ``rgb`` (uint8 [H, W, 3]) is black or has one value in all pixels.

    The sample can only acquit: a frame is called dead after all its pixels were read.
    """
    sample = rgb[::SAMPLE_STRIDE, ::SAMPLE_STRIDE]
    pixels = rgb.shape[0] * rgb.shape[1]
    if _lit(sample) < LIT_SHARE * pixels:
        lit = _lit(rgb)
        if lit < LIT_SHARE * pixels:
            raise _dead(BLACK, label, f"{where}: {lit} of {pixels} pixels are brighter than {DARK} of 255")
    if (sample == rgb[0, 0]).all() and (rgb == rgb[0, 0]).all():
        value = tuple(int(channel) for channel in rgb[0, 0])
        raise _dead(CONSTANT, label, f"{where}: all {pixels} pixels are {value}")


def frame_digest(rgb: RGB) -> bytes:
    """Return the SHA-1 of a frame's bytes: a name for its content, not a protection; the fastest one at hand."""
    return hashlib.sha1(np.ascontiguousarray(rgb).data, usedforsecurity=False).digest()


def _lit(rgb: RGB) -> int:
    """Return how many pixels have a channel above DARK."""
    return int((rgb > DARK).any(axis=2).sum())


def _differ(one: _Place, other: _Place) -> bool:
    """Say whether a camera must see different things at two places.

    |a - b| of two unit quaternions is 2 sin(angle / 4), about half the small angle; a and -a are the same rotation.
    """
    if one.scene != other.scene:
        return True
    moved = sum((a - b) * (a - b) for a, b in zip(one.pose.position, other.pose.position, strict=True))
    rotations = list(zip(one.pose.rotation, other.pose.rotation, strict=True))
    sign = 1.0 if sum(a * b for a, b in rotations) >= 0.0 else -1.0
    turned = sum((a - sign * b) * (a - sign * b) for a, b in rotations)
    return moved > MOVED_M * MOVED_M or turned > TURNED * TURNED


def _dead(kind: str, label: str, values: str) -> DeadFrame:
    return DeadFrame(f"{kind} frame, {label}: {values}.", NEXT_STEP)
