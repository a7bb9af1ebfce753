"""Homes as standard GLB files with a JSON sidecar, so that viewers and Habitat load the same scenes.

One node per object (its meshes, one per texture, below it), PNG textures, y up. Baked light travels twice:
exactly, as the float attribute ``_LIGHT``, and clipped to bytes as ``COLOR_0`` for viewers that know nothing
of it. The sidecar holds what glTF has no place for: categories, colour words, rooms, seed.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple, Union

import numpy as np
import numpy.typing as npt
import trimesh
from PIL import Image
from trimesh.visual.material import PBRMaterial

from images.embedded.homebytes import describe_home, parse_objects, parse_rooms
from images.embedded.mesh import Home

LIGHT_ATTRIBUTE = "_LIGHT"
FORMAT = "wiw-home-1"
_MESH_NAME = re.compile(r"object-(\d+)-texture-(\d+)(-both-sides)?")


class GltfHomeError(ValueError):
    """A GLB or sidecar that does not hold a home."""


@dataclass(frozen=True)
class _Group:
    """The triangles of one object that share texture and sidedness; they become one glTF mesh."""

    object: int
    texture: int
    double_sided: bool
    faces: npt.NDArray[np.int64]

    @property
    def name(self) -> str:
        """The name of the mesh and its node."""
        return f"object-{self.object:04d}-texture-{self.texture:03d}" + ("-both-sides" if self.double_sided else "")


def _groups(home: Home) -> Iterator[_Group]:
    """Yield the meshes in the order of (object, texture, sidedness), which is the order of a built home."""
    keys = np.stack([home.face_object, home.face_texture, home.face_double_sided.astype(np.int32)], axis=1)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(inverse.ravel(), minlength=len(unique)))
    for key, start, end in zip(unique, [0, *ends[:-1]], ends):
        yield _Group(int(key[0]), int(key[1]), bool(key[2]), order[start:end])


def sidecar_path(path: Union[str, Path]) -> Path:
    """Return the JSON file beside a GLB file."""
    return Path(path).with_suffix(".json")


def write_glb(home: Home, path: Union[str, Path]) -> None:
    """Write ``home`` to ``path`` and its sidecar beside it.

    Reading gives back an equal home if its triangles come sorted by (object, texture, sidedness) with their own
    vertices, as ``build_home`` makes them; others come back in that order.
    """
    scene = trimesh.Scene()
    pictures = [_png(texture) for texture in home.textures]
    materials: Dict[Tuple[int, bool], PBRMaterial] = {}
    nodes: Dict[str, int] = {}
    for item in home.objects:
        scene.graph.update(frame_to=_node_name(item.id), frame_from=scene.graph.base_frame)
        nodes[_node_name(item.id)] = item.id
    for group in _groups(home):
        key = (group.texture, group.double_sided)
        if key not in materials:
            materials[key] = _material(home, pictures[group.texture], *key)
        mesh = _mesh(home, group, materials[key])
        scene.add_geometry(mesh, node_name=group.name, geom_name=group.name, parent_node_name=_node_name(group.object))
    data = scene.export(file_type="glb", include_normals=False)
    Path(path).write_bytes(data)
    description = {
        "format": FORMAT,
        **describe_home(home),
        "categories": sorted({o.category for o in home.objects}),
        "nodes": nodes,
        "textures": len(home.textures),
        "texture_emissive": [int(e) for e in home.texture_emissive],
        "light": f"linear irradiance in {LIGHT_ATTRIBUTE} (float), clipped in COLOR_0",
    }
    sidecar_path(path).write_text(json.dumps(description, indent=1), encoding="utf-8")


def _node_name(object_id: int) -> str:
    return f"object-{object_id:04d}"


def _png(texture: npt.NDArray[np.uint8]) -> Image.Image:
    """Return the texture as an image that went through PNG (so that trimesh embeds it as PNG)."""
    buffer = io.BytesIO()
    Image.fromarray(texture).save(buffer, format="PNG")
    return Image.open(io.BytesIO(buffer.getvalue()))


def _material(home: Home, picture: Image.Image, texture: int, double_sided: bool) -> PBRMaterial:
    glowing = bool(home.texture_emissive[texture])
    return PBRMaterial(
        name=f"texture-{texture:03d}" + ("-both-sides" if double_sided else ""),
        baseColorTexture=picture,
        emissiveTexture=picture if glowing else None,
        emissiveFactor=[1.0, 1.0, 1.0] if glowing else None,
        metallicFactor=0.0,
        roughnessFactor=0.9,
        doubleSided=double_sided,
    )


def _mesh(home: Home, group: _Group, material: PBRMaterial) -> trimesh.Trimesh:
    corners = home.faces[group.faces]
    used, local = np.unique(corners, return_inverse=True)
    uvs = home.uvs[used].astype(np.float64)
    uvs[:, 1] = 1.0 - uvs[:, 1]  # trimesh keeps v upwards and turns it on writing
    visual = trimesh.visual.TextureVisuals(uv=uvs, material=material)
    light = home.light[used]
    shown = np.full((len(used), 4), 255, np.uint8)
    shown[:, :3] = np.clip(light * np.float32(255.0) + np.float32(0.5), 0.0, 255.0).astype(np.uint8)
    visual.vertex_attributes["color"] = shown
    mesh = trimesh.Trimesh(
        vertices=home.positions[used], faces=local.reshape(-1, 3), visual=visual, process=False, validate=False
    )
    mesh.vertex_attributes[LIGHT_ATTRIBUTE] = light
    return mesh


def read_glb(path: Union[str, Path]) -> Home:
    """Return the home that ``write_glb`` wrote to ``path`` (needs the sidecar beside it)."""
    description = _read_sidecar(path)
    scene = trimesh.load(Path(path), process=False)
    parts = sorted(_parts(scene, path), key=lambda part: part[0])
    textures = _textures(parts, description, path)
    offsets = np.concatenate([[0], np.cumsum([len(mesh.vertices) for _, mesh in parts])[:-1]])
    uvs = np.concatenate([mesh.visual.uv for _, mesh in parts]).astype(np.float64)
    uvs[:, 1] = 1.0 - uvs[:, 1]
    counts = [len(mesh.faces) for _, mesh in parts]
    keys = np.repeat(np.array([key for key, _ in parts], np.int64).reshape(-1, 3), counts, axis=0)
    return Home(
        seed=description["seed"],
        positions=np.concatenate([mesh.vertices for _, mesh in parts]).astype(np.float32),
        faces=np.concatenate([mesh.faces + o for (_, mesh), o in zip(parts, offsets)]).astype(np.int32),
        uvs=uvs.astype(np.float32),
        light=np.concatenate([_light(mesh, path) for _, mesh in parts]).astype(np.float32),
        face_texture=keys[:, 1].astype(np.int32),
        face_object=keys[:, 0].astype(np.int32),
        face_double_sided=keys[:, 2].astype(np.uint8),
        textures=textures,
        texture_emissive=np.array(description["texture_emissive"], np.uint8),
        objects=parse_objects(description),
        rooms=parse_rooms(description),
    )


def _read_sidecar(path: Union[str, Path]) -> Dict[str, Any]:
    sidecar = sidecar_path(path)
    try:
        description: Dict[str, Any] = json.loads(sidecar.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise GltfHomeError(f"{path} has no sidecar {sidecar.name}: copy both files together") from error
    except ValueError as error:
        raise GltfHomeError(f"{sidecar} is not JSON ({error}): export the home again") from error
    if description.get("format") != FORMAT:
        raise GltfHomeError(f"{sidecar} has format {description.get('format')!r}, expected {FORMAT!r}: export it again")
    return description


_Part = Tuple[Tuple[int, int, int], trimesh.Trimesh]


def _parts(scene: Any, path: Union[str, Path]) -> Iterator[_Part]:
    for name, mesh in scene.geometry.items():
        match = _MESH_NAME.fullmatch(name)
        if match is None:
            raise GltfHomeError(f"{path} has a mesh {name!r} that no home has: export the home again")
        yield (int(match.group(1)), int(match.group(2)), int(match.group(3) is not None)), mesh


def _light(mesh: trimesh.Trimesh, path: Union[str, Path]) -> npt.NDArray[np.float32]:
    if LIGHT_ATTRIBUTE not in mesh.vertex_attributes:
        raise GltfHomeError(f"{path} has lost its baked light ({LIGHT_ATTRIBUTE}): export the home again")
    light: npt.NDArray[np.float32] = np.asarray(mesh.vertex_attributes[LIGHT_ATTRIBUTE], np.float32)
    return light


def _textures(parts: List[_Part], description: Dict[str, Any], path: Union[str, Path]) -> npt.NDArray[np.uint8]:
    images: Dict[int, npt.NDArray[np.uint8]] = {}
    for (_, texture, _), mesh in parts:
        if texture not in images:
            images[texture] = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB"), np.uint8)
    missing = sorted(set(range(description["textures"])) - set(images))
    if missing:
        raise GltfHomeError(f"{path} lacks textures {missing}: export the home again")
    return np.stack([images[k] for k in range(description["textures"])])
