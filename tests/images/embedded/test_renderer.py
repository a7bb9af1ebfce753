"""What the renderer promises: exact depth and ids, panoramas that agree with pinholes, rolls, equal bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Tuple

import numpy as np
import numpy.typing as npt
import pytest
from skimage.metrics import structural_similarity

from harness.contracts.cameras import Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from images.embedded.cameras import equirect_rays, heading_sincos
from images.embedded.renderer import Renderer
from images.embedded.shading import BACKGROUND, build_mips
from tests.images.embedded.tiny_home import BOXES, LENGTH, SHELL_OBJECTS, tiny_home

Floats = npt.NDArray[np.float64]

FRONT = Camera("front", "pinhole", 128, 128, 90.0, 1.25)
PANO = Camera("pano", "equirect", 128, 256, 360.0, 1.25)
PANO_LARGE = Camera("pano_large", "equirect", 576, 1024, 360.0, 1.25)
CEILING, NORTH_WALL, EAST_WALL = 2, 3, 6
"""Ids of parts of the shell: the walls at z = 0 and at x = 8."""

POSE = (1.3, 0.0, 2.7)
POSES = ((POSE, -67.5), ((6.5, 0.0, 2.0), 45.0), ((4.0, 0.0, 2.0), 10.3))


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(tiny_home())


def crop_coordinates(camera: Camera, pano: Camera) -> Tuple[Floats, Floats]:
    """Return the (row, column) in the panorama, in pixels, of each ray of a pinhole with the same heading."""
    half = np.tan(np.radians(camera.hfov_deg / 2))
    across = ((np.arange(camera.width) + 0.5) / camera.width * 2 - 1) * half
    down = ((np.arange(camera.height) + 0.5) / camera.height * 2 - 1) * half * camera.height / camera.width
    x, y = np.meshgrid(across, -down)
    column = (0.5 + np.arctan2(x, 1.0) / (2 * np.pi)) * pano.width - 0.5
    row = (0.5 - np.arctan2(y, np.sqrt(x * x + 1.0)) / np.pi) * pano.height - 0.5
    return row, column


def bilinear(image: npt.NDArray[np.uint8], row: Floats, column: Floats) -> Floats:
    """Sample an image between its pixels."""
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    b, a = (row - top)[..., None], (column - left)[..., None]
    height, width = image.shape[:2]
    lower, right = np.minimum(top + 1, height - 1), (left + 1) % width
    upper_row = image[top, left] * (1 - a) + image[top, right] * a
    lower_row = image[lower, left] * (1 - a) + image[lower, right] * a
    blend: Floats = upper_row * (1 - b) + lower_row * b
    return blend


@pytest.mark.parametrize(("position", "yaw"), POSES)
@pytest.mark.parametrize("pano", [PANO, PANO_LARGE])
def test_crop_of_the_panorama_matches_the_pinhole(
    renderer: Renderer, pano: Camera, position: Tuple[float, float, float], yaw: float
) -> None:
    camera = FRONT if pano is PANO_LARGE else Camera("small", "pinhole", 64, 64, 90.0, 1.25)
    pinhole = renderer.pinhole(camera, position, yaw).rgb
    crop = bilinear(renderer.equirect(pano, position, yaw).rgb, *crop_coordinates(camera, pano))
    assert np.abs(crop - pinhole).mean() < (2.0 if pano is PANO_LARGE else 4.0)
    assert structural_similarity(crop, pinhole.astype(float), channel_axis=2, data_range=255.0) > 0.93


@pytest.mark.parametrize(("position", "yaw"), POSES)
def test_depth_and_ids_agree_between_pinhole_and_panorama(
    renderer: Renderer, position: Tuple[float, float, float], yaw: float
) -> None:
    pinhole = renderer.pinhole(FRONT, position, yaw, depth=True, ids=True)
    pano = renderer.equirect(PANO_LARGE, position, yaw, depth=True, ids=True)
    row, column = (np.rint(c).astype(int) for c in crop_coordinates(FRONT, PANO_LARGE))
    assert pano.ids is not None and pinhole.ids is not None and pano.depth is not None and pinhole.depth is not None
    assert (pano.ids[row, column] == pinhole.ids).mean() > 0.97
    axis = ((np.arange(128) + 0.5) / 128 * 2 - 1)[None, :]
    length = pinhole.depth * np.sqrt(1 + axis * axis + axis.T * axis.T)
    same = pano.ids[row, column] == pinhole.ids
    assert np.median(np.abs(pano.depth[row, column] - length)[same]) < 0.01


def test_depth_of_a_wall_is_planar(renderer: Renderer) -> None:
    view = renderer.pinhole(FRONT, (6.8, 0.0, 2.4), -90.0, depth=True, ids=True)
    assert view.depth is not None and view.ids is not None
    wall = view.ids == EAST_WALL
    assert wall.sum() > 1000
    assert np.allclose(view.depth[wall], LENGTH - 6.8, atol=1e-5)


def test_depth_straight_ahead_in_the_panorama_is_the_distance(renderer: Renderer) -> None:
    view = renderer.equirect(PANO_LARGE, (6.8, 0.0, 2.4), -90.0, depth=True)
    assert view.depth is not None
    assert view.depth[288, 512] == pytest.approx(LENGTH - 6.8, abs=1e-4)
    assert view.depth[-1, 0] == pytest.approx(1.25, abs=1e-4)


def test_ids_name_the_objects(renderer: Renderer) -> None:
    lamp = SHELL_OBJECTS + 1 + [box[0] for box in BOXES].index("lamp")
    view = renderer.pinhole(FRONT, (1.2, 0.0, 3.6), 90.0, ids=True)
    assert view.ids is not None
    assert view.ids[64, 64] == lamp
    assert set(np.unique(view.ids)) <= {0} | {thing.id for thing in tiny_home().objects}


def test_a_closed_room_has_no_holes(renderer: Renderer) -> None:
    for position, yaw in POSES:
        pano = renderer.equirect(PANO_LARGE, position, yaw, ids=True)
        pinhole = renderer.pinhole(FRONT, position, yaw, ids=True)
        assert pano.ids is not None and pinhole.ids is not None
        assert pano.ids.min() > 0 and pinhole.ids.min() > 0


@pytest.mark.parametrize("camera", [FRONT, PANO, PANO_LARGE])
def test_leaving_out_hidden_chunks_changes_no_pixel(camera: Camera) -> None:
    culling, drawing_all = Renderer(tiny_home()), Renderer(tiny_home())
    triangles = drawing_all._triangles
    chunk_object = tiny_home().face_object[triangles.order[triangles.chunk_start[:-1]]]
    walls_alone = int((chunk_object <= SHELL_OBJECTS + 2).sum())
    culling._triangles = dataclasses.replace(triangles, occluders=walls_alone)
    drawing_all._triangles = dataclasses.replace(triangles, occluders=len(triangles.chunk_sphere))
    assert 0 < walls_alone < len(triangles.chunk_sphere)
    for position, yaw in POSES:
        some = culling.render(camera, position, yaw, depth=True, ids=True)
        all_of_it = drawing_all.render(camera, position, yaw, depth=True, ids=True)
        for name in ("rgb", "depth", "ids"):
            assert np.array_equal(getattr(some, name), getattr(all_of_it, name))


def test_left_is_left(renderer: Renderer) -> None:
    lamp = SHELL_OBJECTS + 1 + [box[0] for box in BOXES].index("lamp")
    view = renderer.equirect(PANO, (1.2, 0.0, 3.6), 0.0, ids=True)
    assert view.ids is not None
    assert view.ids[64, 256 // 4] == lamp


@pytest.mark.parametrize("camera", [PANO, PANO_LARGE])
def test_a_turn_rolls_the_panorama_bit_for_bit(renderer: Renderer, camera: Camera) -> None:
    before = renderer.equirect(camera, POSE, -67.5, depth=True, ids=True)
    after = renderer.equirect(camera, POSE, -45.0, depth=True, ids=True)
    shift = camera.width // 16
    for name in ("rgb", "depth", "ids"):
        assert np.array_equal(getattr(after, name), np.roll(getattr(before, name), shift, axis=1))


def test_odd_headings_turn_the_panorama_smoothly(renderer: Renderer) -> None:
    step = 360.0 / PANO.width
    whole = renderer.equirect(PANO, POSE, 0.0).rgb.astype(float)
    half = renderer.equirect(PANO, POSE, step / 2).rgb.astype(float)
    between = (whole + np.roll(whole, 1, axis=1)) / 2
    assert np.abs(half - between)[16:-16].mean() < 2.5


def test_the_back_of_a_surface_is_seen_only_when_double_sided(renderer: Renderer) -> None:
    outside = (1.0, 0.0, 9.0)
    view = renderer.pinhole(FRONT, outside, 0.0, depth=True, ids=True)
    assert view.ids is not None and view.depth is not None
    assert view.ids[60, 64] == NORTH_WALL
    assert view.ids[0, 0] == 0 and view.depth[0, 0] == 0.0
    assert tuple(view.rgb[0, 0]) == BACKGROUND
    home = tiny_home()
    both = dataclasses.replace(home, face_double_sided=np.ones_like(home.face_double_sided))
    view = Renderer(both).pinhole(FRONT, outside, 0.0, depth=True)
    assert view.depth is not None
    assert view.depth[60, 64] == pytest.approx(5.0, abs=1e-5)


def test_pitch_looks_up() -> None:
    up = Camera("up", "pinhole", 32, 32, 60.0, 1.25, pitch_deg=90.0)
    view = Renderer(tiny_home()).pinhole(up, POSE, 30.0, depth=True, ids=True)
    assert view.ids is not None and view.depth is not None
    assert (view.ids == CEILING).all()
    assert np.allclose(view.depth, 2.6 - 1.25, atol=1e-5)


def test_channels_come_only_when_asked_for(renderer: Renderer) -> None:
    view = renderer.pinhole(FRONT, POSE, 0.0)
    assert view.depth is None and view.ids is None


def test_cameras_that_cannot_be_are_refused(renderer: Renderer) -> None:
    with pytest.raises(Refusal, match="pitch 0"):
        renderer.equirect(Camera("tilted", "equirect", 64, 128, 360.0, 1.25, pitch_deg=10.0), POSE, 0.0)
    with pytest.raises(Refusal, match="175"):
        renderer.pinhole(Camera("wide", "pinhole", 64, 64, 180.0, 1.25), POSE, 0.0)


def test_mips_are_rounded_means() -> None:
    texture = np.zeros((1, 256, 256, 3), np.uint8)
    texture[0, ::2, ::2] = (255, 10, 3)
    texels, starts = build_mips(texture)
    second = int(texels[0, starts[1]])
    assert [second & 0x1FFFFF, (second >> 21) & 0x1FFFFF, second >> 42] == [64, 3, 1]
    assert starts[-1] + 1 == texels.shape[1]


def test_headings_are_exact_mirror_images() -> None:
    for index in range(16):
        sine, cosine = heading_sincos(22.5 * index)
        assert heading_sincos(22.5 * (index + 8)) == (-sine, -cosine)
        assert sine == pytest.approx(np.sin(np.radians(22.5 * index)), abs=1e-15)
    assert equirect_rays(PANO, 0.0).row_y[0] == -equirect_rays(PANO, 0.0).row_y[-1]


def render_digest() -> str:
    """Return the hash of some views by a fresh renderer."""
    renderer = Renderer(tiny_home())
    state = hashlib.sha256()
    for position, yaw in POSES:
        for camera in (FRONT, PANO):
            view: View = renderer.render(camera, position, yaw, depth=True, ids=True)
            assert view.depth is not None and view.ids is not None
            state.update(view.rgb.tobytes() + view.depth.tobytes() + view.ids.tobytes())
    return state.hexdigest()


def test_two_renderers_give_the_same_bytes() -> None:
    assert render_digest() == render_digest()


@pytest.mark.slow
def test_a_generic_processor_gives_the_same_bytes(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    environment = {**os.environ, **generic}
    code = "from tests.images.embedded.test_renderer import render_digest; print(render_digest())"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == render_digest()
