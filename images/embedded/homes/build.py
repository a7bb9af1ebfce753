"""Build a home: plan, shell, furniture, wall things, then sort everything and bake the light."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

import numpy as np
import numpy.typing as npt

from images.embedded.homes.colours import colour_word
from images.embedded.homes.draft import Draft, Kit, Part
from images.embedded.homes.draws import Draws
from images.embedded.homes.floorplan import Plan, PlannedRoom, draw_plan, walls_of
from images.embedded.homes.materials import Materials
from images.embedded.homes.placement import FloorSpace
from images.embedded.homes.rooms import private, service, social
from images.embedded.homes.rooms.common import Setting, add_ceiling_lamps
from images.embedded.homes.rooms.walls import hang
from images.embedded.homes.shell import build_passage, build_shell, build_view
from images.embedded.homes.style import DEFAULT_STYLE, HomeStyle
from images.embedded.homes.surfaces import RoomSurfaces, SurfacePlanner
from images.embedded.light import LightScene, bake
from images.embedded.mesh import Home, HomeObject, Room

_RECIPES: dict[str, Callable[[Setting], None]] = {
    "living": social.living,
    "dining": social.dining,
    "kitchen": service.kitchen_room,
    "bath": service.bath,
    "hall": service.hall,
    "bedroom": private.bedroom,
    "kids": private.kids,
    "study": private.study,
}


def build_home(seed: int, style: HomeStyle = DEFAULT_STYLE) -> Home:
    """Build, furnish and light the home of a seed.

    The same seed gives the same bytes on every machine: all draws go through ``Draws`` and all arithmetic
    that reaches an array is exactly rounded (see ``harness.contracts.portable``).
    """
    draws = Draws(seed, "home")
    plan = draw_plan(draws.child("plan"), style)
    materials = Materials(draws.child("textures"), style)
    draft = Draft()
    planner = SurfacePlanner(draws.child("surfaces"), materials, style, plan)
    surfaces = [planner.for_room(room) for room in plan.rooms]
    for room in plan.rooms:
        kit = Kit(draft, materials, draws.child(f"room-{room.id}"), room.id)
        _furnish_room(kit, plan, room, surfaces[room.id])
    line_passages(draft, materials, draws, plan, surfaces)
    build_view(Kit(draft, materials, draws.child("view"), -1), plan)
    return assemble(seed, plan, draft, materials)


def _furnish_room(kit: Kit, plan: Plan, room: PlannedRoom, surfaces: RoomSurfaces) -> None:
    build_shell(kit, plan, room, surfaces)
    space = FloorSpace(room, list(walls_of(plan, room)), kit.draws.child("places"))
    setting = Setting(kit, space, surfaces)
    add_ceiling_lamps(setting)
    _RECIPES[room.kind](setting)
    hang(setting)


def line_passages(draft: Draft, materials: Materials, draws: Draws, plan: Plan, surfaces: list[RoomSurfaces]) -> None:
    """Build the linings once per passage, from the side of its first room."""
    for index, passage in enumerate(plan.passages):
        kit = Kit(draft, materials, draws.child(f"passage-{index}"), passage.first)
        wall = list(walls_of(plan, plan.rooms[passage.first]))[passage.side]
        look = surfaces[passage.first]
        opening = min(
            (o for o in wall.openings if o.kind == passage.kind and o.width == passage.width),
            key=lambda o: abs(o.center - _along_of(wall.frame.x, wall.frame.z, passage.side, passage.center)),
        )
        build_passage(kit, wall, opening, look.trim, look.sill, look.walls[passage.side])


def _along_of(x: float, z: float, side: int, center: float) -> float:
    return (center - x, z - center, x - center, center - z)[side]


def assemble(seed: int, plan: Plan, draft: Draft, materials: Materials) -> Home:
    """Sort the parts into the canonical order, bake the light and describe the objects."""
    parts = sorted((_compact(part) for part in draft.parts), key=lambda p: (p.object, p.texture, p.double_sided))
    counts = [len(p.positions) for p in parts]
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]])
    positions = np.concatenate([p.positions for p in parts]).astype(np.float32)
    normals = np.concatenate([p.normals for p in parts]).astype(np.float32)
    faces = np.concatenate([p.faces + o for p, o in zip(parts, offsets)]).astype(np.int32)
    textures, emissive = materials.stack(), materials.emissive()
    face_texture = _per_face(parts, [p.texture for p in parts]).astype(np.int32)
    double_sided = _per_face(parts, [int(p.double_sided) for p in parts]).astype(np.uint8)
    means = [_mean_colour(texture) for texture in textures]
    srgb = np.array(means, np.float64) / 255.0
    scene = LightScene(
        positions, normals, faces, face_texture, double_sided, srgb * srgb, emissive, *_light_tables(draft)
    )
    return Home(
        seed=seed,
        positions=positions,
        faces=faces,
        uvs=np.concatenate([p.uvs for p in parts]).astype(np.float32),
        light=bake(scene),
        face_texture=face_texture,
        face_object=_per_face(parts, [p.object for p in parts]).astype(np.int32),
        face_double_sided=double_sided,
        textures=textures,
        texture_emissive=emissive,
        objects=_describe(draft, parts, means),
        rooms=tuple(Room(room.id, room.kind, room.inner) for room in plan.rooms),
    )


def _compact(part: Part) -> Part:
    """Drop the vertices that no triangle uses (poles of lathed bodies), as a GLB would."""
    used = np.bincount(part.faces.ravel(), minlength=len(part.positions)) > 0
    if used.all():
        return part
    renumber = np.cumsum(used) - 1
    return replace(
        part, positions=part.positions[used], normals=part.normals[used], uvs=part.uvs[used], faces=renumber[part.faces]
    )


def _light_tables(draft: Draft) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lamps [L, 7] and sky portals [P, 15] as the bake reads them."""
    lamps = [(*lamp.position, *lamp.power, lamp.radius) for lamp in draft.lamps]
    portals = [(*p.center, *p.half_right, *p.half_up, *p.inward, *p.power) for p in draft.portals]
    return np.array(lamps, np.float64).reshape(-1, 7), np.array(portals, np.float64).reshape(-1, 15)


