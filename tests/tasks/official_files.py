"""Small files in the published formats, for tests: two or three items each, with every field the readers use."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from PIL import Image

from tasks.official.files import AEQA_FILE, AR_FILE, IGNAV_FILE
from tasks.official.goal_images import ZIP_FILE

HALF = 0.5**0.5


def ar_item(number: int, **changes: Any) -> Dict[str, Any]:
    """Return one item of active recognition, with the published misspelling."""
    return {
        "scene_id": "data/scene_datasets/mp3d/2azQ1b91cZZ/2azQ1b91cZZ.glb",
        "episode_id": number,
        "target_id": 40 + number,
        "target_categrory": "tv_monitor",
        "difficulty": number % 3,
        "start_position": [1.5, 0.1, -2.0],
        "start_rotation": [HALF, 0.0, HALF, 0.0],
        **changes,
    }


def ignav_item(number: int, **changes: Any) -> Dict[str, Any]:
    """Return one item of image-goal navigation."""
    return {
        "datum_id": f"datum-{number}",
        "episode_id": number,
        "scene_relpath": "00800-TEEsavR23oF/TEEsavR23oF.basis.glb",
        "goal_image_relpath": f"images/datum-{number}.png",
        "goal_image_png_bytes": None,
        "start_position": [0.0, 0.1, 0.0],
        "start_rotation": [0.9998, 0.0, 0.02, 0.0],
        "goal_position": [3.0, 0.1, -4.0],
        "goal_rotation": [0.0, 0.0, 1.0, 0.0],
        "goal_radius": 0.5,
        "goal_rot_diff": 12.0,
        "step_to_goal": 27 + number,
        **changes,
    }


def aeqa_item(number: int, **changes: Any) -> Dict[str, Any]:
    """Return one question."""
    return {
        "question": "What stands on the stove?",
        "answer": "a kettle",
        "category": "object recognition",
        "question_id": f"2f3b-{number}",
        "episode_history": "hm3d-v0/000-hm3d-BFRyYbPCCPE",
        "scene_id": "data/scene_datasets/hm3d/val/00814-p53SfW6mjZe/p53SfW6mjZe.basis.glb",
        "hfov": 90,
        "start_position": [0.0, 0.1, 0.0],
        "start_rotation": [1.0, 0.0, 0.0, 0.0],
        **changes,
    }


def write_plain(path: Path, plain: Any) -> Path:
    """Write gzip JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(plain).encode(), mtime=0))
    return path


def write_ar(data: Path, items: List[Any]) -> Path:
    """Write the file of active recognition."""
    return write_plain(data / AR_FILE, {"episodes": items})


def write_ignav(data: Path, items: List[Any], **changes: Any) -> Path:
    """Write the file of image-goal navigation."""
    meta = {"original_hm3d_root": "/somewhere/hm3d/val", "img_zip_filename": "igdataset_goal_imgs.zip"}
    return write_plain(
        data / IGNAV_FILE, {"version": "1.1", "num_items": len(items), "meta": meta, "data": items, **changes}
    )


def write_aeqa(data: Path, items: List[Any]) -> Path:
    """Write the file of questions."""
    return write_plain(data / AEQA_FILE, items)


def write_goal_images(data: Path, names: List[str], **others: bytes) -> Path:
    """Write a zip with a 4 x 8 image of its own colour a name, and ``others`` as they are."""
    path = data / ZIP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            stream = io.BytesIO()
            Image.fromarray(np.full((4, 8, 3), 10 * number, np.uint8)).save(stream, "PNG")
            archive.writestr(f"images/{name}.png", stream.getvalue())
        for name, content in others.items():
            archive.writestr(name, content)
    return path
