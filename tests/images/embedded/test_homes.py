"""Homes are deterministic, whole, walkable and furnished without nonsense."""

# ruff: noqa: E402 (imports come after the check for the optional packages)
from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("numba", reason="the embedded homes need the extra `embedded`")
ndimage = pytest.importorskip("scipy.ndimage")

from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal
from images.embedded.homebytes import home_digest
from images.embedded.homes.colours import colour_word
from images.embedded.homes.draws import Draws
from images.embedded.homes.floorplan import DOOR_WIDTH, Plan, draw_plan, walls_of
from images.embedded.homes.splits import SPLIT_SIZES, UnknownHomeError, home_name, home_seed, parse_home
from images.embedded.homes.style import DEFAULT_STYLE
from images.embedded.mesh import TEXTURE_SIZE, Home
from tests.images.embedded.built_home import built_home as home

SEED = home_seed("train", 7)


def test_two_processes_build_the_same_bytes() -> None:
    code = (
        "from images.embedded.homes import build_home; from images.embedded.homebytes import home_digest;"
        f"print(home_digest(build_home({SEED})))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert other.stdout.strip() == home_digest(home())


def test_another_seed_gives_another_home() -> None:
    assert home_digest(home(11)) != home_digest(home())


def test_arrays_agree_with_each_other() -> None:
    built = home()
    vertices, triangles = len(built.positions), len(built.faces)
    assert built.positions.dtype == built.uvs.dtype == built.light.dtype == np.float32
    assert built.uvs.shape == (vertices, 2) and built.light.shape == (vertices, 3)
    assert built.faces.min() == 0 and built.faces.max() == vertices - 1
    assert len(built.face_texture) == len(built.face_object) == len(built.face_double_sided) == triangles
    assert built.textures.shape[1:] == (TEXTURE_SIZE, TEXTURE_SIZE, 3)
    assert set(np.unique(built.face_texture)) == set(range(len(built.textures)))
    assert np.isfinite(built.positions).all() and np.isfinite(built.uvs).all()


def test_size_stays_in_the_budget_of_the_renderer() -> None:
    assert 15_000 <= len(home().faces) <= 60_000
    assert 40 <= len(home().textures) <= 90
    assert 80 <= len(home().objects) <= 250


def test_every_triangle_belongs_to_a_described_object() -> None:
    built = home()
    assert [o.id for o in built.objects] == list(range(1, len(built.objects) + 1))
    assert set(np.unique(built.face_object)) == {o.id for o in built.objects}
    for item in built.objects:
        corners = built.positions[np.unique(built.faces[built.face_object == item.id])]
        box = np.concatenate([corners.min(0), corners.max(0)])
        np.testing.assert_array_equal(box, np.array(item.bounds, np.float32))
        assert item.category and item.colour


def test_faces_do_not_degenerate() -> None:
    corners = home().positions[home().faces].astype(np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.abs(cross).max(axis=1) > 0.0).all()


def test_floors_look_up_and_ceilings_down() -> None:
    built = home()
    for item in built.objects:
        if item.category not in ("floor", "ceiling"):
            continue
        corners = built.positions[built.faces[built.face_object == item.id]].astype(np.float64)
        up = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1]
        assert (up > 0.0).all() if item.category == "floor" else (up < 0.0).all()


def test_furniture_stays_inside_its_room() -> None:
    built = home()
    rooms = {room.id: room.bounds for room in built.rooms}
    fixed = {"door_frame", "archway", "window", "wall", "curtain"}
    for item in built.objects:
        if item.room < 0 or item.category in fixed:
            continue
        x0, z0, x1, z1 = rooms[item.room]
        low_x, low_y, low_z, high_x, _, high_z = item.bounds
        assert low_x > x0 - 0.08 and low_z > z0 - 0.08 and high_x < x1 + 0.08 and high_z < z1 + 0.08, item
        assert low_y > -0.05, item


def test_pictures_are_not_hidden_by_furniture() -> None:
    built = home()
    hung = [o for o in built.objects if o.category in ("painting", "mirror", "clock")]
    tall = [o for o in built.objects if o.category in ("wardrobe", "bookshelf", "fridge", "wall_cabinet", "range_hood")]
    assert hung
    for picture in hung:
        p = picture.bounds
        for other in tall:
            o = other.bounds
            apart = any(p[a] >= o[a + 3] or o[a] >= p[a + 3] for a in range(3))
            assert apart, (picture, other)


CELL = 0.05


