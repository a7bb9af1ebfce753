"""Floor plans of the other distribution: rooms set like the vanes of a pinwheel around a core without windows.

No straight cut from wall to wall divides a pinwheel, while every plan of training is made of such cuts, so that no
plan is of both kinds. Doors and windows have other sizes than any in training.
"""

from __future__ import annotations

from images.embedded.homes.draws import Draws
from images.embedded.homes.floorplan import (
    WALL,
    Passage,
    Plan,
    PlannedRoom,
    Rect,
    Window,
    area_of,
    bounds_of,
    shared_edge,
    snap,
    touches,
)
from images.embedded.homes.style import HomeStyle

DOOR_WIDTHS = (1.12, 1.16)
WIDE_WIDTHS = (1.95, 2.15)
"""Openings without a frame, in metres; taken where the shared wall is long enough."""
WINDOW_SIZES = ((0.7, 0.6, 2.3), (2.3, 1.3, 2.1), (2.5, 0.6, 2.3), (0.9, 0.7, 2.3))
"""Width, sill and head in metres: slots, bands under the ceiling, fronts of glass."""
_JAMB = WALL / 2.0 + 0.22
_CORE = 0


def draw_plan(draws: Draws, style: HomeStyle) -> Plan:
    """Draw a floor plan of 6 to 8 rooms; the first is the core."""
    cells = _pinwheel(draws, 6 + draws.integer(3))
    if draws.chance(0.5):
        width = bounds_of(cells)[2]
        cells = [(snap(width - x1), z0, snap(width - x0), z1) for x0, z0, x1, z1 in cells]
    rooms = _assign_kinds(draws, cells)
    return Plan(rooms, _join(draws, rooms, style), _windows(draws, rooms))


def _pinwheel(draws: Draws, wanted: int) -> list[Rect]:
    """Return the core and its four vanes, the largest vanes halved until there are ``wanted`` rooms."""
    west, core_x, east = (snap(draws.uniform(low, high)) for low, high in ((2.9, 3.5), (3.1, 4.0), (2.9, 3.5)))
    north, core_z, south = (snap(draws.uniform(low, high)) for low, high in ((2.9, 3.5), (3.1, 4.0), (2.9, 3.5)))
    x1, x2, x3 = west, snap(west + core_x), snap(west + core_x + east)
    z1, z2, z3 = north, snap(north + core_z), snap(north + core_z + south)
    vanes: list[Rect] = [(0.0, 0.0, x2, z1), (x2, 0.0, x3, z2), (x1, z2, x3, z3), (0.0, z1, x1, z3)]
    while len(vanes) + 1 < wanted:
        left, top, right, bottom = vanes.pop(max(range(len(vanes)), key=lambda k: area_of(vanes[k])))
        share = draws.uniform(0.42, 0.58)
        if right - left >= bottom - top:
            at = _off_line(snap(left + share * (right - left)), (x1, x2))
            vanes += [(left, top, at, bottom), (at, top, right, bottom)]
        else:
            at = _off_line(snap(top + share * (bottom - top)), (z1, z2))
            vanes += [(left, top, right, at), (left, at, right, bottom)]
    return [(x1, z1, x2, z2), *vanes]


def _off_line(at: float, core_walls: tuple[float, float]) -> float:
    """Move a cut that would go on in a wall of the core, which would cut through the whole pinwheel."""
    return snap(at + 0.3) if any(abs(at - wall) < 0.01 for wall in core_walls) else at


def _assign_kinds(draws: Draws, cells: list[Rect]) -> tuple[PlannedRoom, ...]:
    """The core is where one eats or arrives, the largest vane is the living room, the smallest the bath."""
    core = draws.pick(["dining", "hall"])
    by_area = sorted(range(1, len(cells)), key=lambda k: area_of(cells[k]))
    kinds = {_CORE: core, by_area[-1]: "living", by_area[0]: "bath"}
    extras = draws.shuffled(["study", "kids", "bedroom"])
    free = draws.shuffled([k for k in range(len(cells)) if k not in kinds])
    kinds.update(zip(free, ["kitchen", "bedroom", *extras]))
    return tuple(PlannedRoom(k, kinds[k], cell) for k, cell in enumerate(cells))


def _join(draws: Draws, rooms: tuple[PlannedRoom, ...], style: HomeStyle) -> tuple[Passage, ...]:
    """Doors from the core to its neighbours first, then what still has to be joined, then some more."""
    least = DOOR_WIDTHS[1] + 2.0 * _JAMB
    edges = []
    for a in rooms:
        for b in rooms[a.id + 1 :]:
            edge = shared_edge(a.cell, b.cell)
            if edge is not None and edge[2] - edge[1] >= least:
                edges.append((a, b, edge))
    edges = sorted(draws.shuffled(edges), key=lambda e: (("bath" in (e[0].kind, e[1].kind)), e[0].id != _CORE))
    group = list(range(len(rooms)))
    passages = []
    for a, b, (side, low, high) in edges:
        joins = group[a.id] != group[b.id]
        if joins or ("bath" not in (a.kind, b.kind) and draws.chance(style.extra_door_share)):
            passages.append(_passage(draws, a, b, side, low, high))
            old, new = group[b.id], group[a.id]
            group = [new if g == old else g for g in group]
    if len(set(group)) > 1:
        raise ValueError(f"the rooms of a plan are not joined: {[room.cell for room in rooms]}")
    return tuple(passages)


def _passage(draws: Draws, a: PlannedRoom, b: PlannedRoom, side: int, low: float, high: float) -> Passage:
    social = {"living", "dining", "kitchen", "hall"}
    width, kind = draws.pick(DOOR_WIDTHS), "door"
    if a.kind in social and b.kind in social and high - low >= WIDE_WIDTHS[1] + 2.0 * _JAMB and draws.chance(0.6):
        width, kind = draws.pick(WIDE_WIDTHS), "arch"
    margin = _JAMB + width / 2.0
    center = low + margin + draws.uniform(0.0, 1.0) * (high - low - 2.0 * margin)
    return Passage(a.id, b.id, side, min(max(snap(center), low + margin), high - margin), width, kind)


def _windows(draws: Draws, rooms: tuple[PlannedRoom, ...]) -> tuple[Window, ...]:
    """One or two windows an outer wall: slots come in pairs."""
    footprint = bounds_of([room.cell for room in rooms])
    windows = []
    for room in rooms:
        for side in (side for side in range(4) if touches(room.cell, footprint, side)):
            low, high = (room.inner[0], room.inner[2]) if side in (0, 2) else (room.inner[1], room.inner[3])
            fitting = [size for size in WINDOW_SIZES if size[0] <= high - low - 0.6]
            if not fitting or draws.chance(0.25):
                continue
            width, sill, head = draws.pick(fitting)
            if room.kind in ("bath", "kitchen"):
                sill, head = 1.3, 2.1
            middle = (low + high) / 2.0
            paired = width < 1.0 and high - low > 2.0 * width + 1.4
            for offset in (-width, width) if paired else (0.0,):
                windows.append(Window(room.id, side, snap(middle + offset), width, sill, head))
    return tuple(windows)
