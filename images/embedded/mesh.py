"""What a procedural home is made of once it is built: plain arrays, ready to render, export and query.

This is the seam between the builder of homes (geometry, textures, light) and everything that reads
them (renderer, navigation, GLB export). Frame everywhere: metres, x right, y up, z back; the floor
is at y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TEXTURE_SIZE = 256
"""Edge of every texture in texels (a power of two, so that mip levels are exact box filters)."""


@dataclass(frozen=True)
class Room:
    """One room: its kind (``kitchen``, ``bedroom``, ...) and its inner rectangle on the floor.

    ``bounds`` is (min_x, min_z, max_x, max_z) in metres.
    """

    id: int
    kind: str
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True)
class HomeObject:
    """One object instance. ``id`` is what the instance-id image shows (0 means nothing was hit).

    ``category`` is a class name (``chair``), ``colour`` a plain colour word (``red``), ``room`` the id
    of the room that it stands in (-1 for none), ``bounds`` its axis-aligned box
    (min_x, min_y, min_z, max_x, max_y, max_z) in metres.
    """

    id: int
    category: str
    colour: str
    room: int
    bounds: tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Home:
    """A built and lit home.

    Shapes: V vertices, F triangles, T textures. Faces are counter-clockwise seen from outside.
    """

    seed: int
    positions: npt.NDArray[np.float32]
    """[V, 3] metres."""
    faces: npt.NDArray[np.int32]
    """[F, 3] vertex indices."""
    uvs: npt.NDArray[np.float32]
    """[V, 2] texture coordinates, repeating, glTF convention (v grows downwards)."""
    light: npt.NDArray[np.float32]
    """[V, 3] baked linear irradiance, >= 0; 1 shows the texture's own brightness."""
    face_texture: npt.NDArray[np.int32]
    """[F] index into ``textures``."""
    face_object: npt.NDArray[np.int32]
    """[F] object id (> 0)."""
    face_double_sided: npt.NDArray[np.uint8]
    """[F] 1 where the triangle is seen from both sides (lamp shades, leaves, curtains)."""
    textures: npt.NDArray[np.uint8]
    """[T, 256, 256, 3] sRGB."""
    texture_emissive: npt.NDArray[np.uint8]
    """[T] 1 where the texture is shown as it is, without light (sky, lamp shade)."""
    objects: tuple[HomeObject, ...]
    rooms: tuple[Room, ...]
