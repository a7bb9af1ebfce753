"""Six faces become one panorama: against scenes whose every ray is known."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from images.habitat.equirect import FACES, CubeStitcher, Face, face_hfov_deg, face_size

HEIGHT, WIDTH, PIXELS = 64, 128, 64
ROOM = (2.0, 1.5, 3.0)
"""Half sizes of a box room around the eye, in x, y, z."""


def face_rays(face: Face) -> npt.NDArray[np.float64]:
    """Return the ray of each pixel of a rendered face with planar depth 1, in the body's frame."""
    side = face_size(PIXELS)
    reach = math.tan(math.radians(face_hfov_deg(PIXELS)) / 2.0)
    steps = ((np.arange(side) + 0.5) / side * 2.0 - 1.0) * reach
    across, down = np.meshgrid(steps, steps)
    ahead, right, up = (np.array(axis, np.float64) for axis in (face.ahead, face.right, face.up))
    return ahead + across[..., None] * right - down[..., None] * up


def panorama_rays() -> npt.NDArray[np.float64]:
    """Return the unit ray of each panorama pixel: centre ahead (-z), left at W/4, top row up."""
    azimuth = (0.5 - (np.arange(WIDTH) + 0.5) / WIDTH) * 2.0 * np.pi
    elevation = (0.5 - (np.arange(HEIGHT) + 0.5) / HEIGHT) * np.pi
    across, upward = np.meshgrid(azimuth, elevation)
    return np.stack([-np.sin(across) * np.cos(upward), np.sin(upward), -np.cos(across) * np.cos(upward)], axis=-1)


def colours(rays: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return a smooth colour of a direction, another for every direction."""
    unit = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    shown: npt.NDArray[np.uint8] = np.round(127.5 + 120.0 * unit).astype(np.uint8)
    return shown


def room_parameter(rays: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return t where the ray leaves the room at t * ray."""
    with np.errstate(divide="ignore"):
        parameter: npt.NDArray[np.float64] = np.min(np.array(ROOM) / np.abs(rays), axis=-1)
    return parameter


def test_colours_of_every_direction_come_out_where_they_belong() -> None:
    panorama = CubeStitcher(HEIGHT, WIDTH, PIXELS).rgb([colours(face_rays(face)) for face in FACES])
    assert panorama.shape == (HEIGHT, WIDTH, 3) and panorama.dtype == np.uint8
    assert int(np.abs(panorama.astype(int) - colours(panorama_rays())).max()) <= 2


def test_further_channels_are_dropped() -> None:
    faces = [colours(face_rays(face)) for face in FACES]
    opaque = [np.concatenate([face, np.full((*face.shape[:2], 1), 255, np.uint8)], axis=2) for face in faces]
    stitcher = CubeStitcher(HEIGHT, WIDTH, PIXELS)
    assert np.array_equal(stitcher.rgb(opaque), stitcher.rgb(faces))


def test_a_white_world_stays_white() -> None:
    side = face_size(PIXELS)
    white = [np.full((side, side, 3), 255, np.uint8) for _ in FACES]
    assert (CubeStitcher(HEIGHT, WIDTH, PIXELS).rgb(white) == 255).all()


def test_planar_depth_of_faces_becomes_distance_along_the_ray() -> None:
    """In the face's frame a ray has planar depth 1, so the room's parameter is the planar depth."""
    planar = [room_parameter(face_rays(face)).astype(np.float32) for face in FACES]
    depth = CubeStitcher(HEIGHT, WIDTH, PIXELS).depth(planar)
    assert depth.dtype == np.float32
    error = np.abs(depth - room_parameter(panorama_rays())) / depth
    assert float(np.median(error)) < 0.01 and float(error.max()) < 0.12  # nearest pixel: coarse at grazing angles


def test_nothing_hit_stays_nothing() -> None:
    side = face_size(PIXELS)
    assert (CubeStitcher(HEIGHT, WIDTH, PIXELS).depth([np.zeros((side, side), np.float32)] * 6) == 0.0).all()


def test_ids_are_never_blended() -> None:
    side = face_size(PIXELS)
    ids = CubeStitcher(HEIGHT, WIDTH, PIXELS).ids([np.full((side, side), 1000 * k, np.int32) for k in range(6)])
    assert set(np.unique(ids)) == {0, 1000, 2000, 3000, 4000, 5000}


@pytest.mark.parametrize(
    ("row", "column", "name"),
    [
        (HEIGHT // 2, WIDTH // 2, "front"),
        (HEIGHT // 2, WIDTH // 4, "left"),
        (HEIGHT // 2, 0, "back"),
        (HEIGHT // 2, 3 * WIDTH // 4, "right"),
        (0, 7, "up"),
        (HEIGHT - 1, 99, "down"),
    ],
)
def test_faces_lie_where_the_contract_says(row: int, column: int, name: str) -> None:
    side = face_size(PIXELS)
    ids = CubeStitcher(HEIGHT, WIDTH, PIXELS).ids([np.full((side, side), k, np.int32) for k in range(6)])
    assert FACES[int(ids[row, column])].name == name


def test_face_cameras_are_turned_the_way_their_axes_say() -> None:
    for face in FACES:
        yaw, pitch = math.radians(face.yaw_deg), math.radians(face.pitch_deg)
        ahead = (-math.sin(yaw) * math.cos(pitch), math.sin(pitch), -math.cos(yaw) * math.cos(pitch))
        up = (math.sin(yaw) * math.sin(pitch), math.cos(pitch), math.cos(yaw) * math.sin(pitch))
        assert face.ahead == pytest.approx(ahead, abs=1e-12)
        assert face.up == pytest.approx(up, abs=1e-12)
        assert np.cross(face.ahead, face.up) == pytest.approx(face.right)


def test_inner_pixels_cover_ninety_degrees() -> None:
    reach = math.tan(math.radians(face_hfov_deg(512)) / 2.0)
    assert reach * 512 / face_size(512) == pytest.approx(1.0, abs=1e-12)
