"""The closed loop in a toy world: it solves with true imagination, stops as told, and leaks nothing to the agent."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator, List, Optional, Sequence, Tuple

import pytest

from harness.contracts.actions import Action, Candidate, Primitive
from harness.contracts.cameras import Pose
from harness.contracts.digest import array_digest
from harness.contracts.errors import EpisodeError, Refusal
from harness.contracts.observations import Observation, View, ViewRequest
from harness.contracts.trajectories import PlayedEpisode
from harness.planning.agent import Agent
from harness.planning.config import PartConfig
from harness.worldmodels.imaginer import EarlierView, EnvironmentImaginer, Imagined, Imaginer
from tasks.ignav.task import TASK
from tasks.suite import Tier, load_suite
from tests.image_goals import goal_of
from tests.planning.toy import CopyImaginer, ToyEnvironment, toy_episode

LEFT, RIGHT = Primitive("turn_left", 22.5), Primitive("turn_right", 22.5)


def toy_tier(decisions: int = 5, **changes: object) -> Tier:
    """Return the default tier with crops that fit the toy's small panoramas."""
    tier = load_suite("embedded-v1").tier("easy")
    loop = replace(tier.loop, score=PartConfig("classical", {"size": 16}), decisions=decisions, **changes)  # type: ignore[arg-type]
    return replace(tier, loop=loop)


def play(number: int, wm: str = "gtsim", stop: str = "self", seed: int = 0, tier: Tier | None = None) -> PlayedEpisode:
    """Play one toy episode."""
    environment = ToyEnvironment()
    imaginers: dict[str, Imaginer | None] = {
        "gtsim": EnvironmentImaginer(environment), "copy": CopyImaginer(), "none": None,
    }  # fmt: skip
    return TASK.play_episode(environment, imaginers[wm], toy_episode(number), tier or toy_tier(), seed, wm, stop)


def test_true_imagination_solves_what_copies_and_chance_do_not() -> None:
    numbers = range(12)
    assert sum(play(n).metrics["success"] for n in numbers) >= 10
    assert sum(play(n, "copy").metrics["success"] for n in numbers) == 0
    assert sum(play(n, "none", "oracle").metrics["success"] for n in numbers) <= 4


def test_copy_stays_at_once_by_the_same_rule() -> None:
    played = play(0, "copy")
    assert played.trajectory.stopped == "self"
    (decision,) = played.trajectory.decisions
    assert decision.chosen == -1 and decision.steps == () and decision.imagined_digest == ""
    assert set(decision.scores) == {decision.stay_score}
    assert played.frames[0].real == ()


def test_with_the_oracle_staying_is_no_choice() -> None:
    played = play(0, "copy", "oracle")
    assert all(decision.chosen >= 0 for decision in played.trajectory.decisions)
    assert played.trajectory.stopped in ("oracle", "budget")


def test_the_oracle_stops_at_the_first_decision_end_within_the_radius() -> None:
    for number in range(6):
        trajectory = play(number, stop="oracle").trajectory
        before = [decision.distance_m for decision in trajectory.decisions]
        assert all(distance > 0.5 for distance in before)
        assert (trajectory.stopped == "oracle") == trajectory.solved == (trajectory.final_distance_m <= 0.5)


def test_the_oracle_checks_before_the_first_decision() -> None:
    episode = toy_episode(0)
    at_goal = replace(episode, start=goal_of(episode).goal)
    environment = ToyEnvironment()
    played = TASK.play_episode(environment, EnvironmentImaginer(environment), at_goal, toy_tier(), 0, "gtsim", "oracle")
    assert played.trajectory.decisions == () and played.trajectory.stopped == "oracle"
    assert played.metrics["success"] == 1.0 and played.metrics["actions"] == 0.0


class _Unforeseeing(ToyEnvironment):
    """Does not tell where candidates lead, as simulators with physics do not."""

    def capabilities(self) -> Tuple[str, ...]:
        return tuple(name for name in super().capabilities() if name != "lookahead")


def test_only_the_oracle_needs_to_be_told_where_candidates_lead() -> None:
    episode = toy_episode(0)
    plays = [
        TASK.play_episode(world, EnvironmentImaginer(world), episode, toy_tier(), 0, "gtsim", "self")
        for world in (_Unforeseeing(), ToyEnvironment())
    ]
    assert plays[0].trajectory == plays[1].trajectory


def test_the_budget_ends_the_episode_where_the_agent_stands() -> None:
    played = play(0, "none", "oracle", tier=toy_tier(decisions=2))
    assert played.trajectory.stopped == "budget" and len(played.trajectory.decisions) == 2
    last = played.trajectory.decisions[-1].steps[-1].pose
    goal = goal_of(toy_episode(0)).goal.position
    assert played.trajectory.final_distance_m == ToyEnvironment().geodesic_distance(last.position, goal)


