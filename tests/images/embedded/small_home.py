"""A tiny hand-made home in the canonical order, for tests that need no furniture."""

from __future__ import annotations

import numpy as np

from images.embedded.mesh import TEXTURE_SIZE, Home, HomeObject, Room


def small_home(seed: int = 1) -> Home:
    """Two objects, three meshes, three textures of random texels; light above 1 and below."""
    draws = np.random.Generator(np.random.PCG64(seed))
    counts = (6, 4, 8)
    vertices = sum(counts)
    faces, offset = [], 0
    for count in counts:
        faces += [(offset, offset + k, offset + k + 1) for k in range(1, count - 1)]
        offset += count
    per_mesh = [count - 2 for count in counts]
    return Home(
        seed=seed,
        positions=(draws.random((vertices, 3)) * 5.0).astype(np.float32),
        faces=np.array(faces, np.int32),
        uvs=(draws.integers(-400_000, 400_000, (vertices, 2)) / 65536.0).astype(np.float32),
        light=(draws.random((vertices, 3)) * 3.0).astype(np.float32),
        face_texture=np.repeat(np.array([0, 1, 2], np.int32), per_mesh),
        face_object=np.repeat(np.array([1, 1, 2], np.int32), per_mesh),
        face_double_sided=np.repeat(np.array([0, 1, 0], np.uint8), per_mesh),
        textures=draws.integers(0, 256, (3, TEXTURE_SIZE, TEXTURE_SIZE, 3), np.uint8),
        texture_emissive=np.array([0, 1, 0], np.uint8),
        objects=(
            HomeObject(1, "lamp", "white", 0, (0.0, 0.0, 0.0, 1.0, 1.5, 1.0)),
            HomeObject(2, "chair", "red", 0, (1.0, 0.0, 1.0, 2.0, 0.9, 2.0)),
        ),
        rooms=(Room(0, "study", (0.0, 0.0, 4.0, 3.0)),),
    )
