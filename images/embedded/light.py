"""The light bake: lamps and daylight with soft shadows, and what bounces between surfaces.

Light is computed once per home and stored per vertex, so that rendering needs no light at all. Vertices
that share position and normal are baked as one; those buried in other furniture take the light of their
neighbours, or they would show as dark blotches. Scalar float64 arithmetic only: see ``bvh``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts import portable
from harness.contracts.kernels import compiled
from images.embedded.bvh import NO_HIT, Tree, build_tree, trace

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

GATHER_RAYS = 24
BOUNCES = 3
BURIED_SHARE = 0.3
"""Share of back faces seen above which a vertex lies inside something."""
CREVICE = 0.06
"""A vertex that sees nothing farther than this (metres) is covered by furniture."""
AMBIENT = 0.05
"""Light that is everywhere: what the bounces beyond the last would add."""
NEGLIGIBLE = 0.02
"""A light that adds less than this (facing it, in the open) is left out."""
FAR = 4.5
"""Beyond this distance in metres shadows need fewer rays."""
OFFSET = 0.006
TOWARDS_FACE = 0.06
"""How far a sample moves from its vertex to the middle of its faces: corners then belong to one side."""

_sincos = compiled(portable.sincos)


@dataclass(frozen=True)
class LightScene:
    """Geometry and lights in the form that the bake reads.

    ``normals`` [V, 3]; ``albedo`` [T, 3] mean linear-ish reflectance of textures (0-1);
    ``lamps`` [L, 7]: position, power (light at 1 m), radius; ``portals`` [P, 15]: centre, half right edge,
    half up edge, direction into the room, radiance.
    """

    positions: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32]
    faces: Ints
    face_texture: Ints
    face_double_sided: npt.NDArray[np.uint8]
    albedo: Floats
    texture_emissive: npt.NDArray[np.uint8]
    lamps: Floats
    portals: Floats


def bake(scene: LightScene) -> npt.NDArray[np.float32]:
    """Return the light of every vertex, [V, 3] float32 (1 shows a texture's own brightness)."""
    keys = np.concatenate(
        [np.floor(scene.positions * 2000.0 + 0.5), np.floor(scene.normals * 8.0 + 0.5)], axis=1
    ).astype(np.int32)
    _, first, weld = np.unique(keys.view([("", np.int32)] * 6).ravel(), return_index=True, return_inverse=True)
    weld = weld.ravel().astype(np.int32)
    positions = scene.positions[first].astype(np.float64)
    normals = _unit(scene.normals[first].astype(np.float64))
    faces = weld[scene.faces]
    solid = scene.texture_emissive[scene.face_texture] == 0
    lit_faces = np.ascontiguousarray(faces[solid])
    textures = scene.face_texture[solid]
    sheet = np.ascontiguousarray(scene.face_double_sided[solid])
    tree = build_tree(positions, lit_faces)
    thin = _thin_vertices(len(positions), faces, scene.face_double_sided)
    samples = _sample_points(positions, normals, faces)
    direct = _direct(tree, samples, normals, thin, scene.lamps, scene.portals)
    rays = _ray_pattern(GATHER_RAYS)
    hits, weights, valid = _gather(tree, samples, normals, thin, sheet, rays)
    albedo = np.ascontiguousarray(scene.albedo[textures])
    total = direct
    for _ in range(BOUNCES):
        total = _bounce(direct, total, hits, weights, lit_faces, albedo)
    total = total + AMBIENT
    total = _repair(total, valid, faces)
    total = _smooth(total, faces)
    return np.ascontiguousarray(total[weld], np.float32)


def _unit(vectors: Floats) -> Floats:
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    lengths = np.sqrt(x * x + y * y + z * z)
    lengths[lengths < 1e-9] = 1.0
    unit: Floats = vectors / lengths[:, None]
    return unit


@compiled
def _thin_vertices(count: int, faces: Ints, double_sided: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    thin = np.zeros(count, np.uint8)
    for f in range(len(faces)):
        if double_sided[f]:
            for k in range(3):
                thin[faces[f, k]] = 1
    return thin


@compiled
def _sample_points(positions: Floats, normals: Floats, faces: Ints) -> Floats:
    """Where to sample each vertex: a little off the surface and towards the middle of its faces."""
    middle = np.zeros((len(positions), 3))
    count = np.zeros(len(positions))
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        for axis in range(3):
            center = (positions[a, axis] + positions[b, axis] + positions[c, axis]) / 3.0
            middle[a, axis] += center
            middle[b, axis] += center
            middle[c, axis] += center
        count[a] += 1.0
        count[b] += 1.0
        count[c] += 1.0
    out = np.empty_like(positions)
    for v in range(len(positions)):
        n = max(count[v], 1.0)
        for axis in range(3):
            towards = middle[v, axis] / n - positions[v, axis] if count[v] > 0.0 else 0.0
            out[v, axis] = positions[v, axis] + TOWARDS_FACE * towards + OFFSET * normals[v, axis]
    return out


@compiled
def _lamp_light(tree: Tree, p: Floats, n: Floats, thin: int, lamp: Floats, out: Floats) -> None:
    """Add one lamp: four shadow rays to the corners of a tetrahedron on its glowing body (one from afar)."""
    dx, dy, dz = lamp[0] - p[0], lamp[1] - p[1], lamp[2] - p[2]
    distance2 = dx * dx + dy * dy + dz * dz
    if lamp[3] < NEGLIGIBLE * distance2:
        return
    count = 4 if distance2 < FAR * FAR else 1
    radius = lamp[6] * 0.57735 if count == 4 else 0.0
    for k in range(count):
        sx = radius if k % 2 == 0 else -radius
        sy = radius if k < 2 else -radius
        sz = radius if k == 0 or k == 3 else -radius
        lx, ly, lz = dx + sx, dy + sy, dz + sz
        length2 = lx * lx + ly * ly + lz * lz
        length = np.sqrt(length2)
        cosine = (lx * n[0] + ly * n[1] + lz * n[2]) / max(length, 1e-9)
        side = 1.0
        if thin and cosine < 0.0:
            cosine, side = -cosine, -1.0
        if cosine <= 0.0:
            continue
        shift = 2.0 * OFFSET if side < 0.0 else 0.0
        ox, oy, oz = p[0] - shift * n[0], p[1] - shift * n[1], p[2] - shift * n[2]
        hit, _, _, _ = trace(tree, ox, oy, oz, lx, ly, lz, 0.985, True)
        if hit == NO_HIT:
            share = cosine / (count * (length2 + 0.3))
            for c in range(3):
                out[c] += lamp[3 + c] * share


@compiled
def _portal_light(tree: Tree, p: Floats, n: Floats, thin: int, portal: Floats, out: Floats) -> None:
    """Add the sky seen through one window: 2 x 3 shadow rays to its panes, 2 from afar."""
    ahead = (p[0] - portal[0]) * portal[9] + (p[1] - portal[1]) * portal[10] + (p[2] - portal[2]) * portal[11]
    if ahead <= 0.02:
        return
    rx, ry, rz, ux, uy, uz = portal[3], portal[4], portal[5], portal[6], portal[7], portal[8]
    half_width, half_height = np.sqrt(rx * rx + ry * ry + rz * rz), np.sqrt(ux * ux + uy * uy + uz * uz)
    area = 4.0 * half_width * half_height
    dx, dy, dz = p[0] - portal[0], p[1] - portal[1], p[2] - portal[2]
    distance2 = dx * dx + dy * dy + dz * dz
    if portal[13] * area < NEGLIGIBLE * portable.PI * distance2:
        return
    count = 6 if distance2 < FAR * FAR else 2
    for k in range(count):
        a = (k % 3 - 1) * 0.66 if count == 6 else k - 0.5
        b = (-0.5 if k < 3 else 0.5) if count == 6 else 0.0
        lx = portal[0] + a * rx + b * ux - p[0]
        ly = portal[1] + a * ry + b * uy - p[1]
        lz = portal[2] + a * rz + b * uz - p[2]
        length2 = lx * lx + ly * ly + lz * lz
        length = np.sqrt(length2)
        facing = -(lx * portal[9] + ly * portal[10] + lz * portal[11]) / max(length, 1e-9)
        cosine = (lx * n[0] + ly * n[1] + lz * n[2]) / max(length, 1e-9)
        if thin and cosine < 0.0:
            cosine = -cosine
        if cosine <= 0.0 or facing <= 0.0:
            continue
        hit, _, _, _ = trace(tree, p[0], p[1], p[2], lx, ly, lz, 0.985, True)
        if hit == NO_HIT:
            share = cosine * facing * area / (count * portable.PI * (length2 + 0.15))
            for c in range(3):
                out[c] += portal[12 + c] * share


@compiled
def _direct(
    tree: Tree, samples: Floats, normals: Floats, thin: npt.NDArray[np.uint8], lamps: Floats, portals: Floats
) -> Floats:
    out = np.zeros((len(samples), 3))
    for v in range(len(samples)):
        for k in range(len(lamps)):
            _lamp_light(tree, samples[v], normals[v], thin[v], lamps[k], out[v])
        for k in range(len(portals)):
            _portal_light(tree, samples[v], normals[v], thin[v], portals[k], out[v])
    return out


@compiled
def _ray_pattern(count: int) -> Floats:
    """Cosine-weighted directions about +z, [count, 3]: a Fibonacci spiral on the disc, lifted."""
    out = np.empty((count, 3))
    for k in range(count):
        radius2 = (k + 0.5) / count
        sine, cosine = _sincos(2.399963229728653 * k)
        radius = np.sqrt(radius2)
        out[k, 0], out[k, 1], out[k, 2] = radius * cosine, radius * sine, np.sqrt(1.0 - radius2)
    return out


@compiled
def _gather(
    tree: Tree,
    samples: Floats,
    normals: Floats,
    thin: npt.NDArray[np.uint8],
    sheet: npt.NDArray[np.uint8],
    rays: Floats,
) -> Tuple[Ints, npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Find what each vertex sees: triangle and barycentric weights per ray, and whether the vertex is in the open."""
    count = len(rays)
    hits = np.full((len(samples), count), NO_HIT, np.int32)
    weights = np.zeros((len(samples), count, 2), np.float32)
    valid = np.ones(len(samples), np.uint8)
    for v in range(len(samples)):
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        if abs(ny) < 0.9:
            length = np.sqrt(nx * nx + nz * nz)
            tx, ty, tz = nz / length, 0.0, -nx / length
        else:
            length = np.sqrt(ny * ny + nz * nz)
            tx, ty, tz = 0.0, nz / length, -ny / length
        bx, by, bz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
        turn_sine, turn_cosine = _sincos((v * 0.6180339887498949) % 1.0 * portable.TWO_PI)
        back, near = 0, 0
        for k in range(count):
            a = rays[k, 0] * turn_cosine - rays[k, 1] * turn_sine
            b = rays[k, 0] * turn_sine + rays[k, 1] * turn_cosine
            c = rays[k, 2]
            shift = 0.0
            if thin[v] and k % 2 == 1:
                c, shift = -c, 2.0 * OFFSET
            dx, dy, dz = tx * a + bx * b + nx * c, ty * a + by * b + ny * c, tz * a + bz * b + nz * c
            ox, oy, oz = samples[v, 0] - shift * nx, samples[v, 1] - shift * ny, samples[v, 2] - shift * nz
            place, distance, u, w = trace(tree, ox, oy, oz, dx, dy, dz, 1e20, False)
            if place == NO_HIT:
                continue
            if distance < CREVICE:
                near += 1
            triangle = tree.order[place]
            e = tree.corners[place]
            gx, gy, gz = e[4] * e[8] - e[5] * e[7], e[5] * e[6] - e[3] * e[8], e[3] * e[7] - e[4] * e[6]
            if sheet[triangle] == 0 and gx * dx + gy * dy + gz * dz > 0.0:
                back += 1
                continue
            hits[v, k] = triangle
            weights[v, k, 0], weights[v, k, 1] = u, w
        if back > BURIED_SHARE * count or near > 0.85 * count:
            valid[v] = 0
    return hits, weights, valid


@compiled
def _bounce(
    direct: Floats, light: Floats, hits: Ints, weights: npt.NDArray[np.float32], faces: Ints, albedo: Floats
) -> Floats:
    """Return direct light plus the light that ``light`` sends after one bounce."""
    out = direct.copy()
    count = hits.shape[1]
    for v in range(len(direct)):
        for k in range(count):
            f = hits[v, k]
            if f == NO_HIT:
                continue
            u, w = weights[v, k, 0], weights[v, k, 1]
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            for axis in range(3):
                arriving = light[a, axis] * (1.0 - u - w) + light[b, axis] * u + light[c, axis] * w
                out[v, axis] += albedo[f, axis] * arriving / count
    return out


@compiled
def _repair(light: Floats, valid: npt.NDArray[np.uint8], faces: Ints) -> Floats:
    """Spread the light of valid vertices along edges into buried ones; what stays apart gets a plain grey."""
    out = light.copy()
    known = valid.copy()
    total = np.empty((len(out), 3))
    count = np.empty(len(out))
    for _ in range(24):
        for v in range(len(out)):
            count[v] = 0.0
            for axis in range(3):
                total[v, axis] = 0.0
        for f in range(len(faces)):
            for k in range(3):
                a, b = faces[f, k], faces[f, (k + 1) % 3]
                if known[a] == known[b]:
                    continue
                giver, taker = (a, b) if known[a] else (b, a)
                count[taker] += 1.0
                for axis in range(3):
                    total[taker, axis] += out[giver, axis]
        changed = False
        for v in range(len(out)):
            if not known[v] and count[v] > 0.0:
                for axis in range(3):
                    out[v, axis] = total[v, axis] / count[v]
                known[v] = 1
                changed = True
        if not changed:
            break
    for v in range(len(out)):
        if not known[v]:
            for axis in range(3):
                out[v, axis] = max(out[v, axis], 0.25)
    return out


@compiled
def _smooth(light: Floats, faces: Ints) -> Floats:
    """Blend each vertex with its neighbours once: hides the noise of few rays."""
    total = light.copy()
    weight = np.ones(len(light))
    for f in range(len(faces)):
        for k in range(3):
            a, b = faces[f, k], faces[f, (k + 1) % 3]
            for axis in range(3):
                total[a, axis] += 0.2 * light[b, axis]
                total[b, axis] += 0.2 * light[a, axis]
            weight[a] += 0.2
            weight[b] += 0.2
    for v in range(len(light)):
        for axis in range(3):
            total[v, axis] /= weight[v]
    return total
