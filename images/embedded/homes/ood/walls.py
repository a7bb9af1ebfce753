"""What hangs on the walls of the other distribution: blinds, posters, round mirrors, plates, sconces, banners."""

from __future__ import annotations

from images.embedded.homes.draft import Kit
from images.embedded.homes.floorplan import HEIGHT, Wall, WallOpening
from images.embedded.homes.ood.furniture import small
from images.embedded.homes.placement import FloorSpace
from images.embedded.homes.rooms.walls import Gap, wall_gaps
from images.embedded.homes.shapes import box

EYE = 1.5
"""Height of the middle of posters in metres."""


def hang(kit: Kit, space: FloorSpace) -> None:
    """Hang blinds and fill free stretches of wall."""
    gaps = []
    for wall in space.walls:
        for opening in wall.openings:
            if opening.kind == "window" and kit.draws.chance(0.6):
                _blind(kit, wall, opening)
        gaps += wall_gaps(space, wall)
    for gap in kit.draws.shuffled(gaps)[:5]:
        _fill(kit, gap)


def _blind(kit: Kit, wall: Wall, opening: WallOpening) -> None:
    """Hang slats before the upper part of a window."""
    piece = kit.piece("blind", wall.frame)
    drop = kit.draws.uniform(0.25, 0.6) * (opening.top - opening.bottom)
    count = max(3, int(drop / 0.09))
    for k in range(count):
        y = opening.top + 0.04 - drop * k / count
        slat = box((opening.width + 0.1, 0.06, 0.012), 0.6, ("left", "right"))
        piece.add(slat, kit.materials.curtain(wall.room), opening.center, y, 0.03)


def _fill(kit: Kit, gap: Gap) -> None:
    frame = gap.wall.frame.moved((gap.left + gap.right) / 2.0, 0.0, 0.0)
    kind = kit.draws.integer(7)
    if kind == 0 and gap.width > 0.8:
        small.disc(kit, frame.moved(0.0, EYE + 0.1, 0.0), min(0.36, gap.width / 2.0 - 0.1))
    elif kind == 1 and gap.width > 0.9:
        small.plates(kit, frame.moved(0.0, EYE + 0.1, 0.0))
    elif kind == 2:
        small.sconce(kit, frame.moved(0.0, 1.75, 0.0))
    elif kind == 3 and gap.low == 0.0:
        small.banner(kit, frame.moved(0.0, 2.1, 0.0), kit.draws.uniform(0.9, 1.4))
    else:
        _posters(kit, gap)


def _posters(kit: Kit, gap: Gap) -> None:
    """One tall poster, or several in a row at different heights."""
    count = 1 if gap.width < 1.4 else 2 + kit.draws.integer(2)
    each = gap.width / count
    width = min(kit.draws.uniform(0.4, 0.7), each - 0.2)
    height = min(width * 1.5, HEIGHT - EYE - 0.5)
    indices = kit.draws.shuffled(range(12))
    low = max(EYE, gap.low + 0.12 + height / 2.0)
    for k in range(count):
        y = min(low + kit.draws.uniform(0.0, 0.25), HEIGHT - 0.15 - height / 2.0)
        frame = gap.wall.frame.moved(gap.left + each * (k + 0.5), y, 0.0)
        small.poster(kit, frame, width, height, indices[k])
