"""Homes of the other distribution: complete homes that share no plan, texture, furniture or colour with training."""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from dataclasses import fields
from types import ModuleType
from typing import Any, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from images.embedded.cache import HomeCache
from images.embedded.environment import RIG, make_scene
from images.embedded.homebytes import home_digest
from images.embedded.homes import build_home, pictures, textures
from images.embedded.homes.draws import Draws
from images.embedded.homes.floorplan import Plan, Rect, bounds_of, walls_of
from images.embedded.homes.floorplan import draw_plan as draw_training_plan
from images.embedded.homes.furniture import bathroom, beds, decor, kitchen, lighting, screens, seating, storage, tables
from images.embedded.homes.materials import Materials
from images.embedded.homes.ood import floorplan
from images.embedded.homes.ood.build import build_ood_home, draft_ood_home
from images.embedded.homes.ood.materials import PREFIX
from images.embedded.homes.ood.style import OOD_STYLE
from images.embedded.homes.splits import SPLIT_SIZES, home_name, home_seed, is_ood
from images.embedded.homes.style import DEFAULT_STYLE, HomeStyle
from images.embedded.mesh import Home
from images.embedded.sampling import TierConstants, view_flaw

SEED = home_seed("ood-validation", 3)
INDICES = st.integers(0, SPLIT_SIZES["ood-test"] - 1)
FURNITURE = (bathroom, beds, decor, kitchen, lighting, screens, seating, storage, tables)
HELPERS = {"flat", "blend", "finish", "pixel_grid", "wave", "scaled"}
"""Arithmetic on layers, which paints nothing by itself."""


@functools.lru_cache(maxsize=1)
def home() -> Home:
    return build_home(SEED)


def plan_of(index: int, split: str = "ood-test") -> Plan:
    return floorplan.draw_plan(Draws(home_seed(split, index), "ood-home").child("plan"), OOD_STYLE)


def has_full_cut(cells: list[Rect]) -> bool:
    """Say whether a straight line from outer wall to outer wall passes between the rooms."""
    footprint = bounds_of(cells)
    for low, high in ((0, 2), (1, 3)):
        for at in {cell[low] for cell in cells} - {footprint[low]}:
            if not any(cell[low] + 1e-6 < at < cell[high] - 1e-6 for cell in cells):
                return True
    return False


def test_a_seed_of_the_other_splits_gives_a_home_of_the_other_distribution() -> None:
    assert home_digest(home()) == home_digest(build_ood_home(SEED))
    assert {split: is_ood(home_seed(split, 5)) for split in SPLIT_SIZES} == {
        "train": False, "validation": False, "test": False, "ood-validation": True, "ood-test": True,
    }  # fmt: skip
    assert "ood-train" not in SPLIT_SIZES


def test_the_cache_builds_a_home_by_its_name(tmp_path: Any) -> None:
    built: list[int] = []

    def build(seed: int) -> Home:
        built.append(seed)
        return home()

    cache = HomeCache(tmp_path, build=build)
    assert home_digest(cache.load(home_name("ood-test", 12))) == home_digest(home())
    assert built == [home_seed("ood-test", 12)]


@settings(max_examples=60, deadline=None)
@given(INDICES)
def test_no_straight_line_divides_a_plan_but_every_plan_of_training(index: int) -> None:
    assert not has_full_cut([room.cell for room in plan_of(index).rooms])
    training = draw_training_plan(Draws(home_seed("train", index), "home").child("plan"), DEFAULT_STYLE)
    assert has_full_cut([room.cell for room in training.rooms])


@settings(max_examples=40, deadline=None)
@given(INDICES)
def test_plans_are_whole_homes(index: int) -> None:
    plan = plan_of(index)
    kinds = Counter(room.kind for room in plan.rooms)
    assert 6 <= len(plan.rooms) <= 8
    assert kinds["living"] == kinds["bath"] == kinds["kitchen"] == 1 and kinds["bedroom"] >= 1
    footprint = bounds_of([room.cell for room in plan.rooms])
    covered = sum((x1 - x0) * (z1 - z0) for x0, z0, x1, z1 in (room.cell for room in plan.rooms))
    assert covered == pytest.approx(footprint[2] * footprint[3])
    reached = {0}
    for _ in plan.rooms:
        for passage in plan.passages:
            if {passage.first, passage.second} & reached:
                reached |= {passage.first, passage.second}
    assert reached == {room.id for room in plan.rooms}


@settings(max_examples=40, deadline=None)
@given(INDICES)
def test_doors_and_windows_have_sizes_that_training_does_not_know(index: int) -> None:
    def sizes(plan: Plan) -> set[tuple[str, float]]:
        openings = (o for room in plan.rooms for wall in walls_of(plan, room) for o in wall.openings)
        return {(o.kind, round(o.width, 3)) for o in openings}

    training = draw_training_plan(Draws(home_seed("train", index), "home").child("plan"), DEFAULT_STYLE)
    assert not sizes(plan_of(index)) & sizes(training)


def forbidden(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError(f"{name} is of the homes of training")

    return refuse


def own_functions(module: ModuleType) -> list[str]:
    found = inspect.getmembers(module, inspect.isfunction)
    return [name for name, function in found if function.__module__ == module.__name__ and name not in HELPERS]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_no_painter_and_no_furniture_of_training_is_used(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (textures, pictures, *FURNITURE):
        for name in own_functions(module):
            monkeypatch.setattr(module, name, forbidden(f"{module.__name__}.{name}"))
    _, draft, materials = draft_ood_home(home_seed("ood-validation", index))
    assert materials.names() and all(name.startswith(PREFIX) for name in materials.names())
    assert len(draft.objects) > 120


def test_textures_of_training_have_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []
    original = Materials.named

    def note(self: Materials, name: str, *arguments: Any, **options: Any) -> int:
        named.append(name)
        return original(self, name, *arguments, **options)

    monkeypatch.setattr(Materials, "named", note)
    build_home(home_seed("train", 3))
    assert len(named) > 40 and not any(name.startswith(PREFIX) for name in named)


@pytest.mark.parametrize("role", [field.name for field in fields(HomeStyle) if "Palette" in str(field.type)])
def test_no_colour_of_a_role_is_near_one_of_training(role: str) -> None:
    for colour in getattr(OOD_STYLE, role):
        nearest = min(sum((a - b) ** 2 for a, b in zip(colour, known)) ** 0.5 for known in getattr(DEFAULT_STYLE, role))
        assert nearest > 0.1, (role, colour)


def test_a_home_can_be_walked_and_offers_goals() -> None:
    scene = make_scene("ood", home())
    assert 30.0 < scene.navigator.area_m2 < 80.0
    categories = Counter(item.category for item in home().objects)
    assert categories["wall"] == 4 * len(home().rooms) and categories["beams"] == len(home().rooms)
    constants = TierConstants("ignav", "ood", "validation", 1.5, 3.0, 0.5)
    rng = Draws(1, "views")
    generator = rng._generator
    camera = RIG.camera("front")
    kept = 0
    for _ in range(30):
        position, heading = scene.navigator.sample(generator), rng.integer(16)
        kept += not view_flaw(scene.renderer.render(camera, position, 22.5 * heading, depth=True, ids=True), constants)
    assert kept >= 12  # homes of training keep two of three
