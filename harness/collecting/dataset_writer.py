"""Makes the trajectories of a finished collection one data set: tables, statistics, card and checksums.

The checksums come last, so a folder that has them is complete.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from harness.collecting import tables
from harness.collecting.card import card
from harness.collecting.layouts import WORK, file_digest, placed, unit_record_path, walkable_by_scene
from harness.collecting.plan import LEROBOT, RECORD, CollectPlan, plan_to_plain
from harness.collecting.statistics import column_stats, merged
from harness.records.atomic import sync_folder, write_atomic
from harness.records.provenance import versions

CHECKSUMS = "SHA256SUMS"
CARD = "README.md"
EPISODES_JSON = "meta/episodes.json"
"""Table of clips in the layout of pictures, which has no other."""

_VERSIONED = ("python", "numpy", "numba", "av", "pyarrow", "pillow")


def finish(folder: Path, plan: CollectPlan) -> None:
    """Write what belongs to the whole data set, its checksums last, and remove what was not finished."""
    records = [json.loads(unit_record_path(folder, unit.number).read_bytes()) for unit in plan.units]
    digests: Dict[str, str] = {}
    for record in records:
        digests.update(record["files"])
    rows = numbered([row for record in records for row in record["episodes"]])
    if plan.whole:
        digests.update(_number_tables(folder, plan, rows))
    for path in write_meta(folder, plan, rows):
        digests[path] = file_digest(folder / path)
    write_checksums(folder, digests)
    remove_work(folder)


def numbered(rows: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Return the rows of all clips with the place of each among all frames, which depends on the lengths before it."""
    found, first = [], 0
    for row in rows:
        last = first + int(row["length"])
        place: Dict[str, Any] = {"dataset_from_index": first, "dataset_to_index": last}
        place.update({f"stats/index/{kind}": value for kind, value in column_stats(np.arange(first, last)).items()})
        found.append(dict(sorted({**row, **place}.items())))
        first = last
    return found


def _number_tables(folder: Path, plan: CollectPlan, rows: List[Dict[str, Any]]) -> Dict[str, str]:
    """Count the rows of every clip's table on from the clips before; return path -> SHA-256.

    A worker cannot know how long the others' demonstrations are. Done twice, after an interruption, it changes nothing.
    """
    digests = {}
    for unit, row in zip(plan.units, rows, strict=True):
        path, first = tables.data_path(unit.number), int(row["dataset_from_index"])
        source = folder / path

        def write(target: Path, source: Path = source, first: int = first) -> None:
            tables.number_data(source, target, plan, first)

        digests[path] = placed(folder, path, write)
    return digests


def write_meta(folder: Path, plan: CollectPlan, rows: List[Dict[str, Any]]) -> List[str]:
    """Write tables, statistics, settings and card; return their paths below ``folder``."""
    used = {name: version for name, version in versions().items() if name in _VERSIONED}
    stats = merged([clip_stats(row) for row in rows])
    walkable = walkable_by_scene(rows)
    record = {"plan": plan_to_plain(plan), "plan_digest": plan.digest(), "versions": used}
    texts: Dict[str, bytes] = {
        RECORD: _json({**record, "walkable": walkable} if walkable else record),
        tables.STATS_PATH: _json(stats),
        CARD: card(plan, rows, used).encode(),
    }
    written = []
    if plan.layout == LEROBOT:
        texts[tables.INFO_PATH] = _json(tables.info(plan, sum(row["length"] for row in rows)))
        episodes = folder / tables.EPISODES_PATH
        episodes.parent.mkdir(parents=True, exist_ok=True)
        tables.write_episodes(episodes, rows)
        tables.write_tasks(folder / tables.TASKS_PATH, plan)
        written = [tables.EPISODES_PATH, tables.TASKS_PATH]
    else:
        texts[EPISODES_JSON] = _json(rows)
    for path, data in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / path, data)
    return [*written, *texts]


def write_checksums(folder: Path, digests: Dict[str, str]) -> None:
    """Write SHA256SUMS, as ``sha256sum --check`` reads it."""
    lines = [f"{digest}  {path}\n" for path, digest in sorted(digests.items())]
    write_atomic(folder / CHECKSUMS, "".join(lines).encode())


def remove_work(folder: Path) -> None:
    """Remove what belongs to an unfinished collection."""
    shutil.rmtree(folder / WORK, ignore_errors=True)
    sync_folder(folder)


def clip_stats(row: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the statistics of one clip by feature, from its row."""
    stats: Dict[str, Dict[str, Any]] = {}
    for name, value in row.items():
        if name.startswith("stats/"):
            feature, _, kind = name.removeprefix("stats/").rpartition("/")
            stats.setdefault(feature, {})[kind] = value
    return stats


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
