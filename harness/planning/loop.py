"""The decision loop: the agent decides, the environment executes, everything is recorded.

This side holds the environment and the true distance; the agent holds neither. Distances are used for the oracle stop
and the record alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.digest import array_digest
from harness.contracts.errors import EpisodeError
from harness.contracts.observations import Observation, View, ViewRequest
from harness.contracts.results import DecisionRecord, StepRecord
from harness.contracts.trajectories import DecisionFrames
from harness.planning import gap
from harness.planning.agent import Agent, Choice
from harness.planning.config import ORACLE, SELF
from harness.planning.evidence import Truth
from harness.planning.revisers import STAY
from harness.planning.thinking import ThinkingTime
from harness.wire.sdk import Environment

BUDGET = "budget"


@dataclass(frozen=True, eq=False)
class Played:
    """What the loop did: records and frames a decision, who ended it, and the true distances at decision ends.

    ``distances`` starts with the distance before the first decision and ends with the final one.
    """

    decisions: Tuple[DecisionRecord, ...]
    frames: Tuple[DecisionFrames, ...]
    stopped: str
    distances: Tuple[float, ...]


@dataclass
class _Clock:
    """Seconds by phase, added to the agent's own."""

    seconds: Dict[str, float]

    def add(self, phase: str, started: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - started


def play(
    agent: Agent,
    environment: Environment,
    observation: Observation,
    truth: Truth,
) -> Played:
    """Play decisions until the agent stops, the oracle stops it, or the budget ends it where it stands.

    ``observation`` is the first one, with the views of `views_of`. The oracle stops at a decision end that ``truth``
    calls solved, the start included. Where thinking costs steps (the agent's ``search``), a decision's steps begin with
    those of the time in which it was made.
    """
    config = agent.parts.config
    thinking = ThinkingTime(agent.search.steps_a_decision, config.decisions)
    request = ViewRequest(config.agent_camera)
    clock = _Clock(agent.timings)
    records: List[DecisionRecord] = []
    frames: List[DecisionFrames] = []
    distances = [truth.distance(observation)]
    stopped = BUDGET
    for index in range(config.decisions):
        if thinking.is_over or (agent.stop == ORACLE and truth.is_solved(distances[-1])):
            break
        view = observation.views[config.agent_camera]
        further = agent.further_view
        choice = agent.decide(index, view, None if further is None else observation.views[further.camera], observation)
        taken = thinking.taken(choice)
        observations = _execute(agent, environment, taken, request, clock) if taken.actions else ()
        real = [seen.views[config.agent_camera] for seen in observations]
        records.append(_record(index, choice, distances[-1], _steps(taken, observations, real, clock)))
        frames.append(_frames(view, real, taken.imagined))
        if observations:
            observation = observations[-1]
            distances.append(truth.distance(observation))
        if choice.index == STAY and not thinking.is_over:
            stopped = SELF
            break
    if agent.stop == ORACLE and truth.is_solved(distances[-1]):
        stopped = ORACLE
    return Played(tuple(records), tuple(frames), stopped, tuple(distances))


def _execute(
    agent: Agent, environment: Environment, choice: Choice, request: ViewRequest, clock: _Clock
) -> Sequence[Observation]:
    """Execute the chosen actions; further views are rendered only after the last, where the next decision is made.

    An imaginer that makes use of earlier views gets its own camera's after every action.
    """
    started = time.perf_counter()
    further = agent.further_view
    wanted = views_of(request, further, agent.proposer_views)
    if wanted == [request] or agent.context_max:
        observations = environment.step(choice.actions, wanted)
    else:
        before = environment.step(choice.actions[:-1], [request]) if len(choice.actions) > 1 else []
        observations = [*before, *environment.step(choice.actions[-1:], wanted)]
    clock.add("step", started)
    if len(observations) != len(choice.actions):
        raise EpisodeError(
            f"the environment answered {len(observations)} observations to {len(choice.actions)} actions.",
            "Fix the environment's step.",
        )
    camera = request.camera if further is None else further.camera
    agent.executed(choice.actions, [seen.views[camera] for seen in observations] if agent.context_max else ())
    return observations


def views_of(
    request: ViewRequest, further: Optional[ViewRequest], proposer: Sequence[ViewRequest] = ()
) -> List[ViewRequest]:
    """Return what to render where a decision is made: the agent's camera, what the imaginer wants, and what the
    proposer wants, each camera once with all channels that anybody asks of it."""
    wanted: Dict[str, ViewRequest] = {}
    for each in (request, *(() if further is None else (further,)), *proposer):
        known = wanted.get(each.camera, each)
        wanted[each.camera] = ViewRequest(each.camera, known.depth or each.depth, known.ids or each.ids)
    return list(wanted.values())


def _steps(
    choice: Choice, observations: Sequence[Observation], real: Sequence[View], clock: _Clock
) -> Tuple[StepRecord, ...]:
    started = time.perf_counter()
    steps: List[StepRecord] = []
    for number, (action, seen, view) in enumerate(zip(choice.actions, observations, real), start=1):
        imagined = choice.imagined.get(number)
        measured = {} if imagined is None else gap.measure(imagined, view)
        steps.append(StepRecord(action, seen.pose, seen.collided, array_digest(view.rgb), measured))
    clock.add("gap", started)
    return tuple(steps)


def _record(index: int, choice: Choice, distance_m: float, steps: Tuple[StepRecord, ...]) -> DecisionRecord:
    final = None if choice.end is None else choice.imagined.get(choice.end.execute)
    return DecisionRecord(
        index=index,
        candidates=choice.candidates,
        ends=choice.ends,
        chosen=choice.index,
        scores=choice.scores,
        stay_score=choice.stay_score,
        imagined_digest="" if final is None else array_digest(final.rgb),
        distance_m=distance_m,
        rollouts=choice.rollouts,
        steps=steps,
    )


def _frames(before: View, real: Sequence[View], imagined: Mapping[int, View]) -> DecisionFrames:
    return DecisionFrames(
        before.rgb, tuple(view.rgb for view in real), {step: view.rgb for step, view in imagined.items()}
    )
