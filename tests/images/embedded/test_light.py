"""The light bake: shadows fall where they must, buried vertices leave no blotches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("numba", reason="the light bake needs the extra `embedded`")

from images.embedded.bvh import NO_HIT, build_tree, trace
from images.embedded.homes.shapes import Shape, box, joined
from images.embedded.light import AMBIENT, LightScene, bake

LAMP = np.array([[0.0, 2.4, 0.0, 2.0, 2.0, 2.0, 0.1]])


def room(*things: Shape) -> tuple[Shape, Shape]:
    """A floor of 4 x 4 m under things; returns (everything, floor)."""
    floor = box((4.0, 0.02, 4.0), 0.2, ("front", "back", "left", "right", "bottom")).at(0.0, -0.01, 0.0)
    return joined([floor, *things]), floor


def light_of(shape: Shape, lamps: npt.NDArray[np.float64] = LAMP) -> npt.NDArray[np.float32]:
    count = len(shape.faces)
    scene = LightScene(
        shape.positions.astype(np.float32), shape.normals.astype(np.float32), shape.faces.astype(np.int32),
        np.zeros(count, np.int32), np.full(count, int(shape.double_sided), np.uint8), np.full((1, 3), 0.5),
        np.zeros(1, np.uint8), lamps, np.empty((0, 15)),
    )  # fmt: skip
    return bake(scene)


def test_light_falls_off_with_distance() -> None:
    shape, _ = room()
    light = light_of(shape)[:, 0]
    distance = np.abs(shape.positions[:, [0, 2]]).max(axis=1)
    assert light[distance < 0.3].min() > 1.5 * light[distance > 1.9].max()


def test_a_table_throws_a_shadow_and_the_floor_around_stays_lit() -> None:
    shape, floor = room(box((1.2, 0.04, 1.2)).at(0.0, 0.7, 0.0))
    open_floor = light_of(room()[0])[: len(floor.positions), 0]
    light = light_of(shape)[: len(floor.positions), 0]
    under = np.abs(floor.positions[:, [0, 2]]).max(axis=1) < 0.3
    away = np.abs(floor.positions[:, [0, 2]]).max(axis=1) > 1.7
    assert light[under].max() < 0.5 * open_floor[under].min()
    assert light[away].min() > 0.8 * open_floor[away].min()


def test_vertices_buried_in_a_cupboard_take_the_light_of_their_neighbours() -> None:
    shape, floor = room(box((0.8, 1.0, 0.8), skip=("bottom",)).at(1.2, 0.5, 0.0))
    light = light_of(shape)[: len(floor.positions), 0]
    x, z = floor.positions[:, 0], floor.positions[:, 2]
    reach = np.maximum(np.abs(x - 1.2), np.abs(z))
    inside, around = reach < 0.39, (reach > 0.41) & (reach < 0.65)
    assert inside.sum() >= 9 and light[inside].min() > 0.8 * light[around].min()


def test_both_sides_of_a_sheet_are_lit() -> None:
    sheet = box((1.0, 0.0, 1.0), 0.25, ("front", "back", "left", "right", "bottom")).at(0.0, 1.0, 0.0).both_sides()
    below = np.array([[0.0, 0.2, 0.0, 2.0, 2.0, 2.0, 0.1]])
    assert light_of(sheet, below).min() > 4.0 * AMBIENT


def test_without_lamps_there_is_only_the_ambient_floor() -> None:
    light = light_of(room()[0], np.empty((0, 7)))
    np.testing.assert_allclose(light, AMBIENT, rtol=1e-6)


def test_bake_is_deterministic() -> None:
    shape, _ = room(box((0.5, 0.5, 0.5)).at(0.3, 0.4, 0.2))
    assert light_of(shape).tobytes() == light_of(shape).tobytes()


def test_tree_finds_what_brute_force_finds() -> None:
    draws = np.random.Generator(np.random.PCG64(3))
    positions = draws.random((600, 3)) * 4.0
    positions[1::3] = positions[0::3] + draws.random((200, 3)) * 0.4
    positions[2::3] = positions[0::3] + draws.random((200, 3)) * 0.4
    faces = np.arange(600, dtype=np.int32).reshape(-1, 3)
    tree = build_tree(positions, faces)
    found = 0
    for _ in range(200):
        origin, direction = draws.random(3) * 4.0, draws.random(3) - 0.5
        place, distance, _, _ = trace(tree, *origin, *direction, 1e20, False)
        expected, nearest = brute_force(positions[faces], origin, direction)
        assert (place == NO_HIT) == (expected is None)
        if expected is not None:
            found += 1
            assert tree.order[place] == expected and distance == pytest.approx(nearest)
    assert found > 20


def brute_force(
    corners: npt.NDArray[np.float64], origin: npt.NDArray[np.float64], direction: npt.NDArray[np.float64]
) -> tuple[int | None, float]:
    best, nearest = None, 1e20
    for index, (a, b, c) in enumerate(corners):
        matrix = np.stack([b - a, c - a, -direction], axis=1)
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        u, v, t = np.linalg.solve(matrix, origin - a)
        if u >= 0.0 and v >= 0.0 and u + v <= 1.0 and 1e-5 < t < nearest:
            best, nearest = index, float(t)
    return best, nearest
