"""Requests to a world model without a run: what one would be asked, in the form that its manifest asks for.

For whoever wants to know a model rather than play with it: `plugin check`, measurements of speed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Optional, Sequence

from harness.contracts.actions import (
    DISCRETE7,
    EE_POSE8,
    FORWARD,
    NAVIGATION,
    TURN_LEFT,
    TURN_RIGHT,
    Action,
    Candidate,
    Primitive,
    Vector,
    discrete7_space,
    ee_pose8_space,
    navigation_space,
    signed_turn,
)
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import RGB, View
from harness.contracts.rollouts import ContextView, RolloutRequest
from harness.worldmodels.conditioning import ACTION_SPACE, conditioning_of, pose_before
from harness.worldmodels.imaginer import PERSPECTIVE_HFOV_DEG, PERSPECTIVE_SIZE
from harness.worldmodels.panorama import front_crop, resized_view, roll

AHEAD, LEFT, RIGHT = Primitive(FORWARD, 0.2), Primitive(TURN_LEFT, 22.5), Primitive(TURN_RIGHT, 22.5)

STRAIGHT: tuple[Action, ...] = (AHEAD,) * 5
TO_LEFT: tuple[Action, ...] = (AHEAD, LEFT, LEFT, AHEAD)
TO_RIGHT: tuple[Action, ...] = (AHEAD, RIGHT, RIGHT, AHEAD)
"""Turns stand between forwards: those at both ends of a candidate never reach a panorama model (turn folding)."""

SEED = 20_251_018
ANY_LENGTH = 24
"""The actions of the longest candidate, for models that say that any length is right."""


@dataclass(frozen=True, eq=False)
class RealView:
    """The real panorama ``ahead_m`` and ``left_m`` of a place, with the place's heading."""

    ahead_m: float
    left_m: float
    rgb: RGB


@dataclass(frozen=True, eq=False)
class Place:
    """A pose in a home with free floor ahead: its view (also as the rig's large panorama) and real views around it."""

    name: str
    view: View
    large: Optional[View]
    around: tuple[RealView, ...]


