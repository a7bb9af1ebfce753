"""The shell of a home: floors, ceilings, walls, skirting, door linings, windows and the view outside."""

from __future__ import annotations

import math

from images.embedded.homes.draft import Frame, Kit, Piece, SkyPortal
from images.embedded.homes.floorplan import HEIGHT, WALL, Plan, PlannedRoom, Wall, WallOpening, walls_of
from images.embedded.homes.materials import Material
from images.embedded.homes.shapes import box, cloth, cylinder, mat, panel, picture
from images.embedded.homes.surfaces import RoomSurfaces

FLOOR_STEP = 0.35
WALL_STEP = 0.45
OUTER_REVEAL = 0.22
"""Depth of the window niche in metres."""
DAYLIGHT = (3.4, 3.8, 4.3)
"""Radiance of the sky in the units of the baked light."""
CURTAIN_DISTANCE = 0.12
"""From the wall to the middle of a curtain in metres: clear of the sill."""
LINING = 0.03
CASING = 0.07


def grid_lines(low: float, high: float, step: float, fixed: list[float]) -> list[float]:
    """Return increasing lines from ``low`` to ``high`` through all ``fixed`` ones, at most ``step`` apart."""
    stops = sorted({low, high, *fixed})
    lines = [stops[0]]
    for start, end in zip(stops, stops[1:]):
        count = max(1, math.ceil((end - start) / step - 1e-9))
        lines += [start + (end - start) * k / count for k in range(1, count + 1)]
    return lines


def build_shell(kit: Kit, plan: Plan, room: PlannedRoom, surfaces: RoomSurfaces) -> None:
    """Build floor, ceiling and the four walls of a room with everything fixed to them."""
    x0, z0, x1, z1 = room.inner
    center = Frame.facing(0, (x0 + x1) / 2.0, (z0 + z1) / 2.0)
    size = (x1 - x0, 0.02, z1 - z0)
    sides = ("front", "back", "left", "right")
    floor = kit.piece("floor", center)
    floor.add(box(size, FLOOR_STEP, (*sides, "bottom")), surfaces.floor, y=-0.01)
    ceiling = kit.piece("ceiling", center)
    ceiling.add(box(size, FLOOR_STEP * 1.5, (*sides, "top")), surfaces.ceiling, y=HEIGHT + 0.01)
    skirting = kit.piece("skirting_board", center)
    for wall in walls_of(plan, room):
        _wall(kit, wall, surfaces.walls[wall.side])
        _skirting(kit, skirting, wall, surfaces.trim)
        for opening in wall.openings:
            if opening.kind == "window":
                _window(kit, wall, opening, surfaces)


def _wall(kit: Kit, wall: Wall, material: Material) -> None:
    piece = kit.piece("wall", wall.frame)
    half = wall.length / 2.0
    holes = [(o.left, o.bottom, o.right, o.top) for o in wall.openings]
    xs = grid_lines(-half, half, WALL_STEP, [x for o in wall.openings for x in (o.left, o.right)])
    ys = grid_lines(0.0, HEIGHT, WALL_STEP, [y for o in wall.openings for y in (o.bottom, o.top)])
    piece.add(panel(xs, ys, holes), material)


def _skirting(kit: Kit, piece: Piece, wall: Wall, material: Material) -> None:
    edges = [-wall.length / 2.0]
    for opening in sorted(wall.openings, key=lambda o: o.center):
        if opening.kind != "window":
            gap = CASING if opening.kind == "door" else 0.0
            edges += [opening.left - gap, opening.right + gap]
    edges.append(wall.length / 2.0)
    height, thickness = 0.085, 0.014
    frame, piece.frame = piece.frame, wall.frame
    for left, right in zip(edges[::2], edges[1::2]):
        if right - left > 0.03:
            board = box((right - left, height, thickness), 0.7, ("back", "bottom"))
            piece.add(board, material, (left + right) / 2.0, height / 2.0, thickness / 2.0)
    piece.frame = frame


def build_passage(kit: Kit, wall: Wall, opening: WallOpening, trim: Material, sill: Material, wide: Material) -> None:
    """Line a door or arch; the wall is 0.12 m thick and reaches from z = 0 to z = -0.12 in the wall's frame."""
    framed = opening.kind == "door"
    piece = kit.piece("door_frame" if framed else "archway", wall.frame)
    lining = LINING if framed else 0.012
    material = trim if framed else wide
    middle = -WALL / 2.0
    height = opening.top - opening.bottom
    depth = WALL + (0.02 if framed else 0.004)
    for sign in (-1.0, 1.0):
        x = opening.center + sign * (opening.width / 2.0 - lining / 2.0)
        piece.add(box((lining, height, depth), 0.5, ("bottom", "top")), material, x, height / 2.0, middle)
    head = box((opening.width - 2.0 * lining, lining, depth), 0.5, ("left", "right"))
    piece.add(head, material, opening.center, opening.top - lining / 2.0, middle)
    piece.add(mat(opening.width, WALL), sill, opening.center, 0.004, middle)
    if not framed:
        return
    for z in (0.008, -WALL - 0.008):
        for sign in (-1.0, 1.0):
            x = opening.center + sign * (opening.width / 2.0 + CASING / 2.0 - 0.012)
            piece.add(box((CASING, height + CASING, 0.018), 0.6, ("bottom",)), trim, x, (height + CASING) / 2.0, z)
        board = box((opening.width - 0.024, CASING, 0.018), 0.6, ("left", "right"))
        piece.add(board, trim, opening.center, opening.top + CASING / 2.0 - 0.006, z)


