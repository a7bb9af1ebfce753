"""A textured sphere around the start: a world in which constant-depth warping is exact, in closed form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.observations import RGB

Directions = npt.NDArray[np.float64]
RADIUS_M = 2.5


def texture(directions: Directions) -> RGB:
    """Return a smooth, everywhere different colour for unit directions [..., (right, up, back)]."""
    right, up, back = directions[..., 0], directions[..., 1], directions[..., 2]
    channels = np.stack([np.sin(3 * right + 1), np.sin(3 * back + up), np.sin(4 * up + 2 * right * back)], axis=-1)
    return np.round(127.5 + 100 * channels).astype(np.uint8)


def rays(camera: Camera, yaw_deg: float = 0.0) -> Directions:
    """Return the unit direction of each pixel in the start's frame (x right, y up, z back)."""
    rows, columns = np.arange(camera.height)[:, None] + 0.5, np.arange(camera.width)[None, :] + 0.5
    if camera.kind == EQUIRECT:
        azimuth = np.pi - columns / camera.width * 2 * np.pi
        elevation = (0.5 - rows / camera.height) * np.pi
        local = np.stack(
            np.broadcast_arrays(
                -np.sin(azimuth) * np.cos(elevation), np.sin(elevation), -np.cos(azimuth) * np.cos(elevation)
            ),
            axis=-1,
        )
    else:
        pixel = 2 * np.tan(np.radians(camera.hfov_deg) / 2) / camera.width
        right, up = (columns - camera.width / 2) * pixel, (camera.height / 2 - rows) * pixel
        local = np.stack(np.broadcast_arrays(right, up, -np.ones_like(right)), axis=-1)
        local = local / np.linalg.norm(local, axis=-1, keepdims=True)
    yaw = np.radians(yaw_deg)
    x, z = local[..., 0], local[..., 2]
    return np.stack([x * np.cos(yaw) + z * np.sin(yaw), local[..., 1], -x * np.sin(yaw) + z * np.cos(yaw)], axis=-1)


def render(camera: Camera, right_m: float = 0.0, back_m: float = 0.0, yaw_deg: float = 0.0) -> RGB:
    """Return what ``camera`` sees of the sphere from (right_m, back_m), turned left by ``yaw_deg``."""
    directions = rays(camera, yaw_deg)
    along = directions[..., 0] * right_m + directions[..., 2] * back_m
    distance = -along + np.sqrt(along**2 - (right_m**2 + back_m**2 - RADIUS_M**2))
    points = directions * distance[..., None] + np.array([right_m, 0.0, back_m])
    return texture(points / RADIUS_M)
