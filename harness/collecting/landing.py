"""Writes what collecting workers on other machines wrote: by the main process, which alone writes the data set."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Dict

from harness.collecting.layouts import (
    UNITS,
    WORK,
    check_recorded_ground,
    file_names,
    placed,
    placed_folder,
    unit_record_path,
)
from harness.collecting.plan import LEROBOT, CollectPlan, Unit
from harness.records.atomic import write_atomic
from harness.records.errors import RecordError, disk_errors

_RECORD = re.compile(rf"{re.escape(WORK)}/{UNITS}/([0-9]{{6}})\.json")
_LOG = re.compile(rf"{re.escape(WORK)}/[a-z]+-[0-9]+\.log")


class Landing:
    """Takes the files of a data set that come with a worker's messages: a trajectory with its record, or nothing of it.

    What comes without a record belongs to a trajectory that failed, and will be recorded again: it is dropped.
    """

    def __init__(self, folder: Path, plan: CollectPlan) -> None:
        self._folder = folder
        self._plan = plan
        self._units = plan.units

    def __call__(self, files: Mapping[str, bytes], grown: Mapping[str, bytes]) -> None:
        """Write the trajectories in ``files``, each record last, and what is new of logs; both by their paths.

        Raises RecordError for what no worker writes, and Refusal where a scene was walked on another area before.
        """
        for name, data in files.items():
            found = _RECORD.fullmatch(name)
            if found is not None:
                self._land(int(found[1]), data, files)
        for name, data in grown.items():
            if _LOG.fullmatch(name) is None:
                raise _strange(f"the file {name[:120]!r}")
            path = self._folder / name
            with disk_errors(path), path.open("ab") as log:
                log.write(data)

    def _land(self, number: int, data: bytes, files: Mapping[str, bytes]) -> None:
        """Write one trajectory; its record says what its files have to be."""
        if number >= len(self._units):
            raise _strange(f"trajectory {number}, which is not planned")
        unit, record = self._units[number], _record_of(number, data)
        names = file_names(self._plan, unit)
        if set(record["files"]) != names or not names <= set(files):
            raise _strange(f"other files of trajectory {number} than it has")
        check_recorded_ground(self._folder, record["episodes"])
        if self._written(unit, {name: files[name] for name in names}) != record["files"]:
            raise _strange(f"files of trajectory {number} that are not those of its record")
        write_atomic(unit_record_path(self._folder, number), data)

    def _written(self, unit: Unit, files: Mapping[str, bytes]) -> Dict[str, Any]:
        """Write the files of a trajectory; return path -> SHA-256."""
        if self._plan.layout == LEROBOT:
            return {name: placed(self._folder, name, _writing(data)) for name, data in files.items()}
        digests: Dict[str, str] = {}
        for folder in sorted({name.rpartition("/")[0] for name in files}):

            def write(aside: Path, folder: str = folder) -> None:
                for name, data in files.items():
                    if name.rpartition("/")[0] == folder:
                        (aside / name.rpartition("/")[2]).write_bytes(data)

            digests.update(placed_folder(self._folder, folder, write))
        return digests


def _writing(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _record_of(number: int, data: bytes) -> Dict[str, Any]:
    try:
        record = json.loads(data)
        if isinstance(record["files"], dict) and isinstance(record["episodes"], list):
            return dict(record)
    except (ValueError, LookupError, TypeError):
        pass
    raise _strange(f"no record of trajectory {number}, but {data[:60]!r}")


def _strange(what: str) -> RecordError:
    return RecordError(f"a worker sent {what}, which no worker does.", "Check the cluster's nodes.")
