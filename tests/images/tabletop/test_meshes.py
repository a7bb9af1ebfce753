"""Shapes: closed, facing outwards, with normals of length 1, and thin where they were thick."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contracts.errors import Refusal
from images.tabletop.meshes import Mesh, flat_rectangle, joined, read_stl, revolved, rounded_box, thinned


def volume(mesh: Mesh) -> float:
    """Return the volume inside a closed surface; it is negative where faces look inwards."""
    a, b, c = (mesh.corners[:, k] for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6.0)


def ball(segments: int = 64) -> Mesh:
    angles = np.linspace(-np.pi / 2.0, np.pi / 2.0, segments // 2 + 1)
    return revolved([(0.1 * float(np.cos(a)), 0.1 * float(np.sin(a))) for a in angles], segments)


SHAPES = {
    "box": (rounded_box((0.03, 0.02, 0.01), 0.002), 0.06 * 0.04 * 0.02),
    "cylinder": (revolved([(0.0, 0.0), (0.02, 0.0), (0.02, 0.05), (0.0, 0.05)], 64), np.pi * 0.02**2 * 0.05),
    "ball": (ball(), 4.0 / 3.0 * np.pi * 0.1**3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_closed_and_look_outwards(name: str) -> None:
    mesh, expected = SHAPES[name]
    assert volume(mesh) == pytest.approx(expected, rel=0.03)
    assert np.allclose((mesh.normals**2).sum(axis=-1), 1.0, atol=1e-9)
    faces = np.cross(mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 0])
    assert ((faces[:, None] * mesh.normals).sum(axis=-1) > 0.0).all()


def test_a_thinned_surface_keeps_its_shape_with_fewer_faces_and_its_sharp_edges() -> None:
    fine = ball()
    coarse = thinned(fine.corners, 0.03)
    assert len(coarse.corners) < len(fine.corners) / 3
    assert volume(coarse) == pytest.approx(volume(fine), rel=0.15)
    level = flat_rectangle((0.0, 0.0), (1.0, 1.0), 0.0, parts=8).corners
    corner = thinned(np.concatenate((level, level[..., [2, 1, 0]])), 0.05)
    assert np.abs(corner.normals).max(axis=-1) == pytest.approx(1.0, abs=1e-9)


def test_thinning_does_not_depend_on_the_order_of_faces() -> None:
    fine = ball().corners
    one, other = thinned(fine, 0.03), thinned(fine[::-1], 0.03)
    assert np.allclose(one.corners, other.corners, atol=1e-12)


def test_a_moved_mesh_is_turned_first() -> None:
    moved = rounded_box((0.03, 0.01, 0.01)).moved((1.0, 0.0, 0.0), 90.0)
    spans = moved.corners.reshape(-1, 3).max(axis=0) - moved.corners.reshape(-1, 3).min(axis=0)
    assert spans == pytest.approx([0.02, 0.06, 0.02]) and moved.corners[..., 0].mean() == pytest.approx(1.0)


def test_a_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "link.stl"
    mesh = joined([flat_rectangle((0.0, 0.0), (1.0, 1.0), 0.0)])
    rows = np.zeros(2, np.dtype([("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")]))
    rows["c"] = mesh.corners
    whole = bytes(80) + (2).to_bytes(4, "little") + rows.tobytes()
    file.write_bytes(whole)
    assert np.allclose(read_stl(file, (2.0, 1.0, 1.0))[..., 0], 2.0 * mesh.corners[..., 0])
    file.write_bytes(whole[:-1])
    with pytest.raises(Refusal, match="no binary STL"):
        read_stl(file)