def walkable(built: Home, radius: float) -> npt.NDArray[np.bool_]:
    """Free cells for a body of this radius: inside rooms or door openings, away from low triangles."""
    x1 = max(r.bounds[2] for r in built.rooms)
    z1 = max(r.bounds[3] for r in built.rooms)
    occupied = np.ones((int(z1 / CELL) + 2, int(x1 / CELL) + 2), bool)
    for room in built.rooms:
        a, b, c, d = (round(v / CELL) for v in room.bounds)
        occupied[b:d, a:c] = False
    for item in built.objects:
        if item.category in ("door_frame", "archway"):
            a, _, b, c, _, d = (round(v / CELL) for v in item.bounds)
            inset = 3 if item.category == "door_frame" else 1
            if c - a > d - b:
                occupied[b - 1 : d + 1, a + inset : c - inset] = False
            else:
                occupied[b + inset : d - inset, a - 1 : c + 1] = False
    shell = {"floor", "ceiling", "wall", "outdoors", "door_frame", "archway", "skirting_board", "window"}
    for item in built.objects:
        if item.category not in shell | {"rug", "curtain"} and item.bounds[1] < 1.5 and item.bounds[4] > 0.05:
            x_low, _, z_low, x_high, _, z_high = (v / CELL for v in item.bounds)
            occupied[int(z_low) : int(np.ceil(z_high)), int(x_low) : int(np.ceil(x_high))] = True
    free: npt.NDArray[np.bool_] = ndimage.distance_transform_edt(~occupied) * CELL > radius
    return free


@pytest.mark.parametrize("index", [7, 11])
def test_all_rooms_are_reachable_on_foot(index: int) -> None:
    built = home(index)
    labels, _ = ndimage.label(walkable(built, 0.2))
    main = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    for room in built.rooms:
        a, b, c, d = (int(v / CELL) for v in room.bounds)
        assert (labels[b:d, a:c] == main).sum() * CELL * CELL > 0.8, room
    assert (labels == main).sum() * CELL * CELL > 15.0


def rooms_reached(plan: Plan) -> set[int]:
    reached, frontier = {0}, [0]
    while frontier:
        room = frontier.pop()
        for passage in plan.passages:
            for here, there in ((passage.first, passage.second), (passage.second, passage.first)):
                if here == room and there not in reached:
                    reached.add(there)
                    frontier.append(there)
    return reached


@given(st.integers(0, 2**31))
def test_any_floor_plan_connects_its_rooms_and_keeps_openings_inside_walls(seed: int) -> None:
    plan = draw_plan(Draws(seed, "plan"), DEFAULT_STYLE)
    kinds = [room.kind for room in plan.rooms]
    assert 5 <= len(plan.rooms) <= 8
    assert {"living", "kitchen", "bedroom", "bath"} <= set(kinds)
    assert rooms_reached(plan) == set(range(len(plan.rooms)))
    assert all(passage.width >= DOOR_WIDTH for passage in plan.passages)
    for room in plan.rooms:
        x0, z0, x1, z1 = room.inner
        assert min(x1 - x0, z1 - z0) > 1.2
        for wall in walls_of(plan, room):
            spans = sorted((o.left, o.right) for o in wall.openings)
            assert all(abs(edge) < wall.length / 2.0 for span in spans for edge in span)
            assert all(first[1] < second[0] for first, second in zip(spans, spans[1:]))


def test_splits_are_disjoint_and_large_enough() -> None:
    seeds = {split: {home_seed(split, i) for i in range(size)} for split, size in SPLIT_SIZES.items()}
    assert len(seeds["train"]) >= 1000 and len(seeds["validation"]) >= 100 and len(seeds["test"]) >= 100
    assert len(set().union(*seeds.values())) == sum(SPLIT_SIZES.values())


@given(st.sampled_from(sorted(SPLIT_SIZES)), st.integers(0, 999))
def test_names_and_seeds_translate_both_ways(split: str, index: int) -> None:
    assert parse_home(home_name(split, index)) == (split, home_seed(split, index))


@pytest.mark.parametrize("name", ["test-1", "test-9999", "ood-0001", "test-00001", "", "test-0001\n"])
def test_unknown_homes_are_refused_with_the_allowed_names(name: str) -> None:
    with pytest.raises(UnknownHomeError, match="0"):
        parse_home(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tset-0007", "Did you mean 'test-0007'?"),
        ("test-7", "Did you mean 'test-0007'?"),
        ("Validation_0012", "Did you mean 'validation-0012'?"),
        ("kitchen", "train-0000 to train-9999"),
        ("", "train-0000 to train-9999"),
    ],
)
def test_an_unknown_home_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_home(name)
    assert hint in caught.value.next_step


def test_an_unknown_split_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refusal, match="Did you mean 'test'"):
        home_name("tset", 0)


@pytest.mark.parametrize(
    ("rgb", "word"),
    [
        ((250, 250, 248), "white"), ((20, 20, 22), "black"), ((128, 130, 129), "grey"), ((200, 40, 40), "red"),
        ((40, 80, 190), "blue"), ((120, 80, 45), "brown"), ((60, 140, 60), "green"), ((220, 200, 170), "beige"),
    ],
)  # fmt: skip
def test_colour_words_are_what_people_say(rgb: tuple[int, int, int], word: str) -> None:
    assert colour_word(rgb) == word
