"""What a plan of a hand says about pictures: where in the front view its sub-goals are, and what it may have moved.

The front camera of the tabletop stands still, so a pose in metres is a place in the picture. Of a plan up to one of its
sub-goals come pictures that lie on the view: how far each pixel is from the hand, where it took hold and let go, where
it swept low over the table; and the view as it would be if something had been carried or pushed along, at several
heights, from which a network chooses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from harness.contracts.actions import DISCRETE7, Action, Vector
from harness.contracts.arm_poses import discrete_pose, ten_numbers
from harness.contracts.errors import Refusal

SIZE = 128
HFOV_DEG = 40.0
EYE, LOOKS_AT = (1.35, 0.0, 1.58), (0.11, 0.0, 0.90)
"""Where the front camera is and what it looks at, in the robot's frame in metres."""

TABLE_M = 0.75
LOW_M = 0.12
"""A hand that is lower than this above the table may push what stands there."""

PUSH_M = 0.08
LEAST_PUSH_M = 0.02
"""A sub-goal pushes where its way begins and ends lower than `PUSH_M` and is at least so long."""

CARRIED = ((0.02, 0.0), (0.07, 0.0), (0.05, 0.045))
"""Ways to look at what was carried and put down: how high above the table it is, and how much higher it stands now."""

HELD_M = 0.03
PUSHED_M = 0.05
GAPS_M = (0.025, 0.045)
"""What is pushed begins to move when the hand has come so far."""

WARPS = len(CARRIED) + 1 + len(GAPS_M)
PICTURES = 11
NUMBERS = 12
POSE_NUMBERS = 6
"""Numbers of one sub-goal: x, y, z in metres, two of the fingers' direction (of twice its angle), gripper open."""


def told_of(actions: Sequence[Action]) -> List[List[float]]:
    """Return the `POSE_NUMBERS` of each sub-goal of a plan in ``discrete7``; Refusal for other actions."""
    found = []
    for action in actions:
        if not isinstance(action, Vector) or action.space != DISCRETE7:
            raise Refusal(f"action {action} is no sub-goal of a hand.", f"Give vectors of the space {DISCRETE7}.")
        x, y, z, *_, across_x, across_y, _, opened = ten_numbers(discrete_pose(action.values))
        double = across_x * across_x - across_y * across_y, 2.0 * across_x * across_y
        found.append([x, y, z, *double, opened])
    return found


@dataclass(frozen=True, eq=False)
class Told:
    """What networks are given of N plans: pictures [N, `PICTURES`, H, W], views as they would be if something had moved
    along [N, `WARPS`, 3, H, W], and numbers [N, `NUMBERS`]."""

    pictures: Tensor
    moved: Tensor
    numbers: Tensor


@dataclass(frozen=True, eq=False)
class _Summary:
    """What a plan has done up to a sub-goal: places [N, 3], flags [N]."""

    here: Tensor
    taken: Tensor
    brought: Tensor
    holds: Tensor
    let_go: Tensor
    pushed_from: Tensor
    pushed_to: Tensor
    pushes: Tensor


