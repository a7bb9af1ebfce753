"""Frame maps: the published table, and what the map promises for every length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal
from harness.contracts.frame_maps import (
    PUBLISHED_ACTIONS,
    frame_map,
    kept_indices,
    native_frame_of,
    native_length,
    never_imagined,
    shown_views,
)

PUBLISHED = {
    14: tuple(range(14)),
    13: (*range(13), 12),
    17: (0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16),
    25: (0, 1, 3, 5, 7, 9, 11, 12, 14, 16, 18, 20, 22, 24),
    33: (0, 2, 4, 7, 9, 12, 14, 17, 19, 22, 24, 27, 29, 32),
    93: (0, 7, 14, 21, 28, 35, 42, 49, 56, 63, 70, 77, 84, 92),
}
"""Generated frames -> the frames kept by the published convention (arXiv 2510.18135)."""


@pytest.mark.parametrize("generated", PUBLISHED)
def test_the_published_table(generated: int) -> None:
    assert kept_indices(generated) == frame_map(PUBLISHED_ACTIONS, generated) == PUBLISHED[generated]


def test_a_video_of_13_frames_never_imagines_the_last_action() -> None:
    assert never_imagined(PUBLISHED_ACTIONS, 13) == (13,)
    assert never_imagined(PUBLISHED_ACTIONS, 14) == ()
    assert never_imagined(5, 2) == (2, 3, 4, 5)


def test_views_are_shown_where_the_map_looks_for_them() -> None:
    assert shown_views(13, 14) == tuple(range(14))
    assert shown_views(13, 13) == tuple(range(13))  # the last action is never imagined
    assert shown_views(13, 17) == (0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 12, 13)


@given(actions=st.integers(0, 40), native=st.integers(1, 120))
def test_both_directions_agree(actions: int, native: int) -> None:
    views, kept = shown_views(actions, native), frame_map(actions, native)
    assert all(views[frame] == view for view, frame in enumerate(kept[:native]))


@given(actions=st.integers(0, 64), native=st.integers(1, 200))
def test_maps_begin_at_the_conditioning_view_and_never_go_back(actions: int, native: int) -> None:
    frames = frame_map(actions, native)
    assert len(frames) == actions + 1
    assert frames[0] == 0
    assert all(a <= b < native for a, b in zip(frames, frames[1:]))
    repeated = tuple(i for i in range(1, actions + 1) if frames[i] == frames[i - 1])
    assert repeated == never_imagined(actions, native)
    assert [native_frame_of(i, actions, native) for i in range(actions + 1)] == list(frames)


@pytest.mark.parametrize(("actions", "multiple", "frames"), [
    (8, 1, 9), (8, 4, 9), (9, 4, 13), (8, 8, 9), (9, 8, 17), (1, 4, 5), (0, 4, 5), (0, 1, 2),
])  # fmt: skip
def test_free_lengths_are_rounded_up(actions: int, multiple: int, frames: int) -> None:
    assert native_length(actions, multiple) == frames


def test_what_does_not_exist_is_refused() -> None:
    for wrong in (lambda: native_frame_of(14, 13, 14), lambda: kept_indices(0), lambda: native_length(3, 0)):
        with pytest.raises(Refusal):
            wrong()
