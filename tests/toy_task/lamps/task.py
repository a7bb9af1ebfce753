"""Lamps, a whole task in one file: walk along a corridor and stop at the lamp of the shade that is shown."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Iterator, List, Sequence, Tuple

import numpy as np

from harness.contracts.actions import FORWARD, TURN_LEFT, Action, ActionSpace, Candidate, navigation_space, signed_turn
from harness.contracts.cameras import Camera, Pose, Rig, yaw_to_quaternion
from harness.contracts.episodes import Episode
from harness.contracts.judgements import Judgement
from harness.contracts.metrics import HIGHER, OVER_PLANNED, SHARE, MetricSpec
from harness.contracts.observations import EnvironmentSpec, Observation, View, ViewRequest
from harness.contracts.rollouts import Rollout
from harness.contracts.trajectories import Trajectory
from harness.planning import common_metrics
from harness.planning.config import LoopConfig
from harness.planning.episode_start import Begun
from harness.planning.evidence import EndScores
from harness.planning.parts import PartCatalog, ProposerPart, ScorePart
from harness.planning.policy_proposer import Asked, PolicyUse
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds
from harness.wire.sdk import Environment, Imagining
from tasks.task import Task, payload_of

EYE = Camera("eye", "pinhole", 32, 32, 90.0, 1.0)
State = Tuple[int, int]  # the lamp that the body stands at, and whether it faces the next (1) or the one before (-1)


def picture(lamp: int, facing: int) -> View:
    """Return what the eye sees: the lamp's shade, over a gradient that says which way the body faces."""
    rows, columns = np.mgrid[0:32, 0:32]
    ramp = columns if facing > 0 else columns[:, ::-1]
    return View(EYE, np.stack([ramp * 4, rows * 4, np.full_like(rows, 20 * lamp)], axis=2).astype(np.uint8))


class LampsEnvironment(Environment, Imagining):
    """A corridor of twelve lamps, one step apart. It can imagine, and it measures no distance."""

    def describe(self) -> EnvironmentSpec:
        return EnvironmentSpec("lamps", "lamps 1", Rig((EYE,)), (navigation_space(1.0, 180.0),))

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        time.sleep(float(os.environ.get("LAMPS_WAIT_S", "0")))  # for the test that interrupts a run
        self._state: State = (round(episode.start.position[2]), 1)
        return self._seen(self._state, views)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        states = self._walk(actions)
        self._state = states[-1]
        return [self._seen(state, views) for state in states[1:]]

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        for number, (candidate, wanted) in enumerate(zip(candidates, frames)):
            states = self._walk(candidate.actions)
            yield Rollout(number, np.stack([picture(*states[frame]).rgb for frame in wanted]), EYE)

    def close(self) -> None:
        pass

    def _walk(self, actions: Sequence[Action]) -> List[State]:
        states = [self._state]
        for action in actions:
            lamp, facing = states[-1]
            turns = signed_turn(action) != 0.0
            states.append((lamp, -facing) if turns else (min(max(lamp + facing, 0), 11), facing))
        return states

    def _seen(self, state: State, views: Sequence[ViewRequest]) -> Observation:
        pose = Pose((0.0, 0.0, float(state[0])), yaw_to_quaternion(0.0 if state[1] > 0 else 180.0))
        return Observation({request.camera: picture(*state) for request in views}, pose)


@dataclass(frozen=True)
class LampWanted:
    """The payload: which lamp is asked for, and how many away it is."""

    lamp: int
    lamps_away: int


class BothWays:
    """Proposes a step ahead and a step back."""

    def __init__(self, space: ActionSpace) -> None:
        known = {primitive.name: primitive for primitive in space.primitives}
        self._ways = Candidate((known[FORWARD],)), Candidate((known[TURN_LEFT], known[FORWARD]))

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        return Proposal(self._ways, (End(0, (1,), 1), End(1, (2,), 2)))


class Shade:
    """Scores a view by how little its shade differs from the prompt's."""

    def against(self, prompt: View) -> Shade:
        self._shade = int(prompt.rgb[0, 0, 2])
        return self

    def __call__(self, views: Sequence[View]) -> float:
        return -float(abs(int(views[-1].rgb[0, 0, 2]) - self._shade))


class LampsAway:
    """The truth: how many lamps away the wanted one is."""

    def __init__(self, lamp: int) -> None:
        self._lamp = lamp

    def distance(self, seen: Observation) -> float:
        self._here, self._ahead = seen.pose.position[2], 1.0 if seen.pose.rotation[0] > 0.5 else -1.0
        return abs(self._here - self._lamp)

    def is_solved(self, distance: float) -> bool:
        return distance == 0.0

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        after = self._here + self._ahead, self._here - self._ahead
        return EndScores(tuple(-abs(after[e.candidate] - self._lamp) for e in ends), -abs(self._here - self._lamp))


def begin(
    environment: Environment, episode: Episode, seed: int, views: Sequence[ViewRequest], config: LoopConfig
) -> Begun:
    """Show the wanted lamp."""
    truth = LampsAway(payload_of(LampWanted, episode).lamp)
    seen = environment.reset(episode, seed, views)
    truth.distance(seen)
    return Begun(seen, picture(payload_of(LampWanted, episode).lamp, 1), truth)


def judge(episode: Episode, trajectory: Trajectory) -> Judgement:
    """Return success and the share of the steps that were needed, by arithmetic alone."""
    common = common_metrics.measure(trajectory)
    thrift = trajectory.solved * min(payload_of(LampWanted, episode).lamps_away / max(common["actions"], 1.0), 1.0)
    wrong = () if trajectory.solved == (trajectory.final_distance_m == 0.0) else ("it is solved at another lamp",)
    return Judgement({**common, "success": float(trajectory.solved), "thrift": thrift}, wrong)


METRICS = (MetricSpec("thrift", "Thrift", "Needed over taken steps.", "", 2, HIGHER, OVER_PLANNED, SHARE),)
PARTS = PartCatalog({"both-ways": ProposerPart("lamps.task:BothWays")}, {"shade": ScorePart("lamps.task:Shade")})
ASK = PolicyUse(lambda episode: Asked("Stop at the lamp that is shown."), longest=2, looks_at_each=False)
TASK = Task(
    "lamps", "Lamps: stop at the lamp that is shown.", LampWanted, PARTS, begin, judge, "lamps_away", METRICS,
    policy_use=ASK,
)  # fmt: skip
