"""Floor plans: a rectangular flat cut into rooms, joined by doors, lit by windows.

Two layouts give variety: rows of rooms (with or without a hallway between them) and recursive cuts. A
spanning tree of doors makes every room reachable; extra doors make loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional

from images.embedded.homes.draft import Frame
from images.embedded.homes.draws import Draws
from images.embedded.homes.style import HomeStyle

WALL = 0.12
"""Thickness of inner walls in metres."""
HEIGHT = 2.6
"""Floor to ceiling in metres."""
DOOR_WIDTH = 1.02
"""Width of a door opening; its lining leaves 0.96 m to walk through."""
DOOR_HEIGHT = 2.06

Rect = tuple[float, float, float, float]


@dataclass(frozen=True)
class PlannedRoom:
    """A room: ``cell`` reaches to the middle of its walls, ``inner`` to their faces (min_x, min_z, max_x, max_z)."""

    id: int
    kind: str
    cell: Rect

    @property
    def inner(self) -> Rect:
        """The rectangle between the wall faces."""
        half = WALL / 2.0
        x0, z0, x1, z1 = self.cell
        return x0 + half, z0 + half, x1 - half, z1 - half

    @property
    def area(self) -> float:
        """Floor area in square metres."""
        x0, z0, x1, z1 = self.inner
        return (x1 - x0) * (z1 - z0)


@dataclass(frozen=True)
class Passage:
    """An opening between two rooms: ``door`` with a frame, or a wide ``arch``.

    ``side`` is the wall of room ``first`` (0 to 3: the wall at min z, min x, max z, max x); ``center`` is the
    world coordinate along the wall.
    """

    first: int
    second: int
    side: int
    center: float
    width: float
    kind: str


@dataclass(frozen=True)
class Window:
    """A window in an outer wall; ``sill`` and ``head`` are heights in metres."""

    room: int
    side: int
    center: float
    width: float
    sill: float
    head: float


@dataclass(frozen=True)
class Plan:
    """Rooms, passages and windows of one home."""

    rooms: tuple[PlannedRoom, ...]
    passages: tuple[Passage, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class WallOpening:
    """A hole in a wall in the wall's own axes: ``kind`` is ``door``, ``arch`` or ``window``."""

    kind: str
    center: float
    width: float
    bottom: float
    top: float

    @property
    def left(self) -> float:
        """Left edge."""
        return self.center - self.width / 2.0

    @property
    def right(self) -> float:
        """Right edge."""
        return self.center + self.width / 2.0


@dataclass(frozen=True)
class Wall:
    """One wall of a room. Its frame stands at the middle of the wall on the floor and looks into the room."""

    room: int
    side: int
    length: float
    frame: Frame
    outer: bool
    openings: tuple[WallOpening, ...]


def walls_of(plan: Plan, room: PlannedRoom) -> Iterator[Wall]:
    """Yield the four walls of a room with their openings."""
    x0, z0, x1, z1 = room.inner
    middle_x, middle_z = (x0 + x1) / 2.0, (z0 + z1) / 2.0
    anchors = ((middle_x, z0, x1 - x0), (x0, middle_z, z1 - z0), (middle_x, z1, x1 - x0), (x1, middle_z, z1 - z0))
    footprint = bounds_of([other.cell for other in plan.rooms])
    for side, (x, z, length) in enumerate(anchors):
        openings = []
        for passage in plan.passages:
            if room.id in (passage.first, passage.second):
                own = passage.side if passage.first == room.id else (passage.side + 2) % 4
                if own == side:
                    along = _along(side, passage.center, middle_x, middle_z)
                    openings.append(WallOpening(passage.kind, along, passage.width, 0.0, DOOR_HEIGHT))
        for window in plan.windows:
            if window.room == room.id and window.side == side:
                along = _along(side, window.center, middle_x, middle_z)
                openings.append(WallOpening("window", along, window.width, window.sill, window.head))
        outer = touches(room.cell, footprint, side)
        yield Wall(room.id, side, length, Frame.facing(side, x, z), outer, tuple(openings))


def _along(side: int, world: float, middle_x: float, middle_z: float) -> float:
    return (world - middle_x, middle_z - world, middle_x - world, world - middle_z)[side]


def bounds_of(cells: list[Rect]) -> Rect:
    """Return the rectangle around all cells."""
    return min(c[0] for c in cells), min(c[1] for c in cells), max(c[2] for c in cells), max(c[3] for c in cells)


