"""Which materials a room's floor, walls, ceiling and trim are made of.

Floors and walls differ between rooms of a home, so that a person (or a score) can tell rooms apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from images.embedded.homes import textures
from images.embedded.homes.draws import Draws
from images.embedded.homes.floorplan import Plan, PlannedRoom
from images.embedded.homes.materials import Material, Materials
from images.embedded.homes.style import Colour, HomeStyle


@dataclass(frozen=True)
class RoomSurfaces:
    """Materials of a room's shell; ``walls`` in the order of the wall sides."""

    floor: Material
    ceiling: Material
    walls: tuple[Material, Material, Material, Material]
    trim: Material
    sill: Material


class SurfacePlanner:
    """Deals floors and wall colours to the rooms of one home without repeating a colour."""

    def __init__(self, draws: Draws, materials: Materials, style: HomeStyle, plan: Plan) -> None:
        self._draws = draws
        self._materials = materials
        self._style = style
        self._wall_colours = draws.shuffled(style.walls)
        self._tile_colours = draws.shuffled(style.tiles)
        self._floor_woods = draws.shuffled(style.woods)
        white = ((0.93, 0.92, 0.90), (0.88, 0.86, 0.80), (0.80, 0.82, 0.82))
        painted = draws.chance(0.7)
        self.trim = materials.of_colour("trim", draws.pick(white)) if painted else materials.wood(0, 0.55)
        self.sill = materials.of_colour("trim", white[0]) if painted else materials.wood(0, 0.55)
        self._living_floor = f"planks-{draws.integer(2)}"

    def for_room(self, room: PlannedRoom) -> RoomSurfaces:
        """Return the materials of one room."""
        draws = self._draws.child(f"surfaces-{room.id}")
        ceiling = Material(self._materials.named("ceiling", lambda d: textures.plaster(d, (0.95, 0.95, 0.94))), 2.0)
        wall = self._wall(draws, room)
        walls = [wall, wall, wall, wall]
        if room.kind in ("living", "dining", "bedroom", "study") and draws.chance(self._style.accent_wall_share):
            walls[draws.integer(4)] = self._accent(draws, room)
        return RoomSurfaces(
            self._floor(draws, room), ceiling, (walls[0], walls[1], walls[2], walls[3]), self.trim, self.sill
        )

    def _wall(self, draws: Draws, room: PlannedRoom) -> Material:
        colour = self._wall_colours[room.id % len(self._wall_colours)]
        if room.kind == "bath":
            return self._bath_wall(draws)
        if room.kind == "kitchen" and draws.chance(0.35):
            white: Colour = (0.90, 0.90, 0.88)
            grout: Colour = (0.66, 0.66, 0.64)
            return Material(
                self._materials.named("kitchen-tiles", lambda d: textures.subway_tiles(d, white, grout)), 1.0
            )
        if room.kind in ("bedroom", "kids", "hall", "dining") and draws.chance(0.45):
            motif = textures.scaled(colour, draws.pick([0.8, 0.86, 1.12]))
            name = f"wallpaper-{room.id}"
            return Material(self._materials.named(name, lambda d: textures.wallpaper(d, colour, motif)), 1.1)
        return Material(self._materials.named(f"plaster-{room.id}", lambda d: textures.plaster(d, colour)), 1.6)

    def _bath_wall(self, draws: Draws) -> Material:
        colour = draws.pick([(0.90, 0.92, 0.93), (0.62, 0.76, 0.80), (0.86, 0.82, 0.74), (0.68, 0.78, 0.70)])
        grout: Colour = (0.74, 0.74, 0.72)
        if draws.chance(0.5):
            return Material(self._materials.named("bath-wall", lambda d: textures.subway_tiles(d, colour, grout)), 0.8)
        return Material(self._materials.named("bath-wall", lambda d: textures.tiles(d, colour, 8, grout)), 1.6)

    def _accent(self, draws: Draws, room: PlannedRoom) -> Material:
        if draws.chance(0.4):
            red = draws.pick([(0.60, 0.32, 0.24), (0.70, 0.62, 0.54), (0.80, 0.78, 0.74)])
            return Material(self._materials.named("brick", lambda d: textures.brick(d, red)), 1.05)
        colour = self._wall_colours[(room.id + 7) % len(self._wall_colours)]
        if draws.chance(0.5):
            motif = textures.scaled(colour, 0.82)
            name = f"accent-{room.id}"
            return Material(self._materials.named(name, lambda d: textures.wallpaper(d, colour, motif)), 1.1)
        return Material(self._materials.named(f"accent-{room.id}", lambda d: textures.plaster(d, colour)), 1.6)

    def _floor(self, draws: Draws, room: PlannedRoom) -> Material:
        if room.kind == "bath":
            colour = self._tile_colours[0]
            return Material(
                self._materials.named("bath-floor", lambda d: textures.tiles(d, colour, 6, (0.6, 0.6, 0.58))), 1.2
            )
        if room.kind == "kitchen":
            return self._kitchen_floor(draws)
        if room.kind in ("bedroom", "kids", "study") and draws.chance(0.4):
            colour = draws.pick(self._style.fabrics)
            base = (0.4 + 0.45 * colour[0], 0.4 + 0.42 * colour[1], 0.38 + 0.42 * colour[2])
            return Material(self._materials.named(f"carpet-{room.id}", lambda d: textures.pile(d, base)), 0.9)
        return self._wooden_floor(draws, room)

    def _kitchen_floor(self, draws: Draws) -> Material:
        first, second = self._tile_colours[1], self._tile_colours[2]
        kind = draws.integer(3)

        def paint(d: Draws) -> textures.Texture:
            if kind == 0:
                return textures.tiles(d, (0.84, 0.83, 0.80), 4, (0.55, 0.54, 0.52), textures.scaled(second, 0.55))
            if kind == 1:
                return textures.tiles(d, first, 4, (0.6, 0.58, 0.55))
            return textures.concrete(d, (0.62, 0.61, 0.59))

        return Material(self._materials.named("kitchen-floor", paint), 1.4)

    def _wooden_floor(self, draws: Draws, room: PlannedRoom) -> Material:
        others = [name for name in ("planks-0", "planks-1", "planks-2", "parquet") if name != self._living_floor]
        kind = self._living_floor if room.kind in ("living", "hall") else others[room.id % len(others)]
        if kind == "parquet":
            return Material(self._materials.named(kind, lambda d: textures.herringbone(d, self._floor_woods[3])), 1.2)
        index = int(kind[-1])
        return Material(self._materials.named(kind, lambda d: textures.planks(d, self._floor_woods[index], 8)), 1.3)