def _per_face(parts: list[Part], values: list[int]) -> npt.NDArray[np.int64]:
    return np.repeat(np.array(values, np.int64), [len(p.faces) for p in parts])


def _mean_colour(texture: npt.NDArray[np.uint8]) -> tuple[int, int, int]:
    """Integer mean of an image: exact, whatever the order of summation."""
    count = texture.shape[0] * texture.shape[1]
    red, green, blue = (int(texture[..., c].sum(dtype=np.int64)) // count for c in range(3))
    return red, green, blue


def _describe(draft: Draft, parts: list[Part], means: list[tuple[int, int, int]]) -> tuple[HomeObject, ...]:
    """Bounds of every object, and its colour: that of the texture with the most area."""
    boxes: dict[int, list[npt.NDArray[np.float32]]] = {}
    areas: dict[int, dict[int, float]] = {}
    for part in parts:
        low = part.positions.astype(np.float32)
        boxes.setdefault(part.object, []).append(np.concatenate([low.min(axis=0), low.max(axis=0)]))
        shares = areas.setdefault(part.object, {})
        shares[part.texture] = shares.get(part.texture, 0.0) + _area(part)
    objects = []
    for item in draft.objects:
        if item.id not in boxes:
            raise ValueError(f"object {item.id} ({item.category}) has no parts")
        table = np.stack(boxes[item.id])
        low, high = table[:, :3].min(axis=0), table[:, 3:].max(axis=0)
        bounds = (float(low[0]), float(low[1]), float(low[2]), float(high[0]), float(high[1]), float(high[2]))
        texture = max(areas[item.id], key=lambda t: (areas[item.id][t], -t))
        objects.append(HomeObject(item.id, item.category, colour_word(means[texture]), item.room, bounds))
    return tuple(objects)


def _area(part: Part) -> float:
    """Rough area of a part: that of its bounding box's faces, enough to find the main texture."""
    size = part.positions.max(axis=0) - part.positions.min(axis=0)
    return float(size[0] * size[1] + size[1] * size[2] + size[2] * size[0])
