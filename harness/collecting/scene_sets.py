"""The licensed data sets by the names that the published collection knows them by, and which split each scene is of.

HM3D has a folder a split. MP3D has none: its scenes are divided by the published lists, of which the two short ones are
here and everything else is for training.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Mapping, Sequence, Tuple

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