def touches(cell: Rect, footprint: Rect, side: int) -> bool:
    """Tell whether a side of a cell is an outer wall."""
    index = (1, 0, 3, 2)[side]
    return abs(cell[index] - footprint[index]) < 1e-6


def draw_plan(draws: Draws, style: HomeStyle) -> Plan:
    """Draw a floor plan of 5 to 8 rooms."""
    cells, hall = _rows(draws) if draws.chance(0.6) else _recursive(draws)
    if draws.chance(0.5):
        cells = [(z0, x0, z1, x1) for x0, z0, x1, z1 in cells]
    rooms = _assign_kinds(draws, cells, hall)
    passages = _join(draws, rooms, style)
    return Plan(rooms, passages, _windows(draws, rooms))


def snap(value: float) -> float:
    """Return the nearest multiple of 5 cm."""
    return round(value * 20.0) / 20.0


def _cut(draws: Draws, length: float, count: int, least: float) -> list[float]:
    """Cut positions 0 = p0 < ... < pn = length with steps of at least ``least`` metres."""
    weights = [draws.uniform(0.15, 1.0) for _ in range(count)]
    spare = length - count * least
    total = 0.0
    for weight in weights:  # not sum(): its rounding differs between Python versions
        total += weight
    positions = [0.0]
    for weight in weights:
        positions.append(positions[-1] + least + spare * weight / total)
    return [snap(p) for p in positions]


def _rows(draws: Draws) -> tuple[list[Rect], Optional[int]]:
    """Two rows of rooms, with a hallway between them in half of the homes."""
    upper, lower = draws.pick([(3, 3), (2, 3), (3, 2), (3, 4), (4, 3), (2, 4)])
    length = snap(draws.uniform(3.5, 4.0) * max(upper, lower))
    depths = (draws.uniform(3.7, 4.8), draws.uniform(3.7, 4.8))
    with_hall = upper + lower <= 6 and draws.chance(0.55)
    hall_depth = draws.uniform(1.5, 1.8) if with_hall else 0.0
    first, second = snap(depths[0]), snap(depths[0] + hall_depth)
    end = snap(depths[0] + hall_depth + depths[1])
    cells: list[Rect] = []
    for count, near, far in ((upper, 0.0, first), (lower, second, end)):
        cuts = _cut(draws, length, count, 2.45)
        cells += [(left, near, right, far) for left, right in zip(cuts, cuts[1:])]
    if not with_hall:
        return cells, None
    cells.append((0.0, first, length, second))
    return cells, len(cells) - 1


def _recursive(draws: Draws) -> tuple[list[Rect], Optional[int]]:
    """Cut the largest rectangle across its longer edge until there are enough rooms."""
    wanted = 5 + draws.integer(4)
    width = snap(draws.uniform(2.9, 3.3) * 3.0 + 0.35 * (wanted - 5))
    depth = snap(draws.uniform(7.4, 8.6) + 0.25 * (wanted - 5))
    cells: list[Rect] = [(0.0, 0.0, width, depth)]
    while len(cells) < wanted:
        index = max(range(len(cells)), key=lambda k: area_of(cells[k]))
        x0, z0, x1, z1 = cells.pop(index)
        across_x = x1 - x0 >= z1 - z0
        low, high = (x0, x1) if across_x else (z0, z1)
        at = snap(low + (high - low) * draws.uniform(0.4, 0.6))
        halves: list[Rect] = [(x0, z0, at, z1), (at, z0, x1, z1)] if across_x else [(x0, z0, x1, at), (x0, at, x1, z1)]
        cells += halves
    return cells, None


def area_of(cell: Rect) -> float:
    """Return the area of a cell in square metres."""
    return (cell[2] - cell[0]) * (cell[3] - cell[1])


def _assign_kinds(draws: Draws, cells: list[Rect], hall: Optional[int]) -> tuple[PlannedRoom, ...]:
    """Largest room: living; smallest: bath; the rest drawn, with a kitchen next to where one eats if possible."""
    free = [k for k in range(len(cells)) if k != hall]
    by_area = sorted(free, key=lambda k: area_of(cells[k]))
    fixed = {by_area[-1]: "living", by_area[0]: "bath"}
    if hall is not None:
        fixed[hall] = "hall"
    rest = [k for k in free if k not in fixed]
    extras = draws.shuffled(["dining", "study", "kids", "bedroom"])
    wanted = ["kitchen", "bedroom", *extras][: len(rest)]
    best: Optional[dict[int, str]] = None
    best_score = -1
    for _ in range(6):
        kinds = {**fixed, **dict(zip(rest, draws.shuffled(wanted)))}
        score = _kitchen_score(cells, kinds)
        if score > best_score:
            best, best_score = kinds, score
    assert best is not None
    return tuple(PlannedRoom(k, best[k], cells[k]) for k in range(len(cells)))


