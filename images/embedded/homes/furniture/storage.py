"""Shelves, cabinets, wardrobes, dressers and what stands in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from images.embedded.homes.draft import Frame, Kit, Piece
from images.embedded.homes.furniture.decor import ornament
from images.embedded.homes.materials import Material
from images.embedded.homes.pictures import BOOK_STRIPES
from images.embedded.homes.shapes import Shape, box, cylinder, joined


def _book(thickness: float, height: float, depth: float, stripe: int) -> Shape:
    """A book whose spine looks to +z and shows one stripe of the books' texture."""
    block = box((thickness, height, depth), skip=("bottom", "back"))
    u = (block.positions[:, 0] / thickness + 0.5) * 0.9 + 0.05
    v = 0.5 - block.positions[:, 1] / height
    uvs = np.stack([(stripe + u) / BOOK_STRIPES, v * 0.98 + 0.01], axis=1)
    return replace(block, uvs=uvs)


def _book_row(kit: Kit, width: float, height: float) -> list[Shape]:
    """Books standing on y = 0 from x = 0, no wider than ``width`` nor higher than ``height``."""
    shapes: list[Shape] = []
    x = 0.0
    while True:
        thickness = kit.draws.uniform(0.022, 0.055)
        if x + thickness > width:
            break
        tall = height * kit.draws.uniform(0.68, 0.95)
        book = _book(thickness * 0.96, tall, kit.draws.uniform(0.15, 0.2), kit.draws.integer(BOOK_STRIPES))
        shapes.append(book.at(x + thickness / 2.0, tall / 2.0, 0.0))
        x += thickness
    return shapes


def bookshelf(kit: Kit, frame: Frame, width: float, height: float) -> None:
    """An open shelf 0.32 m deep with books and ornaments, back at z = 0."""
    piece = kit.piece("bookshelf", frame)
    wood = kit.materials.wood(kit.draws.integer(3))
    board, depth = 0.025, 0.32
    for sign in (-1.0, 1.0):
        piece.add(
            box((board, height, depth), 0.5, ("bottom",)), wood, sign * (width - board) / 2.0, height / 2.0, depth / 2.0
        )
    back = box((width - 0.02, height, 0.012), 0.5, ("back", "left", "right", "bottom"))
    piece.add(back, wood, 0.0, height / 2.0, 0.008)
    count = max(2, round((height - 0.1) / 0.36))
    gap = (height - 0.08 - board) / count
    books: list[Shape] = []
    for k in range(count + 1):
        y = 0.08 + gap * k
        piece.add(box((width - 2.0 * board, board, depth - 0.01), 0.5), wood, 0.0, y, depth / 2.0)
        if k < count:
            top = y + board / 2.0
            row = _fill_shelf(kit, frame.moved(0.0, top, depth / 2.0), width - 0.08, gap - 0.04)
            books += [book.at(0.0, top, depth / 2.0) for book in row]
    if books:
        kit.piece("books", frame).add(joined(books), kit.materials.books())


def _fill_shelf(kit: Kit, frame: Frame, width: float, height: float) -> list[Shape]:
    """Put an ornament on a shelf, if there is room, and return its books in the axes of ``frame``."""
    if kit.draws.chance(0.12):
        return []
    share = kit.draws.uniform(0.35, 0.95)
    start = -width / 2.0 if kit.draws.chance(0.6) else width / 2.0 - share * width
    row = _book_row(kit, share * width, height)
    if share < 0.7 and height > 0.2:
        x = width / 2.0 - 0.14 if start < -width / 2.0 + 1e-9 else -width / 2.0 + 0.14
        ornament(kit, frame.moved(x, 0.0, 0.0), min(height, 0.26))
    return [book.at(start, 0.0, 0.02) for book in row]


def _fronts(
    piece: Piece, kit: Kit, material: Material, width: float, low: float, high: float, z: float, rows: int, columns: int
) -> None:
    """Add drawer or door fronts in a grid, with handles."""
    gap = 0.008
    cell_width, cell_height = width / columns, (high - low) / rows
    for row in range(rows):
        for column in range(columns):
            x = -width / 2.0 + cell_width * (column + 0.5)
            y = low + cell_height * (row + 0.5)
            front = box((cell_width - gap, cell_height - gap, 0.018), 0.6, ("back",))
            piece.add(front, material, x, y, z + 0.009)
            if cell_height > 0.5:
                side = 1.0 if column % 2 == 0 else -1.0
                handle_x = x + side * (cell_width / 2.0 - 0.05)
                piece.add(box((0.014, 0.16, 0.02)), kit.materials.metal(), handle_x, min(y, 1.05), z + 0.028)
            else:
                piece.add(box((0.13, 0.014, 0.02)), kit.materials.metal(), x, y + cell_height * 0.2, z + 0.028)