def test_exactly_the_scored_prefix_is_executed_and_recorded() -> None:
    played = play(2)
    for decision, frames in zip(played.trajectory.decisions, played.frames, strict=True):
        if decision.chosen < 0:
            continue
        assert decision.scores[decision.chosen] == max(decision.scores)
        assert len(frames.real) == len(decision.steps) and set(frames.imagined) == set(
            range(1, len(decision.steps) + 1)
        )
        assert [array_digest(image) for image in frames.real] == [step.frame_digest for step in decision.steps]
        assert decision.imagined_digest == decision.steps[-1].frame_digest
        assert all(step.gap["ssim"] == pytest.approx(1.0) and step.gap["psnr"] == 100.0 for step in decision.steps)


def test_scores_are_rounded_before_they_are_compared() -> None:
    decisions = play(1).trajectory.decisions
    scores = [score for decision in decisions for score in (*decision.scores, decision.stay_score)]
    assert scores and all(score == round(score, 6) for score in scores)


@pytest.mark.parametrize("wm", ["gtsim", "copy", "none"])
def test_the_same_seed_gives_the_same_trajectory(wm: str) -> None:
    first, second = (play(4, wm, "oracle", seed=3) for _ in range(2))
    assert first.trajectory.digest() == second.trajectory.digest()
    assert first.metrics == second.metrics


def test_another_seed_gives_another_random_walk() -> None:
    assert len({play(4, "none", "oracle", seed=seed).trajectory.digest() for seed in range(6)}) > 3


def test_metrics_follow_from_the_trajectory() -> None:
    played = play(0)
    metrics, trajectory = played.metrics, played.trajectory
    assert metrics["actions"] == sum(len(decision.steps) for decision in trajectory.decisions)
    assert metrics["success"] == float(trajectory.solved) and metrics["reached"] >= metrics["success"]
    assert metrics["rollouts"] == sum(decision.rollouts for decision in trajectory.decisions)
    assert metrics["decisions"] == len(trajectory.decisions)
    episode = toy_episode(0)
    assert metrics["spl"] == episode.reference_actions / max(metrics["actions"], episode.reference_actions)
    assert metrics["spl_m"] == pytest.approx(
        goal_of(episode).geodesic_m / max(metrics["path_m"], goal_of(episode).geodesic_m)
    )
    assert set(played.timings) == {"reset", "imagine", "score", "step", "gap"}


def test_a_model_that_gives_every_frame_is_asked_once_a_decision() -> None:
    environment = ToyEnvironment()
    imaginer = _Counting(EnvironmentImaginer(environment), every_frame=True)
    played = TASK.play_episode(environment, imaginer, toy_episode(0), toy_tier(), 0, "gtsim", "oracle")
    assert imaginer.calls == len(played.trajectory.decisions)
    assert played.trajectory.digest() == play(0, stop="oracle").trajectory.digest()


def test_a_further_view_is_of_the_place_of_the_decision_and_changes_nothing_else() -> None:
    environment = ToyEnvironment()
    imaginer = _Looking(environment)
    played = TASK.play_episode(environment, imaginer, toy_episode(0), toy_tier(), 0, "gtsim", "oracle")
    assert imaginer.shown == [True] * len(played.trajectory.decisions)
    assert played.trajectory.digest() == play(0, stop="oracle").trajectory.digest()


def test_request_seeds_differ_by_decision_and_candidate_and_repeat() -> None:
    asked = []
    for _ in range(2):
        environment = ToyEnvironment()
        imaginer = _Counting(EnvironmentImaginer(environment), every_frame=True)
        TASK.play_episode(environment, imaginer, toy_episode(0), toy_tier(), 0, "gtsim", "oracle")
        asked.append(imaginer.seeds)
    assert asked[0] == asked[1] and len(set(asked[0])) == len(asked[0])


def test_a_reviser_that_compares_needs_a_world_model() -> None:
    with pytest.raises(Refusal, match="no world model"):
        TASK.play_episode(ToyEnvironment(), None, toy_episode(0), toy_tier(), 0, "warp", "self")


def test_an_unknown_stop_rule_is_refused() -> None:
    with pytest.raises(Refusal, match="self, oracle"):
        play(0, stop="never")


