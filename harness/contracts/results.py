"""Results: how an episode ended, and what a run says about a world model.

``failed`` is a played episode that missed its goal. ``error`` and ``timeout`` are ours: they keep their place in
the denominator and make the run PARTIAL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Tuple

from harness.contracts.actions import Action, signed_turn
from harness.contracts.cameras import Pose

PLANNED = "planned"
OK = "ok"
FAILED = "failed"
ERROR = "error"
TIMEOUT = "timeout"
STATES = (PLANNED, OK, FAILED, ERROR, TIMEOUT)
PLAYED = (OK, FAILED)


@dataclass(frozen=True)
class StepRecord:
    """One executed action: the pose after it, whether it touched something, and the digest of the real view.

    ``gap`` holds imagined-versus-real measures of this step (``ssim``, ``psnr``), empty where nothing was imagined.
    """

    action: Action
    pose: Pose
    collided: bool
    frame_digest: str
    gap: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DecisionRecord:
    """One propose-imagine-revise-act round.

    ``scores`` are the rounded scores of the scored ends in order, ``stay_score`` the score of staying;
    ``chosen`` is the index of the executed end, -1 for staying (the agent stops itself). ``imagined_digest``
    is the hash of the imagined end that was chosen ("" where nothing was imagined). ``distance_m`` is how far from
    solved the episode truly was before the decision (`Trajectory`); the agent never sees it.
    """

    index: int
    candidates: int
    ends: int
    chosen: int
    scores: Tuple[float, ...]
    stay_score: float
    imagined_digest: str
    distance_m: float
    rollouts: int
    steps: Tuple[StepRecord, ...]

    def moving_steps(self) -> Tuple[StepRecord, ...]:
        """Return the steps from the first that is not a turn on: those that a world model had to imagine.

        Turns before it are exact rolls of the real view, made by the harness; their gap says nothing of the model.
        """
        for first, step in enumerate(self.steps):
            if signed_turn(step.action) == 0.0:
                return self.steps[first:]
        return ()


@dataclass(frozen=True)
class EpisodeResult:
    """How one episode ended. ``state`` is one of STATES; ``metrics`` are plain numbers by name (SI units).

    ``trajectory_digest`` covers actions, poses and frame digests (empty when the episode did not finish);
    ``error`` is a sentence for error and timeout states. ``timings`` are seconds by phase; they are not hashed.
    """

    episode: str
    home: str
    seed: int
    state: str
    metrics: Mapping[str, float]
    trajectory_digest: str
    error: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """A value with its 95 % interval and the number of episodes behind it."""

    value: float
    low: float
    high: float
    n: int