class Front:
    """The geometry of the front view on one device, in 32-bit numbers."""

    def __init__(self, device: torch.device, hfov_deg: float = HFOV_DEG) -> None:
        eye, at = (torch.tensor(place, dtype=torch.float64) for place in (EYE, LOOKS_AT))
        back = (eye - at) / (eye - at).norm()
        right = torch.linalg.cross(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), back)
        right = right / right.norm()
        self._axes = torch.stack((right, torch.linalg.cross(back, right), back)).float().to(device)
        self._eye = eye.float().to(device)
        self._focal = 0.5 * SIZE / math.tan(math.radians(0.5 * hfov_deg))
        centre = 0.5 * (SIZE - 1)
        places = torch.arange(SIZE, dtype=torch.float32, device=device)
        self._row, self._column = torch.meshgrid(places, places, indexing="ij")
        over = torch.stack(
            ((self._column - centre) / self._focal, (centre - self._row) / self._focal, -torch.ones_like(self._row)), -1
        )
        self._rays = over @ self._axes
        self._centre = centre

    def places(self, points: Tensor) -> Tensor:
        """Return columns and rows [..., 2] of points [..., 3] in metres; centres of pixels are whole numbers."""
        seen = (points - self._eye) @ self._axes.T
        depth = (-seen[..., 2:]).clamp_min(0.05)
        flat = seen[..., :2] * seen.new_tensor([1.0, -1.0]) / depth
        return self._centre + self._focal * flat

    def told(self, view: Tensor, plans: Tensor, upto: Tensor, known: Tensor) -> Told:
        """Return what plans [N, K, `POSE_NUMBERS`] say of views [N, 3, H, W] after ``upto`` [N] sub-goals (1..K).

        Plans that are not ``known`` [N] say nothing but how many sub-goals there were.
        """
        with torch.autocast(view.device.type, enabled=False):
            view, plans, known = view.float(), plans.float(), known.float()
            done = _summary(plans, upto)
            pictures = self._pictures(plans, upto, done) * known[:, None, None, None]
            numbers = torch.cat((_numbers(plans, upto, done) * known[:, None], upto[:, None] / 6.0, known[:, None]), 1)
            return Told(pictures, self._moved(view, done, known), numbers)

    def _pictures(self, plans: Tensor, upto: Tensor, done: _Summary) -> Tensor:
        tip, foot = self.places(done.here), self.places(_on_table(done.here))
        taken, brought = self.places(done.taken), self.places(done.brought)
        near = [
            self._spot(tip, 3.0),
            self._spot(foot, 3.0),
            self._spot(taken, 3.0) * done.holds[:, None, None],
            self._spot(brought, 3.0) * done.holds[:, None, None],
            self._spot(self.places(done.pushed_from), 3.0) * done.pushes[:, None, None],
            self._spot(self.places(done.pushed_to), 3.0) * done.pushes[:, None, None],
            self._swept(plans, upto),
        ]
        to_tip, to_brought = self._from(tip) / 48.0, self._from(brought) / 48.0
        held = done.holds[:, None, None, None]
        return torch.cat((torch.stack(near, 1), to_tip.clamp(-1.0, 1.0), to_brought.clamp(-1.0, 1.0) * held), 1)

    def _from(self, place: Tensor) -> Tensor:
        """Return how many columns and rows [N, 2, H, W] each pixel is from a place [N, 2]."""
        apart = torch.stack((self._column, self._row))[None] - place[:, :, None, None]
        return apart

    def _spot(self, place: Tensor, pixels: float) -> Tensor:
        return torch.exp(-0.5 * (self._from(place) / pixels).square().sum(1))

    def _swept(self, plans: Tensor, upto: Tensor) -> Tensor:
        """Return [N, H, W]: near 1 where the hand went low over the table."""
        points = self.places(_on_table(plans[..., :3]))
        low = ((LOW_M - (plans[..., 2] - TABLE_M)) / LOW_M).clamp(0.0, 1.0)
        swept = torch.zeros((len(plans), SIZE, SIZE), device=plans.device)
        for step in range(plans.shape[1]):
            first = max(step - 1, 0)
            start, end = points[:, first], points[:, step]
            way = (end - start)[:, :, None, None]
            share = (self._from(start) * way).sum(1) / way.square().sum(1).clamp_min(1e-3)
            apart = self._from(start) - share.clamp(0.0, 1.0)[:, None] * way
            weight = torch.minimum(low[:, first], low[:, step]) * (step < upto)
            swept = torch.maximum(swept, torch.exp(-0.5 * (apart / 4.0).square().sum(1)) * weight[:, None, None])
        return swept

    def _moved(self, view: Tensor, done: _Summary, known: Tensor) -> Tensor:
        """Return [N, `WARPS`, 3, H, W]: the view, moved along as what was carried and what was pushed."""
        carried = (done.brought - done.taken) * (done.holds * known)[:, None]
        level = carried * carried.new_tensor([1.0, 1.0, 0.0])
        rise = (done.holds * known)[:, None] * carried.new_tensor([0.0, 0.0, 1.0])
        found = [self._shifted(view, level + up * rise, high) for high, up in CARRIED]
        found.append(self._shifted(view, carried, HELD_M))
        way = (done.pushed_to - done.pushed_from) * carried.new_tensor([1.0, 1.0, 0.0])
        length = way.norm(dim=1, keepdim=True).clamp_min(1e-3)
        for gap in GAPS_M:
            pushed = way * ((length - gap) / length).clamp_min(0.0) * (done.pushes * known)[:, None]
            found.append(self._shifted(view, pushed, PUSHED_M))
        return torch.stack(found, 1)

    def _shifted(self, view: Tensor, move: Tensor, high_m: float) -> Tensor:
        """Return the view as if all that is ``high_m`` above the table were moved by ``move`` [N, 3] metres."""
        height = TABLE_M + high_m + move[:, 2] - self._eye[2]
        down = self._rays[..., 2].clamp(max=-0.02)
        reach = height[:, None, None] / down[None]
        point = self._eye + reach[..., None] * self._rays - move[:, None, None]
        place = self.places(point)
        grid = (place + 0.5) * (2.0 / SIZE) - 1.0
        return functional.grid_sample(view, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _on_table(points: Tensor) -> Tensor:
    return torch.cat((points[..., :2], torch.full_like(points[..., 2:], TABLE_M)), -1)


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Return [N, ...] of [N, K, ...]: the item of each row."""
    return values[torch.arange(len(values), device=values.device), index]


def _summary(plans: Tensor, upto: Tensor) -> _Summary:
    count = plans.shape[1]
    steps = torch.arange(count, device=plans.device)
    done = steps[None] < upto[:, None]
    place, opened = plans[..., :3], plans[..., 5] > 0.5
    before = torch.cat((torch.ones_like(opened[:, :1]), opened[:, :-1]), 1)
    closes = ~opened & before & done
    taken = (closes * (steps + 1)).amax(1) - 1
    holds = taken >= 0
    opens = opened & done & (steps[None] > taken[:, None]) & holds[:, None]
    freed = torch.where(opens, steps, count).amin(1)
    let_go = freed < count
    now = upto - 1
    at = torch.where(let_go, freed, now)
    low = (place[..., 2] < TABLE_M + PUSH_M) & done
    way = (place[:, 1:, :2] - place[:, :-1, :2]).norm(dim=2) if count > 1 else place.new_zeros((len(plans), 0))
    way = torch.cat((way.new_zeros((len(plans), 1)), way * (low[:, 1:] & low[:, :-1])), 1)
    length, pushing = way.max(1)
    return _Summary(
        here=_at(place, now),
        taken=_at(place, taken.clamp_min(0)),
        brought=_at(place, at),
        holds=holds.float(),
        let_go=let_go.float(),
        pushed_from=_at(place, (pushing - 1).clamp_min(0)),
        pushed_to=_at(place, pushing),
        pushes=(length > LEAST_PUSH_M).float(),
    )


def _numbers(plans: Tensor, upto: Tensor, done: _Summary) -> Tensor:
    """Return all of the `NUMBERS` but the last two, which every plan has."""
    now = _at(plans, upto - 1)
    high = [(place[:, 2] - TABLE_M) * 4.0 for place in (done.here, done.taken, done.brought)]
    flags = [done.holds, done.let_go, done.pushes]
    return torch.stack((*high, now[:, 3], now[:, 4], now[:, 5], *flags, _lowest(plans, upto) * 4.0), 1)


def _lowest(plans: Tensor, upto: Tensor) -> Tensor:
    done = torch.arange(plans.shape[1], device=plans.device)[None] < upto[:, None]
    return torch.where(done, plans[..., 2] - TABLE_M, 1.0).amin(1)
