"""Motion with a planted error: where a body would be if the simulator were wrong by a known amount.

It answers for imagining alone; `images.embedded.motion` moves the body.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import List, Sequence

from harness.contracts.actions import FORWARD, Action, Primitive
from harness.contracts.motion_errors import MotionError
from images.embedded.cameras import heading_sincos
from images.embedded.motion import FORWARD_M, SUBSTEPS, Body, known, walk_parts
from images.embedded.navigation import CELL_M, Navigator

_LONGEST_PART_M = FORWARD_M / SUBSTEPS


class WrongMotion:
    """Walks in one home with one error."""

    def __init__(self, navigator: Navigator, error: MotionError) -> None:
        self._navigator = navigator
        self._error = error

    def bodies(self, body: Body, actions: Sequence[Action], wanted: Sequence[int], seed: int) -> List[Body]:
        """Return where the body seems to be at the ``wanted`` frames of ``actions``, displaced if the error says so.

        A displacement changes only what is seen at its frame: the walk goes on from where it was.
        """
        first = next((number for number, action in enumerate(actions, start=1) if _is_forward(action)), 0)
        bodies = [body]
        for action in actions[: max(wanted, default=0)]:
            bodies.append(self._move(bodies[-1], action))
        displaces = self._error.jitter_m > 0.0 and first > 0
        return [
            self._displaced(bodies[frame], seed, frame) if displaces and frame >= first else bodies[frame]
            for frame in wanted
        ]

    def _move(self, body: Body, action: Action) -> Body:
        if known(action).name != FORWARD:
            return self._navigator.move(body, action)[0]
        sine, cosine = heading_sincos(body.yaw_deg + self._error.heading_error_deg)
        length = FORWARD_M * self._error.motion_scale
        return self._walk(body, -sine * length, -cosine * length)

    def _displaced(self, body: Body, seed: int, frame: int) -> Body:
        return self._walk(body, *self._error.displacement(seed, frame))

    def _walk(self, body: Body, x: float, z: float) -> Body:
        """Return the body moved by (x, z) metres, sliding along obstacles unless the error passes through them."""
        if self._error.through_obstacles:
            return replace(body, x=body.x + x, z=body.z + z)
        parts = math.ceil(math.sqrt(x * x + z * z) / _LONGEST_PART_M - 1e-9)
        if parts == 0:
            return body
        origin_x, origin_z = self._navigator.origin
        at_x, at_z, _ = walk_parts(
            self._navigator.walkable, origin_x, origin_z, CELL_M, body.x, body.z, x / parts, z / parts, parts
        )
        return replace(body, x=at_x, z=at_z)


def _is_forward(action: Action) -> bool:
    return isinstance(action, Primitive) and action.name == FORWARD