def _window(kit: Kit, wall: Wall, opening: WallOpening, surfaces: RoomSurfaces) -> None:
    piece = kit.piece("window", wall.frame)
    width, height = opening.width, opening.top - opening.bottom
    x, y = opening.center, (opening.bottom + opening.top) / 2.0
    reveal, thickness = OUTER_REVEAL, 0.02
    for sign in (-1.0, 1.0):
        side = box(
            (thickness, height, reveal), 0.5, ("front", "back", "top", "bottom", "left" if sign < 0 else "right")
        )
        piece.add(side, surfaces.trim, x + sign * (width + thickness) / 2.0, y, -reveal / 2.0)
    lid = box((width, thickness, reveal), 0.5, ("front", "back", "left", "right", "top"))
    piece.add(lid, surfaces.trim, x, opening.top + thickness / 2.0, -reveal / 2.0)
    sill = box((width + 0.08, 0.03, reveal + 0.07), 0.5, ("back",))
    piece.add(sill, surfaces.sill, x, opening.bottom - 0.012, -reveal / 2.0 + 0.035)
    _sash(piece, surfaces.trim, x, y, width, height, -reveal + 0.04)
    frame = wall.frame
    half_right = (frame.cosine * width / 2.0, 0.0, -frame.sine * width / 2.0)
    inward = (frame.sine, 0.0, frame.cosine)
    center = frame.point(x, y, -0.03)
    kit.draft.portals.append(SkyPortal(center, half_right, (0.0, height / 2.0, 0.0), inward, DAYLIGHT))


def _sash(piece: Piece, trim: Material, x: float, y: float, width: float, height: float, z: float) -> None:
    bar = 0.055
    for sign in (-1.0, 1.0):
        piece.add(box((bar, height, bar)), trim, x + sign * (width - bar) / 2.0, y, z)
        piece.add(box((width, bar, bar)), trim, x, y + sign * (height - bar) / 2.0, z)
    if width > 0.9:
        piece.add(box((bar * 0.8, height, bar * 0.8)), trim, x, y, z)
    if height > 1.2:
        piece.add(box((width, bar * 0.6, bar * 0.6)), trim, x, y + height * 0.18, z)


def build_curtains(kit: Kit, wall: Wall, opening: WallOpening, material: Material, bottom: float) -> None:
    """Hang two curtains on a rod in front of a window, clear of its sill; ``bottom`` is the height of their hem."""
    piece = kit.piece("curtain", wall.frame)
    span = min(opening.width + 0.5, 2.0 * (wall.length / 2.0 - abs(opening.center)) - 0.06)
    top = min(opening.top + 0.16, HEIGHT - 0.08)
    rod = cylinder(0.012, span, 6).lying_along_x()
    piece.add(rod, kit.materials.dark(), opening.center - span / 2.0, top, CURTAIN_DISTANCE)
    width = (span - opening.width) / 2.0 + 0.22 * opening.width
    for sign in (-1.0, 1.0):
        sheet = cloth(width, top - bottom, max(3, round(width / 0.12)), 0.035)
        piece.add(sheet, material, opening.center + sign * (span - width) / 2.0, top, CURTAIN_DISTANCE)


def build_view(kit: Kit, plan: Plan) -> None:
    """Put the view 5 m outside of each outer wall, so that it shifts behind the windows as one walks."""
    x0 = min(room.cell[0] for room in plan.rooms)
    z0 = min(room.cell[1] for room in plan.rooms)
    x1 = max(room.cell[2] for room in plan.rooms)
    z1 = max(room.cell[3] for room in plan.rooms)
    far = 5.0
    places = (
        (0, (x0 + x1) / 2.0, z0 - far, x1 - x0),
        (1, x0 - far, (z0 + z1) / 2.0, z1 - z0),
        (2, (x0 + x1) / 2.0, z1 + far, x1 - x0),
        (3, x1 + far, (z0 + z1) / 2.0, z1 - z0),
    )
    for side, x, z, length in places:
        piece = kit.piece("outdoors", Frame.facing(side, x, z))
        piece.add(picture(length + 2.0 * far, 11.0), kit.materials.outdoors(side), y=2.6)
