"""Keeps validation and test homes out of training data: by name, and by the bytes of the home."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import FrozenSet, Mapping

from harness.collecting.scene_sets import SPLIT_OF_SET, set_of
from harness.contracts.errors import Refusal
from harness.contracts.scene_names import short_name

TRAIN, VALIDATION = "train", "validation"
SPLITS = (TRAIN, VALIDATION)
_KINDS = {TRAIN: "training", VALIDATION: VALIDATION}
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


def known_split(scene: str) -> str:
    """Return the split that a scene's name says, of an embedded home or of a licensed data set; '' for other scenes."""
    return split_of(scene) or SPLIT_OF_SET.get(set_of(scene), "")


def may_be_collected(scene: str) -> bool:
    """Say whether no suite plays the scene of this name, homes of a split of their own excepted."""
    return bool(split_of(scene)) or short_name(scene) not in _played_names()


def check_name(scene: str, split: str) -> None:
    """Raise Refusal for a scene whose name says that it belongs to another split, or that a suite plays."""
    own = known_split(scene)
    if own and own != split:
        homes = f"Choose homes named {split}-0000 and so on."
        raise Refusal(
            f"{scene} is a home of the split {own!r}, and these are {split} data.",
            homes if split_of(scene) else f"Choose scenes of the split {split}.",
        )
    if not may_be_collected(scene):
        raise Refusal(f"scene {scene} is played by a suite, and these are {_KINDS[split]} data.", "Leave it out.")


def _played_names() -> FrozenSet[str]:
    return frozenset(short_name(name) for name in evaluation_homes().values() if not split_of(name))


def check_scene(scene: str, digest: str, split: str) -> None:
    """Raise Refusal for a scene that may not be in data of ``split``, whatever it is called."""
    check_name(scene, split)
    played = evaluation_homes().get(digest)
    if played is not None and (split == TRAIN or split_of(played) != split):
        raise Refusal(
            f"scene {scene} has the bytes of {played}, which a suite plays, and these are {split} data.",
            "Leave it out.",
        )
