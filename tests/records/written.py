"""Writes the record of a synthetic episode as a run does, without its pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from harness.contracts.digest import to_plain
from harness.contracts.observations import TopDownMap
from harness.contracts.results import EpisodeResult
from harness.contracts.trajectories import PlayedEpisode, Trajectory
from harness.records.episode_files import TRAJECTORY, make_record
from harness.records.folder import RunFolder
from harness.records.identity import EpisodeKey

_NO_MAP = TopDownMap(np.ones((1, 1), np.bool_), (0.0, 0.0), 1.0)


def write_trajectory(
    folder: RunFolder, key: EpisodeKey, trajectory: Trajectory, result: EpisodeResult, attempts: int = 1
) -> str:
    """Write ``trajectory.json`` alone and return the digest of the record, for the journal."""
    picture = np.zeros((1, 1, 3), np.uint8)
    played = PlayedEpisode(trajectory, result.metrics, picture, (), _NO_MAP)
    record = make_record(key, played, result, attempts, folder.plan_digest)
    path: Path = folder.episode_folder(key)
    path.mkdir(parents=True, exist_ok=True)
    (path / TRAJECTORY).write_text(json.dumps(to_plain(record), allow_nan=False, separators=(",", ":")))
    return record.record_digest
