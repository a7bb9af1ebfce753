"""Where a hand is in the front view, and what a plan may have moved, against arithmetic and the simulator's camera."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch (the extra 'models')")

import manip_hand as hand  # noqa: E402

from harness.contracts.actions import Primitive  # noqa: E402
from harness.contracts.errors import Refusal  # noqa: E402
from images.tabletop.stage import HFOV_DEG, eye_of  # noqa: E402
from tests.wm_plugins.mini_manip.plans import CARRY, PUSH, actions  # noqa: E402

FRONT = hand.Front(torch.device("cpu"))


def plans(plan: object) -> Any:
    return torch.tensor(hand.told_of(actions(plan)))[None]  # type: ignore[arg-type]


def told(plan: object, upto: int, known: bool = True, view: Any | None = None) -> hand.Told:
    seen = torch.rand(1, 3, 128, 128) if view is None else view
    return FRONT.told(seen, plans(plan), torch.tensor([upto]), torch.tensor([known]))


def test_the_camera_is_the_environments() -> None:
    eye = eye_of("front", None)  # type: ignore[arg-type]
    assert eye.position.tolist() == list(hand.EYE) and HFOV_DEG["front"] == hand.HFOV_DEG
    assert np.allclose(eye.rotation, FRONT._axes.numpy(), atol=1e-6)


def test_what_the_camera_looks_at_is_in_the_middle_and_left_is_right_of_it() -> None:
    middle = FRONT.places(torch.tensor([list(hand.LOOKS_AT)]))[0]
    assert torch.allclose(middle, torch.tensor([63.5, 63.5]), atol=1e-3)
    x, y, z = hand.LOOKS_AT
    column, row = FRONT.places(torch.tensor([[x, y + 0.1, z]]))[0].tolist()
    distance = math.dist(hand.EYE, hand.LOOKS_AT)
    assert column == pytest.approx(63.5 + 64.0 / math.tan(math.radians(20.0)) * 0.1 / distance, abs=1e-2)
    assert row == pytest.approx(63.5, abs=1e-3)


def test_sub_goals_are_told_in_metres() -> None:
    numbers = hand.told_of(actions(CARRY))
    assert numbers[0] == pytest.approx([0.205, -0.095, 0.775, -1.0, 0.0, 0.0], abs=1e-6)
    with pytest.raises(Refusal, match="is no sub-goal of a hand"):
        hand.told_of([Primitive("forward", 0.2)])


def test_a_view_where_nothing_was_carried_or_pushed_stays_as_it_is() -> None:
    view = torch.rand(1, 3, 128, 128)
    found = told(PUSH, 2, view=view)
    low = slice(70, 128)  # the table; above it, rays do not meet it
    assert torch.allclose(found.moved[0, :, :, low], view[0][:, low].expand(hand.WARPS, 3, 58, 128), atol=1e-3)


@pytest.mark.parametrize(("plan", "upto", "metres", "warp"), [(CARRY, 6, 0.2, 0), (PUSH, 6, 0.15 - 0.045, 5)])
def test_what_is_moved_along_is_seen_where_it_was_brought(plan: object, upto: int, metres: float, warp: int) -> None:
    high = hand.CARRIED[0][0] if warp == 0 else hand.PUSHED_M
    start = torch.tensor([0.205, -0.095, 0.75 + high]) if warp == 0 else torch.tensor([0.255, 0.005, 0.75 + high])
    end = start + (torch.tensor([0.0, metres, 0.0]) if warp == 0 else torch.tensor([metres, 0.0, 0.0]))
    column, row = FRONT.places(start).tolist()
    view = torch.exp(-((FRONT._column - column) ** 2 + (FRONT._row - row) ** 2) / 8.0).expand(1, 3, 128, 128)
    moved = told(plan, upto, view=view).moved[0, warp, 0]
    peak = divmod(int(moved.argmax()), 128)
    column, row = FRONT.places(end).tolist()
    assert abs(peak[1] - column) <= 1.0 and abs(peak[0] - row) <= 1.0


def test_what_is_not_known_says_only_how_many_sub_goals_there_were() -> None:
    view = torch.rand(1, 3, 128, 128)
    one, other = told(CARRY, 4, False, view), told(PUSH, 4, False, view)
    for a, b in ((one.pictures, other.pictures), (one.moved, other.moved), (one.numbers, other.numbers)):
        assert torch.equal(a, b)
    assert not torch.equal(told(CARRY, 4, True, view).pictures, one.pictures)


def test_later_sub_goals_change_nothing_that_was_before_them() -> None:
    view = torch.rand(1, 3, 128, 128)
    whole, part = told(CARRY, 3, view=view), told(CARRY[:3], 3, view=view)
    assert torch.equal(whole.pictures, part.pictures) and torch.equal(whole.numbers, part.numbers)
    assert torch.equal(whole.moved, part.moved)
