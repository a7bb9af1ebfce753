"""Scene files: where they lie, which configuration goes with them, and whether their bytes are the suite's.

A scene is named by its path below the scenes folder (`harness.contracts.scene_names`). Scenes of a known data set are
opened through that set's configuration. Any other scene needs a stage configuration beside it, because the simulator
takes a bare GLB for one with z upwards.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Union

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.scene_names import scene_file, short_name
from images.habitat.options import FROM_FILE, NavmeshSettings

DATASET_CONFIGS: Mapping[str, str] = {
    "hm3d": "hm3d/hm3d_annotated_basis.scene_dataset_config.json",
    "mp3d": "mp3d/mp3d.scene_dataset_config.json",
}
"""The configuration of each licensed data set, by the first folder of its scenes' names."""

STAGE_SUFFIX = ".stage_config.json"
NAVMESH_SUFFIX = ".navmesh"

_HOW_TO_GET = "`python benchmark.py datasets` lists the data sets, with licence and exact steps for each"


@dataclass(frozen=True)
class SceneFiles:
    """A scene that is there: its mesh, the data set's configuration (None: a bare scene), and its navmesh's place."""

    name: str
    mesh: Path
    dataset_config: Optional[Path]
    navmesh: Path


class SceneFolder:
    """The scenes below one folder.

    ``digests`` are the suite's SHA-256 by scene name: a scene with other bytes is refused, because results in it
    could not be compared with anybody's. A mesh is read once a process for that.
    """

    def __init__(self, folder: Union[str, Path], dataset_configs: Mapping[str, str], digests: Mapping[str, str]):
        self._folder = Path(folder).absolute()
        self._dataset_configs = dict(dataset_configs)
        self._digests = {short_name(name): digest for name, digest in digests.items()}
        self._checked: Dict[str, str] = {}

    def find(self, name: str) -> SceneFiles:
        """Return the files of the scene called ``name``; raise Refusal with the steps where one is missing."""
        mesh = scene_file(self._folder, name)
        first = mesh.relative_to(self._folder).parts[0]
        family = first if first in self._dataset_configs else ""
        if not mesh.is_file():
            raise _missing(f"scene {name!r} is not at {mesh}", family)
        config = self._folder / self._dataset_configs[family] if family else None
        if config is not None and not config.is_file():
            raise _missing(f"the configuration of data set {family!r} is not at {config}", family)
        if config is None and not stage_config_path(mesh).is_file():
            raise Refusal(
                f"scene {name!r} has no {stage_config_path(mesh).name} beside it, so its axes are unknown.",
                f"Write it there; for a scene with y upwards: {json.dumps(_y_up(mesh))}",
            )
        self._check_digest(name, mesh)
        return SceneFiles(name, mesh, config, mesh.with_suffix(NAVMESH_SUFFIX))

    def navmesh_digest(self, files: SceneFiles, settings: NavmeshSettings, rules: Mapping[str, Any]) -> str:
        """Return the SHA-256 of all that decides a scene's walkable area besides the scene: settings, rules, file."""
        file = ""
        if settings.source == FROM_FILE and files.navmesh.is_file():
            file = file_digest(files.navmesh)
        return digest({"settings": settings, "rules": dict(rules), "file": file})

    def _check_digest(self, name: str, mesh: Path) -> None:
        expected = self._digests.get(short_name(name))
        if expected is None:
            return
        if name not in self._checked:
            self._checked[name] = file_digest(mesh)
        if self._checked[name] != expected:
            raise SpecMismatch(
                f"scene {name!r} has the digest {self._checked[name]}, the suite was made with {expected}.",
                "Get the version of the scenes that the suite's data belong to.",
            )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    reading = hashlib.sha256()
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            reading.update(part)
    return reading.hexdigest()


def stage_config_path(mesh: Path) -> Path:
    """Return where the stage configuration of a bare scene belongs."""
    return mesh.with_name(mesh.name[: -len(mesh.suffix)] + STAGE_SUFFIX)


def write_stage_config(mesh: Path) -> Path:
    """Write the stage configuration of a scene with y upwards beside its mesh; return its path."""
    path = stage_config_path(mesh)
    path.write_text(json.dumps(_y_up(mesh)), encoding="utf-8")
    return path


def _y_up(mesh: Path) -> Dict[str, object]:
    """Return a stage configuration; habitat-sim 0.2.5 refuses one that does not name the mesh, 0.3.3 needs no name."""
    return {"render_asset": mesh.name, "up": [0.0, 1.0, 0.0], "front": [0.0, 0.0, -1.0]}


def _missing(what: str, family: str) -> Refusal:
    if family:
        return Refusal(f"{what}.", f"{_HOW_TO_GET}; `datasets` also verifies what is there.")
    return Refusal(f"{what}.", "Put the scene there, or start the environment with another scenes_dir.")
