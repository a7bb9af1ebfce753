"""Which scenes are walked: what a user named, among the homes that can be made or the files that are there."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from pathlib import PurePosixPath
from typing import List, Sequence, Tuple

from harness.collecting.split_guard import (
    SPLIT_OF_SET,
    check_name,
    known_split,
    may_be_collected,
    scene_id,
    scenes_of,
    set_of,
)
from harness.contracts.errors import Refusal
from harness.contracts.scene_names import short_name

_RANGE = re.compile(r"([a-z][a-z0-9_/-]*?)(\d+):\1(\d+)")
_GET = "`python benchmark.py datasets` lists the data sets, with licence and steps; --scenes-dir names another folder."
_SHOWN = 4


def parse_scenes(text: str, split: str) -> List[str]:
    """Return the homes of ``NAME,FIRST:LAST,...`` or of a number of homes; Refusal names what is wrong."""
    if text.isdigit():
        return [f"{split}-{index:04d}" for index in range(int(text))]
    return _each_once([name for part in text.split(",") for name in _range(part)])


def choose_files(text: str, split: str, found: Sequence[str], wanted: int) -> Tuple[str, ...]:
    """Return the scenes that ``text`` names among the scene files ``found``, the first ``wanted`` of the split for "".

    A part of ``text`` is a set (``hm3d-train``), a folder (``hm3d/train``), a scene with or without its suffix, or a
    range; a number alone takes as many of the split. Scenes that a suite plays are never among those of a set, a folder
    or a number. Refusal names what is wrong, and the nearest name.
    """
    if not found:
        raise Refusal("there are no scenes in the folder of scenes.", _GET)
    pool = [scene for scene in found if known_split(scene) in ("", split) and may_be_collected(scene)]
    if not text or text.isdigit():
        count = int(text) if text else min(wanted, len(pool))
        if not pool or count > len(pool):
            raise Refusal(f"the folder of scenes holds {len(pool)} scenes of the split {split}{_asked(text)}.", _GET)
        return tuple(pool[:count])
    return tuple(_each_once([scene for part in text.split(",") for scene in _part(part, split, found)]))


def left_out_as_played(text: str, found: Sequence[str]) -> int:
    """Return how many scenes of the sets in ``text`` are left out because a suite plays them."""
    sets = [part for part in text.split(",") if part in SPLIT_OF_SET]
    return sum(not may_be_collected(scene) for part in sets for scene in scenes_of(part, found))


def _part(part: str, split: str, found: Sequence[str]) -> Tuple[str, ...]:
    if part in SPLIT_OF_SET:
        return _of_set(part, split, found)
    names = [_file(name, split, found) for name in _range(part)] if ":" in part else []
    if names:
        return tuple(name for group in names for name in group)
    return _file(part, split, found)


def _of_set(name: str, split: str, found: Sequence[str]) -> Tuple[str, ...]:
    own = SPLIT_OF_SET[name]
    if own != split:
        step = "Test scenes are collected for nobody." if own == "test" else f"Give --split {own}, or another set."
        raise Refusal(f"{name} are scenes of the split {own!r}, and these are {split} data.", step)
    scenes = tuple(scene for scene in scenes_of(name, found) if may_be_collected(scene))
    if not scenes:
        known = sorted({set_of(scene) for scene in found} - {""})
        raise Refusal(f"there are no scenes of {name} that may be collected here.", f"Here are: {_list(known)}. {_GET}")
    return scenes


def _file(name: str, split: str, found: Sequence[str]) -> Tuple[str, ...]:
    """Return the scene called ``name``, or those in the folder of that name."""
    if short_name(name) in found:
        check_name(name, split)
        return (short_name(name),)
    folder = name.rstrip("/") + "/"
    inside = [scene for scene in found if scene.startswith(folder)]
    kept = tuple(scene for scene in inside if known_split(scene) in ("", split) and may_be_collected(scene))
    if kept:
        return kept
    if inside:
        check_name(inside[0], split)
        raise Refusal(f"a suite plays every scene of {name}.", "Leave it out.")
    check_name(name, split)
    raise Refusal(f"there is no scene {name!r}.", _hint(name, found))


def _hint(name: str, found: Sequence[str]) -> str:
    """Return the scenes that hold the name, else the nearest of all names that would be understood."""
    word = scene_id(name) or name
    holding = [scene for scene in found if word and word in scene]
    if holding:
        return f"Did you mean {_list(holding)}?"
    folders = {str(parent) for scene in found for parent in PurePosixPath(scene).parents} - {"."}
    ids = {scene_id(scene): scene for scene in found}
    known = {**{folder: folder for folder in folders}, **{name: name for name in SPLIT_OF_SET}, **ids}
    known.update({scene: scene for scene in found})
    close = difflib.get_close_matches(name.lower(), {key.lower(): key for key in known}, n=1)
    if close:
        return f"Did you mean {next(value for key, value in known.items() if key.lower() == close[0])!r}?"
    return f"Here are {_list(found)}; sets: {', '.join(SPLIT_OF_SET)}."


def _range(part: str) -> List[str]:
    match = _RANGE.fullmatch(part)
    if match is None:
        return [part]
    first, last = int(match.group(2)), int(match.group(3))
    if last < first:
        raise Refusal(f"--scenes {part} ends before it begins.", "Give FIRST:LAST.")
    width = len(match.group(2))
    return [f"{match.group(1)}{index:0{width}d}" for index in range(first, last + 1)]


def _each_once(names: List[str]) -> List[str]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Refusal(f"--scenes names {twice[0]} twice.", "Name every scene once.")
    return names


def _asked(text: str) -> str:
    return f", and --scenes asks for {text}" if text else ""


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more
