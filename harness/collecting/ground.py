"""One walkable area a scene: all trajectories of a data set walk on the same one, whenever they are recorded.

A navigation mesh may be replaced while a collection is interrupted. Nothing in the pictures would show it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, Mapping, Sequence

from harness.collecting.layouts import WORK
from harness.contracts.errors import Refusal
from harness.contracts.walkable import Walkable, read_row

GROUND = "ground"
"""Folder in the work folder: for each scene that was opened, what it was walked on."""


def check_ground(folder: Path, scene: str, walkable: Walkable) -> None:
    """Raise Refusal where ``scene`` was walked on another area in this collection; remember the first."""
    place = folder / WORK / GROUND
    place.mkdir(parents=True, exist_ok=True)
    known = place / f"{hashlib.sha256(scene.encode()).hexdigest()[:16]}.json"
    aside = place / f"part-{os.getpid()}"
    aside.write_text(json.dumps(walkable.to_row(), sort_keys=True), encoding="utf-8")
    try:
        os.link(aside, known)
    except FileExistsError:
        found = json.loads(known.read_text(encoding="utf-8"))["navmesh_digest"]
        if found != walkable.digest:
            raise Refusal(
                f"scene {scene} was walked on the navigation mesh {found} before, and has {walkable.digest} now.",
                "Give the old navigation mesh back, or collect under another EXP_ID.",
            ) from None
    finally:
        aside.unlink()


def walkable_by_scene(rows: Sequence[Mapping[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """Return what the rows of a data set say of each scene's walkable area; {} where they say nothing."""
    found = {str(row["scene"]): read_row(row) for row in rows}
    return {scene: walkable.to_row() for scene, walkable in found.items() if walkable is not None}