def cabinet(
    kit: Kit, frame: Frame, category: str, width: float, height: float, depth: float, rows: int, columns: int
) -> None:
    """A chest with a grid of drawers or doors on short feet, back at z = 0."""
    piece = kit.piece(category, frame)
    body = kit.materials.wood(kit.draws.integer(3))
    fronts = kit.materials.lacquer(kit.draws.integer(3)) if kit.draws.chance(0.35) else body
    foot = 0.08 if kit.draws.chance(0.6) else 0.03
    for x in (-width / 2.0 + 0.05, width / 2.0 - 0.05):
        for z in (0.05, depth - 0.05):
            piece.add(box((0.04, foot, 0.04), skip=("top", "bottom")), body, x, foot / 2.0, z)
    carcass = box((width, height - foot - 0.02, depth - 0.02), 0.5, ("bottom", "top"))
    piece.add(carcass, body, 0.0, (height - 0.02 + foot) / 2.0, (depth - 0.02) / 2.0)
    piece.add(box((width + 0.02, 0.025, depth + 0.01), 0.4), body, 0.0, height - 0.0125, depth / 2.0)
    _fronts(piece, kit, fronts, width - 0.02, foot + 0.015, height - 0.035, depth - 0.02, rows, columns)


def wardrobe(kit: Kit, frame: Frame, width: float) -> None:
    """A wardrobe 2.1 m high and 0.58 m deep, one of its doors sometimes a mirror."""
    piece = kit.piece("wardrobe", frame)
    body = kit.materials.wood(kit.draws.integer(3))
    fronts = kit.materials.lacquer(kit.draws.integer(3)) if kit.draws.chance(0.5) else body
    height, depth = 2.1, 0.58
    piece.add(box((width, height, depth - 0.02), 0.5, ("bottom",)), body, 0.0, height / 2.0, (depth - 0.02) / 2.0)
    doors = max(2, round(width / 0.5))
    _fronts(piece, kit, fronts, width - 0.02, 0.08, height - 0.03, depth - 0.02, 1, doors)


def shelf_board(kit: Kit, frame: Frame, width: float) -> None:
    """A wall shelf with books and ornaments; y = 0 is its board, back at z = 0."""
    piece = kit.piece("shelf", frame)
    piece.add(box((width, 0.03, 0.22), 0.5), kit.materials.wood(kit.draws.integer(3)), 0.0, -0.015, 0.11)
    row = [
        book.at(-width / 2.0 + 0.03, 0.0, 0.11) for book in _book_row(kit, width * kit.draws.uniform(0.3, 0.6), 0.26)
    ]
    if row:
        kit.piece("books", frame).add(joined(row), kit.materials.books())
    ornament(kit, frame.moved(width / 2.0 - 0.15, 0.0, 0.11), 0.24)


def tv_stand(kit: Kit, frame: Frame, width: float) -> None:
    """A low board 0.42 m deep for a television."""
    cabinet(kit, frame, "tv_stand", width, 0.46, 0.42, 1, 3)


def coat_rack(kit: Kit, frame: Frame, width: float) -> None:
    """A board with hooks and coats on the wall; y = 0 is its board."""
    piece = kit.piece("coat_rack", frame)
    piece.add(box((width, 0.1, 0.02), skip=("back",)), kit.materials.wood(1), 0.0, 0.0, 0.012)
    count = max(3, int(width / 0.2))
    for k in range(count):
        x = -width / 2.0 + width * (k + 0.5) / count
        piece.add(cylinder(0.009, 0.07, 6).lying_along_z(), kit.materials.metal(), x, 0.0, 0.02)
        if kit.draws.chance(0.6):
            coat = kit.piece("coat", frame)
            coat.add(_coat(), kit.materials.fabric(kit.draws.integer(7)), x, -0.02, 0.09)


def _coat() -> Shape:
    upper = box((0.36, 0.12, 0.1), skip=("bottom",)).at(0.0, -0.1, 0.0)
    lower = box((0.42, 0.68, 0.13), 0.35).at(0.0, -0.5, 0.0)
    return joined([upper, lower])