class Probe:
    """Makes requests for one model from a number of places; a model of a robot arm gets plans of its own kind.

    With a ``secret`` the seeds of requests are as large and as little known as those of a run: equal ones stay equal.
    """

    def __init__(self, manifest: ModelManifest, places: Sequence[Place], secret: bytes = b"") -> None:
        self.manifest = manifest
        self._secret = secret
        self.places = tuple(places)
        self._conditioning = conditioning_of(manifest)
        self._space = _ARM_SPACES.get(self._asked_in, navigation_space)()
        self.views = tuple(self._as_asked(place.large or place.view) for place in places)
        self.contexts = tuple(self._earlier_views(place) for place in places)

    @property
    def panorama(self) -> bool:
        """Say whether the model imagines panoramas."""
        return self.manifest.view == "panorama"

    @property
    def arm(self) -> bool:
        """Say whether the model is asked for plans of a robot arm."""
        return self._asked_in in _ARM_SPACES

    @property
    def _asked_in(self) -> str:
        return str(self.manifest.settings.get(ACTION_SPACE, NAVIGATION))

    @property
    def longest(self) -> int:
        """The most actions of a candidate that the manifest allows."""
        return self._conditioning.most_actions or ANY_LENGTH

    def fitted(self, actions: Sequence[Action]) -> tuple[Action, ...]:
        """Return the beginning of ``actions`` that the model's length allows."""
        return tuple(actions[: self.longest])

    def request(
        self,
        actions: Sequence[Action] = STRAIGHT,
        place: int = 0,
        seed: int = SEED,
        id: int = 0,
        frames: Sequence[int] = (),
        view: View | None = None,
    ) -> RolloutRequest:
        """Return a request for ``actions`` from a place; ``frames`` default to all.

        It carries as many earlier views as the manifest allows, those of the place also where ``view`` is another.
        """
        fitted = self.fitted(actions)
        chosen = as_poses(fitted, self._asked_in) if self.arm else fitted
        number = place % len(self.places)
        seen = view or self.views[number]
        return RolloutRequest(
            id=id,
            seed=self._drawn(seed),
            view=seen.rgb,
            camera=seen.camera,
            candidate=Candidate(chosen),
            frames=tuple(frames) or tuple(range(1, len(chosen) + 1)),
            prompt=self._conditioning.prompt(chosen, self._space),
            poses=self._conditioning.camera_poses(chosen),
            context=self.contexts[number],
        )

    def different(self, count: int) -> list[RolloutRequest]:
        """Return ``count`` requests that differ in actions, place and seed, all of one length."""
        plans = (TO_LEFT, STRAIGHT[:4], TO_RIGHT)
        return [self.request(plans[n % 3], n // 3, SEED + n, n) for n in range(count)]

    def nearby(self, place: int) -> list[View]:
        """Return what the camera really sees around a place, as the model would be asked from there."""
        around = self.places[place % len(self.places)].around
        camera = self.places[0].view.camera
        return [self._as_asked(View(camera, real.rgb)) for real in around]

    def turned(self, number: int) -> View:
        """Return a view that was not asked from before: the first place's, turned by a number of its columns."""
        view = self.views[0]
        if not self.panorama:
            return self.views[number % len(self.views)]
        return View(view.camera, roll(view.rgb, 360.0 / view.camera.width * (number % view.camera.width)))

    def _drawn(self, seed: int) -> int:
        if not self._secret:
            return seed
        return int.from_bytes(hashlib.sha256(self._secret + seed.to_bytes(8, "big")).digest()[:8], "big")

    def _as_asked(self, source: View) -> View:
        """Return a panorama of a place as the model is sent it: at its size, or the crop ahead."""
        camera = self.places[0].view.camera
        if self.panorama:
            return resized_view(source, self.manifest.height or camera.height, self.manifest.width or camera.width)
        size = (self.manifest.height or PERSPECTIVE_SIZE[0], self.manifest.width or PERSPECTIVE_SIZE[1])
        return front_crop(source, size, PERSPECTIVE_HFOV_DEG)

    def _earlier_views(self, place: Place) -> tuple[ContextView, ...]:
        """Return what was seen on the way to a place: turns to and fro behind it, then a forward that ends in it."""
        count = 0 if self.arm else self.manifest.context_max
        actions = (*((RIGHT, LEFT) * count)[: max(count - 1, 0)], AHEAD)
        behind = min(place.around, key=lambda real: real.ahead_m).rgb
        views = []
        for number in range(count):
            since = actions[number:]
            rgb = roll(behind, -sum(signed_turn(action) for action in since))
            views.append(ContextView(self._as_asked(View(place.view.camera, rgb)).rgb, pose_before(since)))
        return tuple(views)


def wants_large(manifest: ModelManifest) -> bool:
    """Say whether a model works at more than the small panorama of the rig shows."""
    share = 1 if manifest.view == "panorama" else 4
    return manifest.width * share > 256


def renamed(request: RolloutRequest, id: int) -> RolloutRequest:
    """Return the same question under another id."""
    return replace(request, id=id)


ARM_STEP_M = 0.02
ARM_START = (0.2, 0.0, 1.0)
"""Metres in the robot's frame: 24 steps in any direction stay within the published scene."""

GRIPPER_DOWN = (0.0, 0.0, 1.0, 0.0)
"""A gripper that looks down: half a turn about the robot's y axis (w, x, y, z)."""

GRIPPER_OPEN = 1.0

ARM_START_VOXEL = (50, 50, 40)
DOWN_BINS = (120.0, 60.0, 60.0)
"""The same in ``discrete7``, whose voxels are 1 cm."""

_ARM_SPACES = {EE_POSE8: ee_pose8_space, DISCRETE7: discrete7_space}


def as_poses(actions: Sequence[Action], space: str = EE_POSE8) -> tuple[Action, ...]:
    """Return one pose of the gripper an action, in ``ee_pose8`` or ``discrete7``: forwards move it away from the robot,
    turns to their side.

    So plans that differ for a camera differ for an arm, and checks need not know which of both they ask.
    """
    steps = [_arm_step(action) for action in actions]
    ahead = accumulate(step[0] for step in steps)
    aside = accumulate(step[1] for step in steps)
    return tuple(_arm_pose(x, y, space) for x, y in zip(ahead, aside, strict=True))


def _arm_pose(ahead_m: float, aside_m: float, space: str) -> Vector:
    if space == DISCRETE7:
        x, y, z = ARM_START_VOXEL
        place = float(x + round(100.0 * ahead_m)), float(y + round(100.0 * aside_m)), float(z)
        return Vector(DISCRETE7, (*place, *DOWN_BINS, GRIPPER_OPEN))
    x_m, y_m, z_m = ARM_START
    return Vector(EE_POSE8, (x_m + ahead_m, y_m + aside_m, z_m, *GRIPPER_DOWN, GRIPPER_OPEN))


def _arm_step(action: Action) -> tuple[float, float]:
    """Return metres away from the robot and to its left."""
    turn = signed_turn(action)
    if turn:
        return 0.0, ARM_STEP_M if turn > 0.0 else -ARM_STEP_M
    return (ARM_STEP_M, 0.0) if isinstance(action, Primitive) else (0.0, 0.0)
