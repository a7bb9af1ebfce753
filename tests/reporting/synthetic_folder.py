"""A run folder as a run leaves it, with synthetic pictures, for tests of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.contracts.observations import RGB, TopDownMap
from harness.contracts.trajectories import DecisionFrames, PlayedEpisode, Trajectory
from harness.records.episode_files import make_record, write_record
from harness.records.folder import RunFolder
from harness.scoring.data import RunData
from tests.records.written import write_trajectory
from tests.scoring.synthetic import synthetic_run

HEIGHT, WIDTH = 48, 96


def write_run(root: Path, run: RunData, with_files: int = 1_000_000, with_pictures: int = 1_000_000) -> RunFolder:
    """Write a synthetic run as a folder; only the first ``with_files`` played episodes keep their files, and only the
    first ``with_pictures`` of them more than their trajectory."""
    record = run.record
    folder = RunFolder.create(root, record.identity, record.execution, record.provenance, record.run_id, record.metrics)
    with folder.lock():
        journal = folder.journal_to_write()
        for number, row in enumerate(run.rows):
            trajectory = run.trajectory(row)
            record_digest = ""
            if trajectory is not None and number < min(with_files, with_pictures):
                played = played_episode(trajectory)
                written = make_record(row.key, played, row.result, row.attempts, folder.plan_digest)
                write_record(folder.episodes, written, played)
                record_digest = written.record_digest
            elif trajectory is not None and number < with_files:
                record_digest = write_trajectory(folder, row.key, trajectory, row.result, row.attempts)
            journal.commit(row.key, row.result, row.attempts, record_digest)
        journal.close()
    return folder


def small_run(root: Path) -> RunFolder:
    """Write a run of three homes with two episodes each; the last episode broke."""
    return write_run(root, synthetic_run(homes=3, per_home=2, errors=1))


def played_episode(trajectory: Trajectory) -> PlayedEpisode:
    """Return pictures for a trajectory: a striped panorama that rolls with the heading, imagined darker."""
    frames = []
    before = view(0.0)
    for decision in trajectory.decisions:
        real = tuple(view(float(number + 1)) for number in range(len(decision.steps)))
        imagined = {number: image // 2 for number, image in enumerate(real, start=1)}
        frames.append(DecisionFrames(before, real, imagined))
        before = real[-1]
    return PlayedEpisode(trajectory, {}, view(7.0), tuple(frames), home_map())


def view(turn: float) -> RGB:
    """Return a striped picture, shifted by ``turn``."""
    columns = (np.arange(WIDTH) + 6 * turn) % WIDTH
    rows = np.arange(HEIGHT)[:, None]
    channels = [columns[None, :] * 2 + 0 * rows, rows * 4 + 0 * columns[None, :], 255 - columns[None, :] - rows]
    return np.stack(channels, axis=-1).astype(np.uint8)


def home_map() -> TopDownMap:
    """Return two rooms of a home joined by a door, in cells of 5 cm."""
    walkable = np.zeros((200, 200), np.bool_)
    walkable[10:190, 10:95] = True
    walkable[10:190, 105:190] = True
    walkable[90:110, 95:105] = True
    walkable[40:70, 30:60] = False
    return TopDownMap(walkable, (-3.0, -1.0), 0.05)
