"""Scenes by name: one rule for where the file of a scene lies and what a file's scene is called.

A scene is called by its path below the folder of all scenes, in one of two forms that mean the same: with its suffix
(``hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb``, as published episodes have it) or without ``.glb``
(``train-0003``). Dots inside a name (``X.basis``) are no suffix.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import List, Set, Tuple, Union

from harness.contracts.errors import Refusal

GLB = ".glb"
MESH_SUFFIXES = (GLB, ".gltf", ".ply", ".obj")
"""Files that a simulator opens as scenes; a name with none of them means a GLB."""

_BASIS, _SEMANTIC = ".basis", ".semantic"
"""Before the suffix: compressed textures, and the colours of annotations, which are no scene of their own."""


def scene_file(folder: Union[str, Path], name: str) -> Path:
    """Return where the file of the scene called ``name`` belongs; Refusal for a name that leaves ``folder``."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in name:
        raise Refusal(f"{name!r} names no scene below {folder}.", "Name it by its path below that folder.")
    path = Path(folder).joinpath(*parts)
    return path if path.name.endswith(MESH_SUFFIXES) else path.with_name(path.name + GLB)


def scene_name(folder: Union[str, Path], file: Path) -> str:
    """Return what the scene in ``file`` below ``folder`` is called: `scene_file` of it is that file."""
    full = file.relative_to(folder).as_posix()
    short = full[: -len(GLB)] if full.endswith(GLB) else full
    return full if not short or short.endswith(("/", *MESH_SUFFIXES)) else short


def short_name(name: str) -> str:
    """Return the one form of a scene's name that other forms are compared in."""
    return scene_name(".", scene_file(".", name))


def list_scenes(folder: Union[str, Path]) -> Tuple[str, ...]:
    """Return the names of all GLB scenes below ``folder``, sorted; links are followed, since data sets often are links.

    Annotations are left out, and of two files of one scene the one without compressed textures.
    """
    found: List[Path] = []
    seen: Set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        scenes = {name for name in files if name.endswith(GLB) and not name.startswith(".")}
        for name in scenes:
            stem = name[: -len(GLB)]
            if not stem.endswith(_SEMANTIC) and f"{stem}{_BASIS}{GLB}" not in scenes:
                found.append(Path(place) / name)
    return tuple(sorted(scene_name(folder, path) for path in found))
