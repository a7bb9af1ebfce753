"""Build a home of the other distribution. The shell's carpentry and the light bake are those of all homes."""

from __future__ import annotations

from dataclasses import replace

from images.embedded.homes.build import assemble, line_passages
from images.embedded.homes.draft import Draft, Kit
from images.embedded.homes.draws import Draws
from images.embedded.homes.floorplan import HEIGHT, Plan, PlannedRoom, walls_of
from images.embedded.homes.ood.floorplan import draw_plan
from images.embedded.homes.ood.materials import OodMaterials
from images.embedded.homes.ood.rooms import OodRoom, middle_of
from images.embedded.homes.ood.style import OOD_STYLE, SUNSETS
from images.embedded.homes.ood.surfaces import OodSurfaces
from images.embedded.homes.ood.walls import hang
from images.embedded.homes.placement import FloorSpace
from images.embedded.homes.shapes import box
from images.embedded.homes.shell import build_shell, build_view
from images.embedded.homes.surfaces import RoomSurfaces
from images.embedded.mesh import Home

BEAM_DROP = 0.16
"""How far the beams hang below the ceiling in metres."""


def build_ood_home(seed: int) -> Home:
    """Build, furnish and light the home of a seed of the other distribution, equal to the byte on every machine."""
    plan, draft, materials = draft_ood_home(seed)
    return assemble(seed, plan, draft, materials)


def draft_ood_home(seed: int) -> tuple[Plan, Draft, OodMaterials]:
    """Return plan, parts and materials of the home of a seed, before its light is baked."""
    draws = Draws(seed, "ood-home")
    plan = draw_plan(draws.child("plan"), OOD_STYLE)
    materials = OodMaterials(draws.child("textures"), OOD_STYLE)
    draft = Draft()
    planner = OodSurfaces(draws.child("surfaces"), materials, OOD_STYLE)
    surfaces = [planner.for_room(room) for room in plan.rooms]
    for room in plan.rooms:
        _furnish(Kit(draft, materials, draws.child(f"room-{room.id}"), room.id), plan, room, surfaces[room.id])
    line_passages(draft, materials, draws, plan, surfaces)
    build_view(Kit(draft, materials, draws.child("view"), -1), plan)
    sunset = draws.child("sky").pick(SUNSETS)
    draft.portals = [replace(portal, power=sunset) for portal in draft.portals]
    return plan, draft, materials


def _furnish(kit: Kit, plan: Plan, room: PlannedRoom, surfaces: RoomSurfaces) -> None:
    build_shell(kit, plan, room, surfaces)
    _beams(kit, room)
    space = FloorSpace(room, list(walls_of(plan, room)), kit.draws.child("places"))
    OodRoom(kit, space).furnish()
    hang(kit, space)


def _beams(kit: Kit, room: PlannedRoom) -> None:
    """Lay beams under the ceiling, across the shorter side of the room."""
    x0, z0, x1, z1 = room.inner
    piece = kit.piece("beams", middle_of(room))
    along_x = x1 - x0 <= z1 - z0
    span, run = (x1 - x0, z1 - z0) if along_x else (z1 - z0, x1 - x0)
    count = max(2, int(run / 1.1))
    for k in range(count):
        offset = run * ((k + 0.5) / count - 0.5)
        size = (span, BEAM_DROP, 0.14) if along_x else (0.14, BEAM_DROP, span)
        x, z = (0.0, offset) if along_x else (offset, 0.0)
        piece.add(box(size, 0.6, ("top",)), kit.materials.wood(1), x, HEIGHT - BEAM_DROP / 2.0, z)
