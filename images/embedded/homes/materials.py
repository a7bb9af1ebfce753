"""The materials of one home: a palette drawn once, textures painted when first used.

A limited set per home keeps the memory of the textures bounded and makes a home look as if one person had
furnished it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np
import numpy.typing as npt

from images.embedded.homes import pictures, textures
from images.embedded.homes.draws import Draws
from images.embedded.homes.style import Colour, HomeStyle, Palette
from images.embedded.homes.textures import Texture

Painter = Callable[[Draws], Texture]


@dataclass(frozen=True)
class Material:
    """A texture and how it lies: ``metres`` a repeat, or fitted to the shape; grained ones get random offsets."""

    texture: int
    metres: float = 1.0
    fitted: bool = False
    grained: bool = False


class Materials:
    """Textures of one home by name, in the order of their first use."""

    def __init__(self, draws: Draws, style: HomeStyle) -> None:
        self._draws = draws
        self.style = style
        self._index: dict[str, int] = {}
        self._images: list[Texture] = []
        self._emissive: list[int] = []
        choice = draws.child("palette")
        self._woods = choice.shuffled(style.woods)
        self._fabrics = choice.shuffled(style.fabrics)
        self._lacquers = choice.shuffled(style.lacquers)
        self._ceramics = choice.shuffled(style.ceramics)
        self._leaves = choice.shuffled(((0.20, 0.42, 0.14), (0.14, 0.34, 0.18), (0.34, 0.48, 0.20)))

    def named(self, name: str, painter: Painter, emissive: bool = False) -> int:
        """Return the index of the texture ``name``, painting it on first use."""
        if name not in self._index:
            self._index[name] = len(self._images)
            self._images.append(painter(self._draws.child(name)))
            self._emissive.append(int(emissive))
        return self._index[name]

    def names(self) -> tuple[str, ...]:
        """Return the names of all textures, in the order of their first use."""
        return tuple(self._index)

    def stack(self) -> npt.NDArray[np.uint8]:
        """Return all textures, [T, 256, 256, 3]."""
        return np.stack(self._images)

    def emissive(self) -> npt.NDArray[np.uint8]:
        """Return for each texture 1 where it glows by itself, [T]."""
        return np.array(self._emissive, np.uint8)

    def wood(self, index: int, metres: float = 0.8) -> Material:
        """Furniture wood of the home, ``index`` 0-2."""
        index %= 3
        return Material(
            self.named(f"wood-{index}", lambda d: textures.wood(d, self._woods[index])), metres, grained=True
        )

    def lacquer(self, index: int) -> Material:
        """Painted furniture fronts, ``index`` 0-2."""
        index %= 3
        return Material(self.named(f"lacquer-{index}", lambda d: textures.plain(d, self._lacquers[index])), 1.0)

    def fabric(self, index: int) -> Material:
        """Upholstery and bed linen, ``index`` 0-6: plain, striped and checked cloth."""
        index %= 7
        base, other = self._fabrics[index], self._fabrics[(index + 4) % len(self._fabrics)]

        def paint(draws: Draws) -> Texture:
            if index == 4:
                return textures.striped_fabric(draws, base, other, 8)
            if index == 5:
                return textures.checked_fabric(draws, base, other)
            return textures.fabric(draws, base)

        return Material(self.named(f"fabric-{index}", paint), 0.5)

    def curtain(self, index: int) -> Material:
        """Curtain cloth, ``index`` 0-1: light plain or striped."""
        index %= 2
        base = textures.scaled(self._fabrics[7 + index], 1.15)

        def paint(draws: Draws) -> Texture:
            if draws.chance(0.3):
                return textures.striped_fabric(draws, base, textures.scaled(base, 0.75), 4)
            return textures.fabric(draws, base)

        return Material(self.named(f"curtain-{index}", paint), 0.9)

    def leather(self) -> Material:
        """Leather of sofas and office chairs."""
        colours: Palette = ((0.36, 0.22, 0.14), (0.16, 0.15, 0.15), (0.62, 0.42, 0.26), (0.74, 0.68, 0.60))
        return Material(self.named("leather", lambda d: textures.leather(d, d.pick(colours))), 0.6)

    def ceramic(self, index: int) -> Material:
        """Glazed vases and pots, ``index`` 0-2."""
        index %= 3
        return Material(self.named(f"ceramic-{index}", lambda d: textures.marble(d, self._ceramics[index])), 0.4)

    def of_colour(self, name: str, colour: Colour) -> Material:
        """A plain material with a fixed colour."""
        return Material(self.named(name, lambda d: textures.plain(d, colour)), 1.0)

    def white(self) -> Material:
        """White lacquer, enamel and sanitary ware."""
        return self.of_colour("white", (0.93, 0.92, 0.90))

    def dark(self) -> Material:
        """Black plastic and iron."""
        return self.of_colour("dark", (0.09, 0.09, 0.10))

    def terracotta(self) -> Material:
        """Flower pots."""
        return self.of_colour("terracotta", (0.66, 0.37, 0.26))

    def metal(self) -> Material:
        """Brushed steel of handles and appliances."""
        return Material(self.named("metal", lambda d: textures.brushed(d, (0.66, 0.67, 0.69))), 0.5)

    def linen(self) -> Material:
        """White sheets, pillows and towels."""
        return Material(self.named("linen", lambda d: textures.fabric(d, (0.95, 0.93, 0.90))), 0.4)

    def wicker(self) -> Material:
        """Baskets."""
        return Material(self.named("wicker", lambda d: textures.wicker(d, (0.66, 0.50, 0.32))), 0.35)

    def worktop(self) -> Material:
        """Stone of kitchen and bathroom tops."""
        colours: Palette = ((0.86, 0.85, 0.83), (0.30, 0.30, 0.32), (0.62, 0.56, 0.50))
        return Material(self.named("worktop", lambda d: textures.marble(d, d.pick(colours))), 1.2)

    def soil(self) -> Material:
        """Earth in flower pots."""
        return Material(self.named("soil", lambda d: textures.concrete(d, (0.20, 0.14, 0.10))), 0.3)

    def leaves(self, index: int) -> Material:
        """Foliage, ``index`` 0-1."""
        index %= 2
        return Material(self.named(f"leaf-{index}", lambda d: pictures.leaf(d, self._leaves[index])), fitted=True)

    def books(self) -> Material:
        """Book spines, 16 stripes across u (see ``pictures.book_spines``)."""
        return Material(self.named("books", pictures.book_spines), fitted=True)

    def paper(self) -> Material:
        """The cut edge of books."""
        return self.of_colour("paper", (0.90, 0.86, 0.76))

    def lampshade(self) -> Material:
        """A glowing shade."""
        colour = (1.0, 0.95, 0.83)
        return Material(self.named("lampshade", lambda d: textures.shade_cloth(d, colour), emissive=True), 0.4)

    def painting(self, index: int) -> Material:
        """One of the home's pictures, ``index`` 0-11."""
        return Material(self.named(f"painting-{index % 12}", pictures.painting), fitted=True)

    def rug(self, index: int) -> Material:
        """One of the home's rugs, ``index`` 0-4."""
        index %= 5

        def paint(draws: Draws) -> Texture:
            main, second, border = draws.shuffled(self.style.fabrics)[:3]
            return pictures.rug(draws, main, second, border)

        return Material(self.named(f"rug-{index}", paint), fitted=True)

    def screen(self) -> Material:
        """A switched-off screen."""
        return Material(self.named("screen", pictures.screen), fitted=True)

    def mirror(self) -> Material:
        """Mirror glass."""
        return Material(self.named("mirror", pictures.mirror), fitted=True)

    def clock(self) -> Material:
        """A clock dial."""
        return Material(self.named("clock", pictures.clock_face), fitted=True)

    def outdoors(self, index: int) -> Material:
        """The view from the windows, ``index`` 0-1."""
        return Material(self.named(f"outdoors-{index % 2}", pictures.outdoors, emissive=True), fitted=True)
