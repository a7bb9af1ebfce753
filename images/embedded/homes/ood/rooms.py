"""How the rooms of the other distribution are furnished: a recipe a kind of room."""

from __future__ import annotations

from typing import Callable

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.floorplan import PlannedRoom
from images.embedded.homes.ood.furniture import resting, small, storing, wet
from images.embedded.homes.placement import FloorSpace, Spot


def middle_of(room: PlannedRoom) -> Frame:
    """Return the frame at the middle of a room's floor."""
    x0, z0, x1, z1 = room.inner
    return Frame.facing(0, (x0 + x1) / 2.0, (z0 + z1) / 2.0)


class OodRoom:
    """A room that is being furnished: its kit and its free floor."""

    def __init__(self, kit: Kit, space: FloorSpace) -> None:
        self.kit = kit
        self.space = space
        self.draws = kit.draws
        x0, z0, x1, z1 = space.room.inner
        self.width, self.depth = x1 - x0, z1 - z0
        self.center = middle_of(space.room)

    def furnish(self) -> None:
        """Light the room, lay its rug and put everything in by the recipe of its kind."""
        power = small.CEILING_POWER * min(1.5, max(0.6, self.space.room.area / 14.0))
        small.tube_lamp(self.kit, self.center, power, self.width >= self.depth)
        _RECIPES[self.space.room.kind](self)

    def rug(self, width: float, depth: float, index: int) -> None:
        """Lay a rug in the middle, no larger than the room."""
        small.rug(self.kit, self.center, min(width, self.width - 0.5), min(depth, self.depth - 0.5), index)

    def rack(self, tall: bool = True) -> None:
        """Put a post rack against a wall."""
        width, height = self.draws.uniform(0.8, 1.2), self.draws.pick([1.65, 1.9]) if tall else 0.95
        spot = self.space.against_wall(width, 0.38, height)
        if spot is not None:
            storing.post_rack(self.kit, spot.frame, width, height)

    def lockers(self) -> None:
        """Put lockers against a wall, as many as fit."""
        for width in (1.68, 1.26, 0.84):
            spot = self.space.against_wall(width, 0.5, 1.8, front=0.6)
            if spot is not None:
                storing.lockers(self.kit, spot.frame, width, 1.75)
                return

    def chest(self, category: str) -> None:
        """Put a slatted chest against a wall."""
        width, height = self.draws.uniform(1.0, 1.5), self.draws.uniform(0.65, 1.0)
        spot = self.space.against_wall(width, 0.44, height)
        if spot is not None:
            storing.slatted_chest(self.kit, spot.frame, category, width, height)

    def rail(self) -> None:
        """Put a clothes rail against a wall."""
        spot = self.space.against_wall(1.3, 0.55, 1.75)
        if spot is not None:
            storing.clothes_rail(self.kit, spot.frame, 1.25)

    def seat(self) -> None:
        """Put a tub chair or a beanbag somewhere at a wall."""
        spot = self.space.against_wall(0.86, 0.86, 0.8, front=0.4, corner=self.draws.chance(0.5))
        if spot is None:
            return
        if self.draws.chance(0.5):
            resting.beanbag(self.kit, spot.frame)
        else:
            resting.tub_chair(self.kit, spot.frame, self.kit.materials.fabric(self.draws.integer(7)))

    def greenery(self) -> None:
        """Put a tree or a cactus in a corner."""
        spot = self.space.against_wall(0.7, 0.7, 1.2, front=0.0, corner=self.draws.chance(0.7))
        if spot is None:
            return
        frame, kind = spot.frame.moved(0.0, 0.0, 0.35), self.draws.integer(3)
        if kind == 0:
            small.round_tree(self.kit, frame, self.draws.uniform(1.1, 1.5))
        elif kind == 1:
            small.banana_plant(self.kit, frame, self.draws.uniform(1.0, 1.5))
        else:
            small.cactus(self.kit, frame, self.draws.uniform(0.9, 1.3))

    def arc_lamp(self) -> None:
        """Put an arc lamp in a corner."""
        spot = self.space.against_wall(0.4, 0.4, 1.8, front=0.0, corner=True)
        if spot is not None:
            small.arc_lamp(self.kit, spot.frame.moved(0.0, 0.0, 0.2))

    def stove(self) -> None:
        """Put a stove against a wall."""
        spot = self.space.against_wall(0.95, 0.52, 2.5, front=0.6)
        if spot is not None:
            small.stove(self.kit, spot.frame)

    def round_group(self, radius: float, seats: int) -> bool:
        """Put a round table with hoop chairs or stools in the room."""
        reach = 2.0 * (radius + 0.28)
        spot = self.space.island(reach, reach, storing.TABLE_HEIGHT)
        if spot is None:
            return False
        storing.trumpet_table(self.kit, spot.frame, radius)
        small.small_thing(self.kit, spot.frame.moved(0.0, storing.TABLE_HEIGHT, 0.0), 0.34)
        stools = self.draws.chance(0.35)
        cloth = self.kit.materials.fabric(self.draws.integer(7))
        for k in range(seats):
            around = spot.frame.turned(k * 6.28318 / seats)
            place = around.moved(0.0, 0.0, radius + 0.06).opposite()
            if stools:
                resting.drum_stool(self.kit, place, 0.46, self.kit.materials.lacquer(k))
            else:
                resting.hoop_chair(self.kit, place, self.kit.materials.metal(), cloth)
        return True


