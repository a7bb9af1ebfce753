"""What a task says of a recorded trajectory when the record is opened again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping, Tuple

from harness.contracts.episodes import Episode
from harness.contracts.trajectories import Trajectory


@dataclass(frozen=True)
class Judgement:
    """The metrics of a trajectory, worked out again, and in sentences what in it cannot be true.

    Whatever can be worked out again is never believed from a file.
    """

    metrics: Mapping[str, float]
    contradictions: Tuple[str, ...]


Judge = Callable[[Episode, Trajectory], Judgement]
"""A task's own: which metrics there are and when an episode is solved differs between tasks."""
