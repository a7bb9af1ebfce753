"""The materials of a home of the other distribution. Every texture has a name that begins with ``ood-``."""

from __future__ import annotations

from images.embedded.homes.draws import Draws
from images.embedded.homes.materials import Material, Materials, Painter
from images.embedded.homes.ood import pictures, textures
from images.embedded.homes.ood.style import LAMP_COLOURS
from images.embedded.homes.style import Colour, HomeStyle
from images.embedded.homes.textures import Texture, scaled

PREFIX = "ood-"
_PALE: Colour = (0.99, 0.90, 0.82)
_INK: Colour = (0.16, 0.07, 0.16)


class OodMaterials(Materials):
    """What shell and furniture of the other distribution are made of; the painters of training are never called."""

    def __init__(self, draws: Draws, style: HomeStyle) -> None:
        super().__init__(draws, style)
        choice = draws.child("ood")
        self._greens = choice.shuffled(((0.10, 0.46, 0.36), (0.44, 0.18, 0.30), (0.62, 0.66, 0.16)))
        self._brass = choice.pick(((0.80, 0.60, 0.24), (0.74, 0.40, 0.26), (0.20, 0.22, 0.28)))
        self.lamp_colour = choice.pick(LAMP_COLOURS)

    def named(self, name: str, painter: Painter, emissive: bool = False) -> int:
        """Return the index of the texture ``ood-<name>``, painting it on first use."""
        return super().named(f"{PREFIX}{name}", painter, emissive)

    def wood(self, index: int, metres: float = 1.3) -> Material:
        """Stained plywood, ``index`` 0-2."""
        index %= 3
        return Material(
            self.named(f"ply-{index}", lambda d: textures.stained(d, self._woods[index])), metres, grained=True
        )

    def lacquer(self, index: int) -> Material:
        """Coated metal, ``index`` 0-3."""
        index %= 4
        return Material(self.named(f"coat-{index}", lambda d: textures.sprayed(d, self._lacquers[index])), 0.7)

    def fabric(self, index: int) -> Material:
        """Cloth, ``index`` 0-6: knotted wool, triangles, waves, prints."""
        index %= 7
        base, second, third = (self._fabrics[(index + k) % len(self._fabrics)] for k in (0, 4, 7))

        def paint(draws: Draws) -> Texture:
            if index == 3:
                return textures.triangles(draws, base, second)
            if index == 4:
                return textures.waves(draws, base, second)
            if index >= 5:
                return textures.brushstrokes(draws, base, second, third)
            return textures.boucle(draws, base)

        return Material(self.named(f"wool-{index}", paint), 0.42 if index in (3, 4) else 0.6)

    def curtain(self, index: int) -> Material:
        """Slats of blinds, ``index`` 0-1."""
        index %= 2
        colour = scaled(self._fabrics[8 + index], 1.2)
        return Material(self.named(f"blind-{index}", lambda d: textures.sprayed(d, colour)), 0.7)

    def ceramic(self, index: int) -> Material:
        """Speckled glaze, ``index`` 0-2."""
        index %= 3
        base, chips = self._ceramics[index], (self._ceramics[3], self._ceramics[4], self._ceramics[5])
        return Material(self.named(f"glaze-{index}", lambda d: textures.terrazzo(d, base, chips)), 0.5)

    def white(self) -> Material:
        """Blush enamel where training has white."""
        return Material(self.named("pale", lambda d: textures.sprayed(d, _PALE)), 0.7)

    def dark(self) -> Material:
        """Aubergine where training has black."""
        return Material(self.named("ink", lambda d: textures.sprayed(d, _INK)), 0.7)

    def metal(self) -> Material:
        """Hammered brass, copper or gunmetal."""
        return Material(self.named("hammered", lambda d: textures.hammered(d, self._brass)), 0.3)

    def worktop(self) -> Material:
        """Terrazzo tops."""
        base = self.style.tiles[5]
        return Material(self.named("top", lambda d: textures.terrazzo(d, base, self.style.tiles[:3])), 0.8)

    def leaves(self, index: int) -> Material:
        """Striped foliage, ``index`` 0-2."""
        index %= 3
        return Material(self.named(f"frond-{index}", lambda d: pictures.frond(d, self._greens[index])), fitted=True)

    def lampshade(self) -> Material:
        """A glowing body of the colour of its bulb."""
        red, green, blue = self.lamp_colour
        colour = (min(1.0, 0.9 * red), min(1.0, 0.9 * green), min(1.0, 0.9 * blue))
        return Material(self.named("glow", lambda d: textures.sprayed(d, colour), emissive=True), 0.7)

    def painting(self, index: int) -> Material:
        """One of the home's posters, ``index`` 0-11."""
        return Material(self.named(f"poster-{index % 12}", pictures.poster), fitted=True)

    def rug(self, index: int) -> Material:
        """One of the home's rugs, ``index`` 0-4."""
        index %= 5

        def paint(draws: Draws) -> Texture:
            main, second, third = draws.shuffled(self.style.fabrics)[:3]
            return pictures.rug(draws, main, second, third)

        return Material(self.named(f"rug-{index}", paint), fitted=True)

    def screen(self) -> Material:
        """A screen that is switched on."""
        return Material(self.named("tube", pictures.picture_tube), fitted=True)

    def mirror(self) -> Material:
        """Tinted mirror glass."""
        return Material(self.named("silvered", pictures.silvered), fitted=True)

    def outdoors(self, index: int) -> Material:
        """The evening outside, ``index`` 0-1."""
        return Material(self.named(f"evening-{index % 2}", pictures.evening, emissive=True), fitted=True)
