"""Floors, walls, ceilings and trim of the other distribution."""

from __future__ import annotations

from images.embedded.homes.draws import Draws
from images.embedded.homes.floorplan import PlannedRoom
from images.embedded.homes.materials import Material
from images.embedded.homes.ood import textures
from images.embedded.homes.ood.materials import OodMaterials
from images.embedded.homes.style import Colour, HomeStyle
from images.embedded.homes.surfaces import RoomSurfaces
from images.embedded.homes.textures import Texture, scaled


class OodSurfaces:
    """Deals floors and walls to the rooms of one home: each room has colours of its own."""

    def __init__(self, draws: Draws, materials: OodMaterials, style: HomeStyle) -> None:
        self._draws = draws
        self._materials = materials
        self._walls = draws.shuffled(style.walls)
        self._tiles = draws.shuffled(style.tiles)
        self._woods = draws.shuffled(style.woods)
        self.trim = materials.dark() if draws.chance(0.5) else materials.lacquer(3)
        self._ceiling = draws.pick(((0.62, 0.72, 0.80), (0.84, 0.70, 0.66), (0.72, 0.78, 0.62)))

    def for_room(self, room: PlannedRoom) -> RoomSurfaces:
        """Return the materials of one room: opposite walls are alike, in half of the rooms neighbours differ."""
        draws = self._draws.child(f"surfaces-{room.id}")
        ceiling = Material(self._materials.named("ceiling", lambda d: textures.panelling(d, self._ceiling)), 2.4)
        first = self._wall(draws, room, self._walls[room.id % len(self._walls)], "a")
        second = first
        if draws.chance(0.5):
            second = self._wall(draws, room, self._walls[(room.id + 8) % len(self._walls)], "b")
        return RoomSurfaces(self._floor(draws, room), ceiling, (first, second, first, second), self.trim, self.trim)

    def _wall(self, draws: Draws, room: PlannedRoom, colour: Colour, which: str) -> Material:
        kind = "scallops" if room.kind in ("bath", "kitchen") else draws.pick(_WALL_KINDS)
        line = scaled(colour, draws.pick([0.62, 1.35]))

        def paint(d: Draws) -> Texture:
            if kind == "scallops":
                return textures.scallops(d, colour, line)
            if kind == "panelling":
                return textures.panelling(d, colour)
            if kind == "rubble":
                return textures.rubble(d, colour, scaled(colour, 0.5))
            if kind == "shuttered":
                return textures.shuttered(d, colour)
            return textures.limewash(d, colour)

        return Material(self._materials.named(f"wall-{room.id}-{which}", paint), 1.7)

    def _floor(self, draws: Draws, room: PlannedRoom) -> Material:
        if room.kind in ("bath", "kitchen"):
            base, second, grout = self._tiles[0], self._tiles[1], scaled(self._tiles[2], 0.8)
            return Material(
                self._materials.named(f"floor-{room.id}", lambda d: textures.hexagons(d, base, second, grout)), 1.1
            )
        if room.kind in ("living", "hall", "dining"):
            chips = (self._tiles[3], self._tiles[4], self._tiles[5])
            return Material(
                self._materials.named("floor-main", lambda d: textures.terrazzo(d, (0.86, 0.84, 0.88), chips)), 1.2
            )
        base = self._woods[room.id % len(self._woods)]
        return Material(self._materials.named(f"floor-{room.id}", lambda d: textures.chevron_boards(d, base)), 1.5)


_WALL_KINDS = ("limewash", "limewash", "panelling", "rubble", "shuttered")
