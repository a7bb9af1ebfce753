"""A played episode: what was decided, executed and seen, and the frames that show it.

`Trajectory` is plain data and is what a run folder keeps and hashes; `PlayedEpisode` adds the images, which are
written as strips and video and then forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple

from harness.contracts.cameras import Pose
from harness.contracts.digest import digest
from harness.contracts.observations import RGB, TopDownMap
from harness.contracts.policies import ProposalRecord
from harness.contracts.results import DecisionRecord


@dataclass(frozen=True)
class Trajectory:
    """Everything that happened in one episode, without images.

    ``stop`` is the stop rule (``self`` | ``oracle``); ``stopped`` says who ended it: ``self``, ``oracle`` or
    ``budget``. ``goal_digest`` is that of the view which the agent was asked with. ``final_distance_m`` is how far from
    solved the episode ended: metres of walkable distance in navigation, else the task's own unit.
    """

    episode: str
    seed: int
    wm: str
    stop: str
    start: Pose
    goal_digest: str
    decisions: Tuple[DecisionRecord, ...]
    stopped: str
    final_distance_m: float
    solved: bool

    def digest(self) -> str:
        """Return the leaf of the trajectory root: actions, poses, frame digests, scores and outcome.

        The imagined-versus-real gap is left out: it comes from libraries that vectorise by CPU.
        """
        decisions = [
            {
                "chosen": d.chosen,
                "scores": d.scores,
                "stay_score": d.stay_score,
                "imagined": d.imagined_digest,
                "steps": [(s.action, s.pose, s.collided, s.frame_digest) for s in d.steps],
            }
            for d in self.decisions
        ]
        return digest([self.episode, self.seed, self.stop, self.start, self.goal_digest, decisions, self.solved])


@dataclass(frozen=True, eq=False)
class DecisionFrames:
    """The images of one decision: the real view before it, the real view after each executed action, and the
    imagined views of the same steps by action number (1 is after the first action; possibly not all)."""

    before: RGB
    real: Tuple[RGB, ...]
    imagined: Mapping[int, RGB]


@dataclass(frozen=True, eq=False)
class PlayedEpisode:
    """One episode with its images: the view that the agent is asked with, frames a decision, the walkable map where
    there is one, and seconds by phase.

    ``metrics`` are plain numbers by name, as the task declares them. ``notes`` say which measures that
    decide nothing could not be taken, and why. ``proposals`` are what a policy was asked and answered.
    """

    trajectory: Trajectory
    metrics: Mapping[str, float]
    prompt: RGB
    frames: Tuple[DecisionFrames, ...]
    map: Optional[TopDownMap]
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: Tuple[str, ...] = ()
    proposals: Tuple[ProposalRecord, ...] = ()
