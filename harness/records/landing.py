"""Writes what workers on other machines wrote: into the run folder, by the main process, as they would have here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Dict

from harness.records.episode_files import write_files
from harness.records.errors import RecordError, disk_errors
from harness.records.folder import EPISODES, LOGS, RunFolder
from harness.records.notes import NOTES, add_notes

_PART = r"[A-Za-z0-9][A-Za-z0-9._@+=-]{0,219}"
_EPISODE = re.compile(rf"{EPISODES}/({_PART})/({_PART})")
_LOG = re.compile(rf"{LOGS}/({_PART}/)*{_PART}\.log")


def land(folder: RunFolder, files: Mapping[str, bytes], grown: Mapping[str, bytes]) -> None:
    """Write the ``files`` of episodes, each episode's at once, and add what is new of logs and notes.

    Both are named by their paths below the folder. RecordError for any other name: nothing else comes from a worker.
    """
    episodes: Dict[str, Dict[str, bytes]] = {}
    for name, data in files.items():
        found = _EPISODE.fullmatch(name)
        if found is None:
            raise _strange(name)
        episodes.setdefault(found[1], {})[found[2]] = data
    for episode, content in episodes.items():
        write_files(folder.episodes, episode, content)
    for name, data in grown.items():
        if name == NOTES:
            add_notes(folder.path, data.decode(errors="replace").splitlines())
        elif _LOG.fullmatch(name):
            path = folder.path / name
            with disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as log:
                    log.write(data)
        else:
            raise _strange(name)


def _strange(name: str) -> RecordError:
    return RecordError(f"a worker sent the file {name[:120]!r}, which no worker writes.", "Check the cluster's nodes.")
