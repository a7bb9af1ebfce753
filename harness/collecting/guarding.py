"""Keeps validation and test homes out of training data: by name, and by the bytes of the home."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Mapping

from harness.contracts.errors import Refusal

TRAIN, VALIDATION = "train", "validation"
SPLITS = (TRAIN, VALIDATION)
"""Test homes are collected for nobody."""

_TASKS = Path(__file__).resolve().parents[2] / "tasks"
_HOME = re.compile(r"(?P<split>[a-z][a-z-]*)-[0-9]{4}")


@functools.lru_cache(maxsize=1)
def evaluation_homes(tasks: Path = _TASKS) -> Mapping[str, str]:
    """Return the digest -> name of every scene that any suite plays, homes of the split `train` excepted."""
    found = {}
    for path in sorted(tasks.glob("*/suites/*/homes.json")):
        for name, digest in json.loads(path.read_text(encoding="utf-8")).items():
            if split_of(name) != TRAIN:
                found[str(digest)] = str(name)
    return found


def split_of(scene: str) -> str:
    """Return the split that an embedded home's name says, '' for other scenes."""
    match = _HOME.fullmatch(scene)
    return match.group("split") if match else ""


def check_name(scene: str, split: str) -> None:
    """Raise Refusal for a scene whose name says that it belongs to another split, or that a suite plays."""
    own = split_of(scene)
    if own and own != split:
        raise Refusal(
            f"{scene} is a home of the split {own!r}, and these are {split} data.",
            f"Choose homes named {split}-0000 and so on.",
        )
    if split == TRAIN and scene in evaluation_homes().values():
        raise Refusal(f"scene {scene} is played by a suite, and these are training data.", "Leave it out.")


def check_scene(scene: str, digest: str, split: str) -> None:
    """Raise Refusal for a scene that may not be in data of ``split``, whatever it is called."""
    check_name(scene, split)
    played = evaluation_homes().get(digest)
    if played is not None and (split == TRAIN or split_of(played) != split):
        raise Refusal(
            f"scene {scene} has the bytes of {played}, which a suite plays, and these are {split} data.",
            "Leave it out.",
        )
