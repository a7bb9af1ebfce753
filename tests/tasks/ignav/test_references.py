"""References that imagine nothing: what they look at, when they stay, and that only the oracle is told the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Candidate, Primitive, navigation_space
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.contracts.trajectories import PlayedEpisode
from harness.planning.agent import Agent
from harness.planning.config import PartConfig
from harness.planning.evidence import IMAGINED, NOTHING, TRUTH
from harness.planning.parts import Parts
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds
from harness.worldmodels.imaginer import EnvironmentImaginer
from harness.worldmodels.panorama import crop
from tasks.ignav.parts import PARTS
from tasks.ignav.references.homing import HOMING
from tasks.ignav.references.look import PRESENT, Look, direction
from tasks.ignav.task import TASK
from tasks.navigation.odometry import Odometry
from tasks.navigation.proposers.heading_fan import HeadingFan
from tasks.suite import Reference, Tier, load_suite
from tests.planning import toy
from tests.planning.toy import FRONT, PANO, ToyEnvironment, toy_episode

pytest.importorskip("numba", reason="homing and the classical score need numba (the extra 'embedded')")

from tasks.ignav.references.homing import DEPTH_M, ZOOMS, Homing, Match

GO = Primitive(FORWARD, 0.2)
LEFT, RIGHT = Primitive(TURN_LEFT, 22.5), Primitive(TURN_RIGHT, 22.5)
FAN = HeadingFan(navigation_space(), 16, [2, 5, 8]).propose(0, (), EpisodeSeeds(0, "e"))
NAMES = ("look", "homing", "oracle")


def tier_with_references() -> Tier:
    tier = load_suite("embedded-v1").tier("easy")
    loop = replace(tier.loop, score=PartConfig("classical", {"size": 16}))
    references = tuple(Reference(name, name, name) for name in NAMES)
    none = next(reference for reference in tier.references if reference.wm == "none")
    return replace(tier, loop=loop, references=(none, *references))


def play(number: int, wm: str, stop: str = "self", seed: int = 0) -> PlayedEpisode:
    return TASK.play_episode(ToyEnvironment(), None, toy_episode(number), tier_with_references(), seed, wm, stop)


class ByHeading:
    """A comparer that tells which columns of a panorama are bright."""

    def __call__(self, views: Sequence[View]) -> float:
        return float(self.at_headings(views[-1]).max())

    def at_headings(self, view: View) -> np.ndarray:  # type: ignore[type-arg]
        columns = view.rgb[..., 0].astype(float).mean(axis=0)
        middle = PANO.width // 2
        return np.array([columns[(middle - k * PANO.width // 16) % PANO.width] for k in range(16)])


@pytest.mark.parametrize("wm", NAMES)
def test_they_play_without_a_world_model_and_are_deterministic(wm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy, "FRONT", Camera("front", PINHOLE, 32, 32, 90.0, 1.25))  # homing needs as many pixels
    for stop in ("self", "oracle"):
        one, again = play(1, wm, stop), play(1, wm, stop)
        assert one.trajectory == again.trajectory
        assert one.metrics["rollouts"] == 0.0
        assert all(decision.ends == len(decision.scores) for decision in one.trajectory.decisions)


def test_the_oracle_solves_everything_and_stops_itself_where_nothing_is_nearer() -> None:
    for number in range(8):
        trajectory = play(number, "oracle").trajectory
        assert trajectory.solved and trajectory.stopped in ("self", "budget")
        last = trajectory.decisions[-1]
        if trajectory.stopped == "self":
            assert last.stay_score == pytest.approx(-trajectory.final_distance_m, abs=1e-6)
            assert max(last.scores) <= last.stay_score
        for decision, after in zip(trajectory.decisions, trajectory.decisions[1:], strict=False):
            assert decision.scores[decision.chosen] == pytest.approx(-after.distance_m, abs=1e-6)


def test_direction_is_that_of_the_place() -> None:
    for end in FAN.ends:
        walked = Odometry().advance(FAN.actions(end))
        assert direction(walked, 16) == end.candidate
    corner = Odometry().advance((GO,) * 4 + (LEFT,) * 4 + (GO,) * 4)
    assert direction(corner, 16) == 2  # 45 degrees to the left
    assert direction(Odometry().advance((RIGHT,) * 4 + (GO,)), 8) == 6


def test_look_takes_the_direction_that_looks_best_and_never_imagines() -> None:
    rgb = np.zeros((PANO.height, PANO.width, 3), np.uint8)
    rgb[:, (PANO.width // 2 - 3 * PANO.width // 16) % PANO.width] = 200
    found = Look(ByHeading())(View(PANO, rgb), FAN, FAN.ends)
    assert found.stay == 200.0
    assert {end.candidate for end, score in zip(FAN.ends, found.ends, strict=True) if score == 200.0} == {3}


def test_look_needs_a_score_that_can_look_round() -> None:
    with pytest.raises(Refusal, match="look cannot ask"):
        Look(lambda views: 0.0)


CAMERA = Camera("pano", EQUIRECT, 128, 256, 360.0, 1.25)
GOAL = Camera("front", PINHOLE, 64, 64, 90.0, 1.25)


def scene() -> View:
    """Return a panorama with structure at every heading and height."""
    y, x = np.mgrid[0:128, 0:256]
    rows = np.random.Generator(np.random.PCG64(4)).integers(0, 256, (16, 32, 3)).astype(np.uint8)
    rgb = rows[y // 8, x // 8]
    return View(CAMERA, np.ascontiguousarray(rgb))


def goal_of(view: View, heading: int, zoom: float) -> View:
    """Return what the goal view would show of ``view``'s heading, ``zoom`` times as large."""
    hfov_deg = math.degrees(2.0 * math.atan(1.0 / zoom))
    return View(GOAL, crop(view.rgb, 64, 64, hfov_deg, heading * 22.5))


