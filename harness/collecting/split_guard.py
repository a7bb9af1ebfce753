"""Keeps validation and test homes out of training data: by name, and by the bytes of the home."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path, PurePosixPath
from typing import FrozenSet, Mapping, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.scene_names import short_name

HM3D, MP3D = "hm3d", "mp3d"

SPLIT_OF_SET: Mapping[str, str] = {
    "hm3d-train": "train",
    "hm3d-val": "validation",
    "hm3d-minival": "validation",
    "mp3d-train": "train",
    "mp3d-val": "validation",
    "mp3d-test": "test",
}
"""Each set, and the split that its scenes may be collected for."""

_MP3D_VAL = frozenset({
    "2azQ1b91cZZ", "8194nk5LbLH", "EU6Fwq7SyZv", "QUCTc6BB5sX", "TbHJrupSAjP", "X7HyMhZNoso", "Z6MFQCViBuw",
    "oLBMNvg9in8", "pLe4wQe7qrG", "x8F5xyUWy9e", "zsNo4HB9uLZ",
})  # fmt: skip
_MP3D_TEST = frozenset({
    "2t7WUuJeko7", "5ZKStnWn8Zo", "ARNzJeq3xxb", "RPmz2sHmrrY", "UwV83HsGsw3", "Vt2qJdWjCF2", "WYY7iVyf5p8",
    "YFuZgdQ5vWj", "YVUC4YcDtcY", "fzynW3qQPVF", "gYvKGZ5eRqb", "gxdoqLR6rwA", "jtcxE69GiFV", "pa4otMbVnkk",
    "q9vSo1VnCiC", "rqfALeAoiTq", "wc2JMjhGNzB", "yqstnuAEVhm",
})  # fmt: skip

BROKEN = frozenset({"qvNra81N8BU"})
"""Scenes that the published collection leaves out of its sets as broken; whoever names one still gets it."""


def scene_id(scene: str) -> str:
    """Return the id in a scene's name: ``kfPV7w3FaU5`` of ``hm3d/train/00000-kfPV7w3FaU5/kfPV7w3FaU5.basis``."""
    return PurePosixPath(short_name(scene)).name.partition(".")[0]


def set_of(scene: str) -> str:
    """Return the set that a scene is of, "" for a scene of no licensed data set."""
    parts = PurePosixPath(short_name(scene)).parts
    if parts[0] == HM3D and len(parts) > 2 and f"{HM3D}-{parts[1]}" in SPLIT_OF_SET:
        return f"{HM3D}-{parts[1]}"
    if parts[0] == MP3D:
        found = scene_id(scene)
        return f"{MP3D}-{'val' if found in _MP3D_VAL else 'test' if found in _MP3D_TEST else 'train'}"
    return ""


def scenes_of(name: str, found: Sequence[str]) -> Tuple[str, ...]:
    """Return the scenes of a set among ``found``, without those that are known to be broken."""
    return tuple(scene for scene in found if set_of(scene) == name and scene_id(scene) not in BROKEN)


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
