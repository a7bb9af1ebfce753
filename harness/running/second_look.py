"""A second look, before a frame is called dead: the simulator looks round where the frame was seen.

A plain wall fills a view with one colour, a wide floor looks the same a step further on: what one frame shows proves
nothing in scenes without textures. A simulator that draws shows something else in another direction, and the same
again where it stands; one that does not draw shows one picture in all directions. Only where depth says that the sky
is in the same place all around may a plain picture be the same in all of them.

A panorama is rolled when the body turns, so one that is not drawn any more differs in every direction too. Where the
directions of a panorama are exact rolls of each other, a pinhole camera of the rig is the witness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.contracts.actions import STOP, TURN_LEFT, Action, Candidate, Primitive
from harness.contracts.cameras import PINHOLE, Pose, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.observations import RGB, Depth, ViewRequest
from harness.wire.sdk import Environment, Imagining, Rendering, require

QUARTERS = 4
PLAIN_COLOURS = 16
"""A picture of more colours has textures or light, and looks different in every direction."""

SAME_SKY = 0.98
"""The share of pixels in which two views must agree on whether anything was hit."""


@dataclass(frozen=True, eq=False)
class Look:
    """What a camera shows in one direction; depth in metres, 0 where nothing was hit, None where it is not known."""

    rgb: RGB
    depth: Depth | None = None


Ask = Callable[[str], "list[Look] | None"]


class SecondLook:
    """Looks round in an environment without leaving anything changed."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._turn: Primitive | None = None
        self._asked = False

    def around(self, camera: str) -> list[Look] | None:
        """Return what ``camera`` shows in four directions, the present one last; None where a body cannot turn.

        A full circle of real turns comes home exactly, which every environment with turns promises.
        """
        legs = self._legs()
        if legs is None:
            return None
        turn, looks = legs[0], []
        for leg in legs[1]:
            if leg > 1:
                self._environment.step([turn] * (leg - 1), [])
            view = self._environment.step([turn], [ViewRequest(camera, depth=True)])[-1].views[camera]
            looks.append(Look(view.rgb, view.depth))
        return looks

    def around_imagined(self, camera: str, actions: Sequence[Action]) -> list[Look] | None:
        """Return the same from where ``actions`` would lead, the direction there first; None where nothing turns."""
        legs = self._legs()
        if legs is None:
            return None
        turn, (first, second, third, *_) = legs
        turned = Candidate((*actions, *[turn] * (first + second + third)))
        wanted = [len(actions) + count for count in (0, first, first + second, first + second + third)]
        rollouts = list(require(self._environment, Imagining).imagine([turned], camera, [wanted]))
        return [Look(rgb) for rollout in rollouts for rgb in rollout.rgb]

    def around_pose(self, camera: str, pose: Pose) -> list[Look] | None:
        """Return the same with the body at a pose, the direction there first; None where nothing turns."""
        legs = self._legs()
        if legs is None:
            return None
        turn, (first, second, third, *_) = legs
        yaw_deg = quaternion_to_yaw(pose.rotation)
        turned = (yaw_deg + turn.magnitude * count for count in (first, first + second, first + second + third))
        poses = [pose, *(Pose(pose.position, yaw_to_quaternion(yaw)) for yaw in turned)]
        rendered = require(self._environment, Rendering).render(poses, [ViewRequest(camera, depth=True)])
        return [Look(seen[camera].rgb, seen[camera].depth) for seen in rendered]

    def witnesses(self, camera: str, looks: list[Look], here: int, ask: Ask) -> list[Look] | None:
        """Return looks that turning the body alone could not have made: ``looks``, or those of a pinhole camera.

        ``here`` is the number of the look in the present direction, ``ask`` looks round with another camera. None where
        the rig has no pinhole camera.
        """
        legs = self._legs()
        assert legs is not None
        alike = all(np.array_equal(look.rgb, looks[here].rgb) for look in looks)
        if alike or not _rolled(looks, here, legs[0].magnitude, legs[1]):
            return looks
        pinholes = [other.name for other in self._environment.describe().rig.cameras if other.kind == PINHOLE]
        return ask(pinholes[0]) if pinholes else None

    def _legs(self) -> tuple[Primitive, list[int]] | None:
        """Return the turn, and how many of it lead from one direction to the next, four times round to the first."""
        if not self._asked:
            self._asked = True
            known = [
                primitive for space in self._environment.describe().action_spaces for primitive in space.primitives
            ]
            turns = [primitive for primitive in known if primitive.name == TURN_LEFT]
            stops = any(primitive.name == STOP for primitive in known)
            self._turn = turns[0] if turns and stops and (360.0 / turns[0].magnitude).is_integer() else None
        if self._turn is None:
            return None
        count = int(360.0 / self._turn.magnitude)
        if count < QUARTERS:
            return None
        quarter = count // QUARTERS
        return self._turn, [quarter, quarter, quarter, count - 3 * quarter]


def believed(rgb: RGB, here: RGB, looks: Sequence[Look]) -> bool:
    """Say whether ``rgb`` is seen truly: drawn again (``here``) it is the same, and other directions differ."""
    if not np.array_equal(rgb, here):
        return False
    if any(not np.array_equal(look.rgb, looks[0].rgb) for look in looks[1:]):
        return True
    return open_and_plain(looks)


def _rolled(looks: Sequence[Look], here: int, turn_deg: float, legs: Sequence[int]) -> bool:
    """Say whether all looks are one picture, rolled by as many columns as the body turned."""
    base, width = looks[here].rgb, looks[here].rgb.shape[1]
    turned = 0.0
    order = [*looks[here:], *looks[:here]]
    for look, leg in zip(order[1:], legs, strict=False):
        turned += leg * turn_deg
        columns = width * turned / 360.0
        if not columns.is_integer() or not np.array_equal(look.rgb, np.roll(base, int(columns), axis=1)):
            return False
    return True


def open_and_plain(looks: Sequence[Look]) -> bool:
    """Say whether views that are all alike show a wide plain floor under a sky: few colours, the sky in one place."""
    if len(np.unique(looks[0].rgb.reshape(-1, 3), axis=0)) not in range(2, PLAIN_COLOURS + 1):
        return False
    skies = [look.depth == 0.0 for look in looks if look.depth is not None]
    if len(skies) < len(looks) or not all(sky.any() and not sky.all() for sky in skies):
        return False
    return all(float((sky == skies[0]).mean()) >= SAME_SKY for sky in skies[1:])