@pytest.mark.parametrize("heading", [0, 3, 8, 13])
@pytest.mark.parametrize("zoom", [1.0, 0.7, 1.4, 2.0])
def test_homing_finds_heading_and_scale(heading: int, zoom: float) -> None:
    match = Homing(goal_of(scene(), heading, zoom)).best_match(scene())
    assert (match.heading, match.zoom) == (heading, zoom)


def test_homing_stays_without_zoom_and_else_walks_there() -> None:
    here = Homing(goal_of(scene(), 5, 1.0))(scene(), FAN, FAN.ends)
    assert here.stay == 0.0 and max(here.ends) < 0.0
    there = Homing(goal_of(scene(), 5, 2.0))(scene(), FAN, FAN.ends)
    best = FAN.ends[int(np.argmax(there.ends))]
    assert best.candidate == 5 and max(there.ends) > there.stay
    away = Homing(goal_of(scene(), 5, 0.7))(scene(), FAN, FAN.ends)
    assert FAN.ends[int(np.argmax(away.ends))].candidate == 13  # backwards


def test_the_place_of_a_match_lies_ahead_of_its_heading() -> None:
    for zoom in ZOOMS:
        place = Match(1.0, 4, zoom).place()
        assert place.x == pytest.approx(-DEPTH_M * (1.0 - 1.0 / zoom), abs=1e-9)
        assert place.z == pytest.approx(0.0, abs=1e-9)


def test_homing_refuses_views_that_it_cannot_use() -> None:
    view = scene()
    with pytest.raises(Refusal, match="square pinhole goal"):
        Homing(view)
    with pytest.raises(Refusal, match="cannot look round"):
        Homing(goal_of(view, 0, 1.0)).best_match(goal_of(view, 0, 1.0))


def parts(reviser: str) -> Parts:
    loop = replace(tier_with_references().loop, reviser=PartConfig(reviser))
    return PARTS.make(loop, navigation_space())


@pytest.mark.parametrize("reviser", sorted(PARTS.revisers))
def test_only_the_oracle_is_told_the_truth(reviser: str) -> None:
    """A truth in any other agent's hands is refused, and the oracle without it."""
    made = parts(reviser)
    seeds = EpisodeSeeds(0, "e")
    goal = View(FRONT, np.zeros((16, 16, 3), np.uint8))
    imaginer = EnvironmentImaginer(ToyEnvironment())

    def tell(view: View, proposal: Proposal, ends: list[End]) -> None:
        raise AssertionError("nobody asks")

    expected = {
        "uniform": NOTHING, "similarity": IMAGINED, "look": PRESENT, "homing": HOMING, "oracle": TRUTH,
    }  # fmt: skip
    assert made.reviser.evidence == expected[reviser]
    assert PARTS.imagines(made.config) == (made.reviser.evidence == IMAGINED)
    with pytest.raises(Refusal, match="They are for the reference oracle"):
        Agent(made, goal, imaginer, "self", seeds, truth=None if reviser == "oracle" else tell)  # type: ignore[arg-type]


def test_the_oracle_scores_by_where_candidates_really_lead() -> None:
    environment = ToyEnvironment()
    episode = toy_episode(2)
    start = environment.reset(episode, 0, [])
    walk = Candidate((LEFT, GO, GO))
    ((here, end),) = environment.rollout_poses([walk], [(0, 3)])
    assert here == start.pose
    assert environment.step(walk.actions, [])[-1].pose == end