def test_missing_observations_are_an_episode_error() -> None:
    class Forgetful(ToyEnvironment):
        def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
            return super().step(actions, views)[:-1]

    environment = Forgetful()
    with pytest.raises(EpisodeError, match="observations"):
        TASK.play_episode(environment, EnvironmentImaginer(environment), toy_episode(0), toy_tier(), 0, "gtsim", "self")


def test_the_agent_decides_the_same_whatever_the_true_distances_are() -> None:
    episode = toy_episode(5)
    trajectories = []
    for offset in ((0.0, 0.0, 0.0), (3.0, 0.0, -2.0)):
        environment = ToyEnvironment(goal_offset=offset)
        played = TASK.play_episode(
            environment, EnvironmentImaginer(environment), episode, toy_tier(), 0, "gtsim", "self"
        )
        trajectories.append(played.trajectory)
    choices = [[(d.chosen, d.scores, d.stay_score) for d in trajectory.decisions] for trajectory in trajectories]
    assert choices[0] == choices[1]
    assert trajectories[0].final_distance_m != trajectories[1].final_distance_m


def test_nothing_but_imagination_is_asked_while_the_agent_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = ToyEnvironment()
    during: List[str] = []
    decide = Agent.decide

    def watched(
        agent: Agent, decision: int, view: View, further: Optional[View], seen: Optional[Observation]
    ) -> object:
        before = len(environment.calls)
        choice = decide(agent, decision, view, further, seen)
        during.extend(environment.calls[before:])
        return choice

    monkeypatch.setattr(Agent, "decide", watched)
    episode = toy_episode(5)
    TASK.play_episode(environment, EnvironmentImaginer(environment), episode, toy_tier(), 0, "gtsim", "self")
    assert set(during) == {"imagine"}
    assert "geodesic_distance" in environment.calls


def test_nothing_the_agent_holds_knows_the_goal_pose(monkeypatch: pytest.MonkeyPatch) -> None:
    held: List[Agent] = []
    prepare = Agent.__post_init__

    def watched(agent: Agent) -> None:
        held.append(agent)
        prepare(agent)

    monkeypatch.setattr(Agent, "__post_init__", watched)
    environment, episode = ToyEnvironment(), toy_episode(5)
    TASK.play_episode(environment, CopyImaginer(), episode, toy_tier(), 0, "copy", "oracle")
    reachable = list(_reachable(held[0]))
    assert any(isinstance(value, View) for value in reachable)
    assert not any(
        value in (episode, goal_of(episode).goal, episode.start)
        for value in reachable
        if isinstance(value, (Pose, type(episode)))
    )
    assert not any(isinstance(value, ToyEnvironment) for value in reachable)
    assert not any(callable(value) and getattr(value, "__name__", "") == "distance" for value in reachable)


def _reachable(root: object) -> Iterator[object]:
    """Yield every value reachable through attributes and containers."""
    seen: set[int] = set()
    queue = [root]
    while queue:
        value = queue.pop()
        if id(value) in seen or isinstance(value, (str, bytes, int, float, type)):
            continue
        seen.add(id(value))
        yield value
        queue += list(getattr(value, "__dict__", {}).values())
        if isinstance(value, dict):
            queue += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple, set, frozenset)):
            queue += list(value)


class _Counting:
    """Wraps an imaginer; counts its calls and notes the seeds."""

    further_view: Optional[ViewRequest] = None
    context_max = 0

    def __init__(self, inner: EnvironmentImaginer, every_frame: bool) -> None:
        self._inner = inner
        self.every_frame = every_frame
        self.calls = 0
        self.seeds: List[int] = []

    @property
    def rollouts(self) -> int:
        return self._inner.rollouts

    def imagine(
        self,
        view: View,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        seeds: Sequence[int],
        further: Optional[View] = None,
        earlier: Sequence[EarlierView] = (),
    ) -> list[Imagined]:
        self.calls += 1
        self.seeds += seeds
        return self._inner.imagine(view, candidates, frames, seeds, further)


class _Looking(_Counting):
    """An imaginer that wants to see the front camera as well; it notes the places that it was shown."""

    further_view = ViewRequest("front")

    def __init__(self, environment: ToyEnvironment) -> None:
        super().__init__(EnvironmentImaginer(environment), every_frame=True)
        self._environment = environment
        self.shown: List[bool] = []

    def imagine(
        self,
        view: View,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        seeds: Sequence[int],
        further: Optional[View] = None,
        earlier: Sequence[EarlierView] = (),
    ) -> list[Imagined]:
        (present,) = self._environment.imagine([Candidate((LEFT, RIGHT))], "front", [[2]])
        assert further is not None
        self.shown.append(array_digest(further.rgb) == array_digest(present.rgb[0]))
        return super().imagine(view, candidates, frames, seeds)