def _living(room: OodRoom) -> None:
    room.rug(2.6, 2.2, 0)
    for width in (room.draws.uniform(2.4, 2.7), 1.9):
        spot = room.space.against_wall(width, 0.97, 0.65, front=0.9, opposite=1.2)
        if spot is not None:
            _sofa_group(room, spot, width)
            break
    room.stove()
    room.seat()
    room.rack()
    room.chest("sideboard")
    room.seat()
    room.arc_lamp()
    room.greenery()
    room.greenery()


def _sofa_group(room: OodRoom, spot: Spot, width: float) -> None:
    kit = room.kit
    cloth, bolster = kit.materials.fabric(room.draws.integer(3)), kit.materials.fabric(3 + room.draws.integer(4))
    resting.daybed(kit, spot.frame, width, cloth, bolster)
    if room.space.take_in_front(spot, 0.0, 0.8, 0.8, 1.3, 0.4):
        frame = spot.frame.moved(0.0, 0.0, 1.7)
        storing.drum_table(kit, frame, 0.38)
        small.small_thing(kit, frame.moved(0.0, 0.4, 0.0), 0.26)
    screen = room.space.at_wall((spot.side + 2) % 4, -spot.along, 1.15, 0.44, 1.0)
    screen = screen or room.space.against_wall(1.15, 0.44, 1.0, front=0.8)
    if screen is not None:
        storing.screen_wall(kit, screen.frame, 1.1)


def _dining(room: OodRoom) -> None:
    room.rug(2.3, 2.3, 1)
    for radius, seats in ((0.72, 5), (0.6, 4), (0.45, 3)):
        if room.round_group(radius, seats):
            break
    room.chest("sideboard")
    room.rack()
    room.lockers()
    room.greenery()
    room.arc_lamp()
    room.greenery()


def _kitchen(room: OodRoom) -> None:
    for units in (4, 3):
        width = units * wet.UNIT
        spot = room.space.against_wall(width + 0.04, wet.DEPTH + 0.04, wet.TOP, front=0.8)
        if spot is not None:
            wet.plinth(room.kit, spot.frame, units, 0, units - 2)
            left, right = spot.along - width / 2.0, spot.along + width / 2.0
            if room.space.free_wall_openings(spot.side, left, right):
                wet.open_shelves(room.kit, spot.frame.moved(0.0, 0.0, -0.012), width * 0.8)
                room.space.block_wall(spot.side, left, right, 0.3)
            break
    fridge = room.space.against_wall(0.72, 0.7, 1.65, front=0.6, corner=True)
    if fridge is not None:
        wet.round_fridge(room.kit, fridge.frame)
    room.lockers()
    if not room.round_group(0.5, 4):
        room.round_group(0.38, 2)
    room.rack(tall=False)
    room.greenery()


