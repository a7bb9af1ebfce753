"""Actions as numbers, for plugins whose models take them: ids of primitives, or continuous motion.

A request carries the candidate itself (conditioning ``numbers``); what a model reads is made of it here, in the
plugin's process. The ids are the published ones (World-in-World, arXiv 2510.18135).
"""

from __future__ import annotations

from typing import Sequence, Tuple

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Action, Primitive, signed_turn
from harness.contracts.errors import Refusal
from harness.contracts.portable import PI

PRIMITIVE_IDS = {FORWARD: 1, TURN_LEFT: 2, TURN_RIGHT: 3, STOP: 4}
NULL_ID = 4
"""What stands first: no action leads to the conditioning view."""
PAD_ID = PRIMITIVE_IDS[FORWARD]

Motion = Tuple[float, float, float]
"""Metres ahead, metres to the left, and degrees of yaw (left positive), seen by the body before the action."""


def action_ids(actions: Sequence[Action], length: int = 0) -> Tuple[int, ...]:
    """Return the null id, then the id of each action: number i turns frame i - 1 into frame i.

    Fewer than ``length`` actions are filled up with forwards, as published checkpoints of a fixed length expect; the
    frames beyond the last real action mean nothing. More than ``length`` (unless it is 0) raise Refusal.
    """
    if 0 < length < len(actions):
        raise Refusal(f"{len(actions)} actions do not fit into {length}.", "Choose a loop with shorter candidates.")
    ids = [PRIMITIVE_IDS[_primitive(action).name] for action in actions]
    return (NULL_ID, *ids, *[PAD_ID] * (length - len(ids)))


def motions(actions: Sequence[Action]) -> Tuple[Motion, ...]:
    """Return how each action moves the body, in the body's own frame before it."""
    result = []
    for action in actions:
        primitive = _primitive(action)
        result.append((primitive.magnitude if primitive.name == FORWARD else 0.0, 0.0, signed_turn(primitive)))
    return tuple(result)


def normalised_deltas(
    motion: Sequence[Motion], spacing_m: float, low: Tuple[float, float], high: Tuple[float, float]
) -> Tuple[Motion, ...]:
    """Return motions as navigation world models were trained on them: (ahead, left) in -1..1, yaw in radians.

    Metres are counted in ``spacing_m``, then ``low``..``high`` (ahead, left) are mapped to -1..1; values outside that
    range stay outside. Yaw is left as it is. NWM: spacing 0.25, low (-2.5, -4), high (5, 4).
    """
    if spacing_m <= 0.0 or not all(a < b for a, b in zip(low, high)):
        raise Refusal(f"no range has spacing {spacing_m}, low {low} and high {high}.", "Give low below high.")
    result = []
    for ahead_m, left_m, yaw_deg in motion:
        ahead, left = (
            (value / spacing_m - a) / (b - a) * 2.0 - 1.0 for value, a, b in zip((ahead_m, left_m), low, high)
        )
        result.append((ahead, left, yaw_deg * (PI / 180.0)))
    return tuple(result)


def _primitive(action: Action) -> Primitive:
    if not isinstance(action, Primitive) or action.name not in PRIMITIVE_IDS:
        raise Refusal(f"action {action} has no id.", f"Known: {', '.join(PRIMITIVE_IDS)}.")
    return action
