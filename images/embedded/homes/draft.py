"""The home while it is being built: objects, their parts, and the lights.

Parts are kept apart until the end, then sorted by (object, texture, sidedness), which is also the order
of nodes and materials in a GLB: a written and re-read home is equal to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.contracts.portable import sincos
from images.embedded.homes.draws import Draws
from images.embedded.homes.materials import Material, Materials
from images.embedded.homes.shapes import Floats, Shape

UV_STEPS = 65536.0
"""Texture coordinates are multiples of 1 / 65536, so that glTF's v <-> 1 - v loses nothing."""

_QUARTER_TURNS = ((0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0))


@dataclass(frozen=True)
class Frame:
    """Where a thing stands: position in metres and its turn about y as (sine, cosine).

    A point (x, y, z) of the thing is at (X + c x + s z, Y + y, Z + c z - s x) of the home.
    """

    x: float
    y: float
    z: float
    sine: float
    cosine: float

    @staticmethod
    def facing(side: int, x: float, z: float) -> Frame:
        """Return the frame whose front looks +z, +x, -z or -x for side 0, 1, 2, 3."""
        sine, cosine = _QUARTER_TURNS[side % 4]
        return Frame(x, 0.0, z, sine, cosine)

    def point(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Return a point of the thing in the home's frame."""
        return (
            self.x + self.cosine * x + self.sine * z,
            self.y + y,
            self.z + self.cosine * z - self.sine * x,
        )

    def local(self, x: float, z: float) -> tuple[float, float]:
        """Return (x, z) of the thing's own axes for a point of the home's floor."""
        dx, dz = x - self.x, z - self.z
        return self.cosine * dx - self.sine * dz, self.sine * dx + self.cosine * dz

    def moved(self, x: float, y: float, z: float) -> Frame:
        """Return the frame moved by a vector given in its own axes."""
        new_x, new_y, new_z = self.point(x, y, z)
        return replace(self, x=new_x, y=new_y, z=new_z)

    def turned(self, yaw: float) -> Frame:
        """Return the frame turned by ``yaw`` radians about its own y axis."""
        sine, cosine = sincos(yaw)
        return replace(
            self, sine=self.sine * cosine + self.cosine * sine, cosine=self.cosine * cosine - self.sine * sine
        )

    def facing_side(self, side: int) -> Frame:
        """Return the frame turned by exact quarters: to its own front, right, back or left for side 0, 1, 2, 3."""
        sine, cosine = _QUARTER_TURNS[side % 4]
        return replace(
            self, sine=self.sine * cosine + self.cosine * sine, cosine=self.cosine * cosine - self.sine * sine
        )

    def opposite(self) -> Frame:
        """Return the frame looking the other way."""
        return replace(self, sine=-self.sine, cosine=-self.cosine)

    def rotate(self, vectors: Floats) -> Floats:
        """Return vectors of the thing in the home's axes."""
        out = np.empty_like(vectors)
        out[:, 0] = self.cosine * vectors[:, 0] + self.sine * vectors[:, 2]
        out[:, 1] = vectors[:, 1]
        out[:, 2] = self.cosine * vectors[:, 2] - self.sine * vectors[:, 0]
        return out


@dataclass(frozen=True)
class Lamp:
    """A light bulb: position, colour times strength, and the radius of the glowing body in metres."""

    position: tuple[float, float, float]
    power: tuple[float, float, float]
    radius: float


@dataclass(frozen=True)
class SkyPortal:
    """A window opening that lets daylight in: centre, half edges and the direction into the room."""

    center: tuple[float, float, float]
    half_right: tuple[float, float, float]
    half_up: tuple[float, float, float]
    inward: tuple[float, float, float]
    power: tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """Triangles of one object with one texture, in the home's frame."""

    object: int
    texture: int
    double_sided: bool
    positions: Floats
    normals: Floats
    uvs: Floats
    faces: npt.NDArray[np.int64]


@dataclass(frozen=True)
class DraftObject:
    """An object before its bounds and colour are known."""

    id: int
    category: str
    room: int


class Draft:
    """Collects objects, parts and lights."""

    def __init__(self) -> None:
        self.objects: list[DraftObject] = []
        self.parts: list[Part] = []
        self.lamps: list[Lamp] = []
        self.portals: list[SkyPortal] = []

    def new_object(self, category: str, room: int) -> int:
        """Register an object and return its id (1, 2, ...)."""
        self.objects.append(DraftObject(len(self.objects) + 1, category, room))
        return len(self.objects)

    def add(self, object_id: int, shape: Shape, material: Material, frame: Frame, offset: tuple[float, float]) -> None:
        """Add a shape to an object; ``offset`` shifts an unfitted texture so that no two boards look alike."""
        uvs = shape.uvs if material.fitted else (shape.uvs + np.array(offset)) / material.metres
        positions = frame.rotate(shape.positions) + np.array((frame.x, frame.y, frame.z))
        part = Part(
            object_id,
            material.texture,
            shape.double_sided,
            positions,
            frame.rotate(shape.normals),
            np.floor(uvs * UV_STEPS + 0.5) / UV_STEPS,
            shape.faces,
        )
        self.parts.append(part)


class Piece:
    """One object under construction, with its own frame; furniture is written in this frame."""

    def __init__(self, kit: Kit, category: str, frame: Frame) -> None:
        self._kit = kit
        self._id = kit.draft.new_object(category, kit.room)
        self.frame = frame

    def add(self, shape: Shape, material: Material, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> None:
        """Add a shape whose origin goes to (x, y, z) of the piece."""
        draws = self._kit.draws
        offset = (draws.uniform(0.0, 2.0), draws.uniform(0.0, 2.0)) if material.grained else (0.0, 0.0)
        self._kit.draft.add(self._id, shape.at(x, y, z), material, self.frame, offset)

    def lamp(self, x: float, y: float, z: float, power: float, radius: float) -> None:
        """Add a warm light bulb at (x, y, z) of the piece."""
        colour = (power, 0.92 * power, 0.78 * power)
        self._kit.draft.lamps.append(Lamp(self.frame.point(x, y, z), colour, radius))


@dataclass(frozen=True)
class Kit:
    """What every furniture builder gets: where to put parts, what they are made of, and the room's draws."""

    draft: Draft
    materials: Materials
    draws: Draws
    room: int

    def piece(self, category: str, frame: Frame) -> Piece:
        """Start a new object."""
        return Piece(self, category, frame)