def _bath(room: OodRoom) -> None:
    kit, space = room.kit, room.space
    tub = space.against_wall(1.22, 1.22, 0.75, front=0.2, corner=True)
    if tub is not None:
        wet.standing_tub(kit, tub.frame)
    basin = space.against_wall(0.72, 0.62, 1.9, front=0.4)
    if basin is not None:
        wet.pillar_basin(kit, basin.frame)
    toilet = space.against_wall(0.5, 0.7, 1.0, front=0.3)
    if toilet is not None:
        wet.cube_toilet(kit, toilet.frame)
    machine = space.against_wall(0.58, 0.58, 0.92, front=0.4)
    if machine is not None:
        wet.hatch(kit, machine.frame)
    ladder = space.against_wall(0.6, 0.3, 1.65, front=0.2)
    if ladder is not None:
        wet.towel_ladder(kit, ladder.frame)
    heater = space.against_wall(0.84, 0.2, 0.75, front=0.1)
    if heater is not None:
        wet.radiator(kit, heater.frame, 0.8)
    room.rug(0.9, 0.9, 4)


def _bedroom(room: OodRoom) -> None:
    room.rug(2.4, 1.8, 2)
    canopy = room.draws.chance(0.55)
    for width in (1.7, 1.45, 1.1):
        spot = room.space.against_wall(width + 0.1, 2.12, 1.98 if canopy else 0.5, front=0.4)
        if spot is None:
            continue
        cover = room.kit.materials.fabric(room.draws.integer(7))
        (resting.four_poster if canopy else resting.futon)(room.kit, spot.frame, width, cover)
        for sign in (-1.0, 1.0):
            side = room.space.at_wall(spot.side, spot.along + sign * (width / 2.0 + 0.36), 0.46, 0.46, 0.7)
            if side is not None:
                storing.cube(room.kit, side.frame, 0.42)
        break
    room.rail()
    room.chest("dresser")
    room.seat()
    room.lockers()
    room.greenery()
    room.arc_lamp()


def _kids(room: OodRoom) -> None:
    room.rug(1.8, 1.8, 3)
    spot = room.space.against_wall(2.06, 1.0, 1.8, front=0.4)
    if spot is not None:
        resting.bunk(room.kit, spot.frame, 2.02)
    _desk_place(room, 1.2)
    room.rack(tall=False)
    room.lockers()
    room.seat()
    for _ in range(3):
        place = room.space.against_wall(0.44, 0.44, 0.45, front=0.0)
        if place is not None:
            small.toy(room.kit, place.frame.moved(0.0, 0.0, 0.22))
    room.greenery()


def _desk_place(room: OodRoom, width: float) -> None:
    spot = room.space.against_wall(width, 0.72, 0.8, front=0.75)
    if spot is None:
        return
    storing.trestle_desk(room.kit, spot.frame, width, 0.7)
    if room.space.take_in_front(spot, 0.1, 0.46, 0.46, 0.78, 0.5):
        resting.drum_stool(room.kit, spot.frame.moved(0.1, 0.0, 1.01), 0.5, room.kit.materials.fabric(2))


def _study(room: OodRoom) -> None:
    room.rug(1.9, 1.5, 3)
    _desk_place(room, room.draws.uniform(1.5, 1.8))
    room.rack()
    room.rack()
    room.lockers()
    room.seat()
    room.chest("cabinet")
    room.arc_lamp()
    room.greenery()


def _hall(room: OodRoom) -> None:
    room.rug(2.0, 2.0, 3)
    room.rail()
    room.chest("console")
    room.greenery()
    room.greenery()
    room.seat()
    room.rack(tall=False)
    room.arc_lamp()


_RECIPES: dict[str, Callable[[OodRoom], None]] = {
    "living": _living,
    "dining": _dining,
    "kitchen": _kitchen,
    "bath": _bath,
    "hall": _hall,
    "bedroom": _bedroom,
    "kids": _kids,
    "study": _study,
}
