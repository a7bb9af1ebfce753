"""Embedded homes as scenes for Habitat: GLB files with their axes beside them, made once and checked when used again.

`exported.json` in the folder says which home each file was made from, by which code, and its SHA-256, so that a file
of another home, an older generator or exporter, or an interrupted export is never played in silence. As a program it
reads the homes and their digests as a JSON object from its standard input:
``python -m images.embedded.habitat_scenes --cache DIR --out DIR``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, Mapping, Tuple

import numpy as np

from harness.contracts.errors import WiwError
from harness.contracts.sources import digest_of_sources
from images.embedded import gltf
from images.embedded.environment import EmbeddedEnvironment
from images.embedded.gltf import write_glb
from images.embedded.mesh import Home
from images.habitat import scenes
from images.habitat.scenes import file_digest, write_stage_config

RECORD = "exported.json"


def write_scene(home: Home, folder: Path, name: str) -> Path:
    """Write ``home`` as the scene ``name`` of ``folder``; return its mesh."""
    folder.mkdir(parents=True, exist_ok=True)
    mesh = folder / f"{name}.glb"
    write_glb(shown_flat(home), mesh)
    write_stage_config(mesh)
    return mesh


def shown_flat(home: Home) -> Home:
    """Return ``home`` with white light on what glows: flat shading knows vertex colours, but no emissive materials."""
    light = home.light.copy()
    light[np.unique(home.faces[home.texture_emissive[home.face_texture] != 0])] = 1.0
    return replace(home, light=light)


def export_homes(
    digests: Mapping[str, str], folder: Path, load: Callable[[str], Home], report: Callable[[str], None]
) -> Tuple[str, ...]:
    """Write the scenes that ``folder`` lacks and return their names.

    ``digests`` are the suite's, by home; ``load`` gives a home, and refuses one with another digest. A scene stays
    when the record names the same home and code, and the file has the recorded bytes. ``report`` gets a line before
    each export.
    """
    record = _read_record(folder)
    code = exporter_digest()
    written = []
    for name, digest in sorted(digests.items()):
        mesh = folder / f"{name}.glb"
        if mesh.is_file() and record.get(name) == _entry(digest, mesh, code):
            continue
        report(f"scene {name}: exporting to {mesh}")
        write_scene(load(name), folder, name)
        record[name] = _entry(digest, mesh, code)
        _write_record(folder, record)
        written.append(name)
    return tuple(written)


def exporter_digest() -> str:
    """Return the digest of the sources that say how a home becomes a scene."""
    own = Path(__file__).read_text(encoding="utf-8")
    return digest_of_sources([Path(gltf.__file__), Path(scenes.__file__)], [own])


def _entry(home: str, mesh: Path, code: str) -> Dict[str, str]:
    return {"home": home, "glb": file_digest(mesh), "code": code}


def _read_record(folder: Path) -> Dict[str, Dict[str, str]]:
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # all are exported again
    return found if isinstance(found, dict) else {}


def _write_record(folder: Path, record: Mapping[str, Mapping[str, str]]) -> None:
    part = folder / f"{RECORD}.part"
    part.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
    part.replace(folder / RECORD)


def main() -> int:
    """Run the command line; return the exit code (2: refused)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cache", required=True, help="folder of baked homes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the scenes")
    chosen = parser.parse_args()
    digests = json.load(sys.stdin)
    homes = EmbeddedEnvironment(chosen.cache, scene_digests=digests)
    try:
        export_homes(digests, chosen.out, homes.load_home, lambda line: print(line, file=sys.stderr, flush=True))
    except (WiwError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