def _kitchen_score(cells: list[Rect], kinds: dict[int, str]) -> int:
    kitchen = next(k for k, kind in kinds.items() if kind == "kitchen")
    eating = [k for k, kind in kinds.items() if kind in ("living", "dining")]
    return sum(shared_edge(cells[kitchen], cells[k]) is not None for k in eating)


def shared_edge(a: Rect, b: Rect) -> Optional[tuple[int, float, float]]:
    """Return (side of a, start, end) of the wall that two cells share, if a door fits in it."""
    ranges = {0: (0, 2), 1: (1, 3), 2: (0, 2), 3: (1, 3)}
    touching = {0: (1, 3), 1: (0, 2), 2: (3, 1), 3: (2, 0)}
    for side, (own, other) in touching.items():
        if abs(a[own] - b[other]) < 1e-6:
            low_index, high_index = ranges[side]
            low, high = max(a[low_index], b[low_index]), min(a[high_index], b[high_index])
            if high - low >= DOOR_WIDTH + 0.5:
                return side, low, high
    return None


def _join(draws: Draws, rooms: tuple[PlannedRoom, ...], style: HomeStyle) -> tuple[Passage, ...]:
    """Doors along a random spanning tree, then some more. Baths are leaves wherever possible."""
    edges = []
    for a in rooms:
        for b in rooms[a.id + 1 :]:
            if shared_edge(a.cell, b.cell) is not None:
                edges.append((a, b))
    edges = sorted(draws.shuffled(edges), key=lambda e: _door_rank(e[0].kind, e[1].kind))
    group = list(range(len(rooms)))
    passages = []
    for a, b in edges:
        joins = group[a.id] != group[b.id]
        private = "bath" in (a.kind, b.kind)
        if joins or (not private and draws.chance(style.extra_door_share)):
            passages.append(_passage(draws, a, b))
            old, new = group[b.id], group[a.id]
            group = [new if g == old else g for g in group]
    return tuple(passages)


def _door_rank(first: str, second: str) -> int:
    if "bath" in (first, second):
        return 2
    return 0 if "hall" in (first, second) else 1


def _passage(draws: Draws, a: PlannedRoom, b: PlannedRoom) -> Passage:
    edge = shared_edge(a.cell, b.cell)
    assert edge is not None
    side, low, high = edge
    open_plan = {"living", "dining", "kitchen", "hall"}
    width, kind = DOOR_WIDTH, "door"
    if a.kind in open_plan and b.kind in open_plan and high - low > 2.4 and draws.chance(0.45):
        width, kind = snap(draws.uniform(1.3, 1.8)), "arch"
    margin = WALL / 2.0 + 0.22 + width / 2.0
    center = draws.pick([low + margin, (low + high) / 2.0, high - margin])
    return Passage(a.id, b.id, side, snap(min(max(center, low + margin), high - margin)), width, kind)


def _windows(draws: Draws, rooms: tuple[PlannedRoom, ...]) -> tuple[Window, ...]:
    footprint = bounds_of([room.cell for room in rooms])
    windows = []
    for room in rooms:
        sides = [side for side in draws.shuffled(range(4)) if touches(room.cell, footprint, side)]
        for rank, side in enumerate(sides):
            low, high = (room.inner[0], room.inner[2]) if side in (0, 2) else (room.inner[1], room.inner[3])
            if rank > 0 and (room.kind == "bath" or not draws.chance(0.55)):
                continue
            if high - low < 1.3:
                continue
            windows.append(_window(draws, room, side, low, high))
    return tuple(windows)


def _window(draws: Draws, room: PlannedRoom, side: int, low: float, high: float) -> Window:
    if room.kind == "bath":
        width, sill, head = 0.8, 1.35, 2.1
    elif room.kind == "kitchen":
        width, sill, head = draws.pick([1.0, 1.3]), 1.1, 2.15
    elif room.kind == "living" and draws.chance(0.4):
        width, sill, head = draws.pick([1.6, 2.0]), 0.35, 2.2
    else:
        width, sill, head = draws.pick([1.1, 1.4, 1.7]), 0.85, 2.15
    width = min(width, high - low - 0.5)
    slack = (high - low - width) / 2.0 - 0.25
    center = (low + high) / 2.0 + draws.uniform(-slack, slack) * 0.6
    return Window(room.id, side, snap(center), width, sill, head)
