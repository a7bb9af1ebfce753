"""The liveness gate in scenes without textures: plain walls and open floors are believed, a dead simulator is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Candidate, Primitive
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.episodes import Episode
from harness.contracts.errors import DeadFrame
from harness.contracts.observations import View, ViewRequest
from harness.running.frame_checks import LivenessGate
from tests.image_goals import changed, goal_of
from tests.images.embedded.tiny_environment import tiny_episode
from tests.running.plain_world import PlainWorld

LEFT, RIGHT, AHEAD = Primitive(TURN_LEFT, 22.5), Primitive(TURN_RIGHT, 22.5), Primitive(FORWARD, 0.2)
VIEWS = [ViewRequest("front"), ViewRequest("pano")]
SCENES = {
    "a plain room": (2.0, 3.0),
    "a small plain room": (0.8, 3.0),
    "an open floor": (6.0, 0.0),
    "a wide open floor": (400.0, 0.0),
    "a yard with low walls": (5.0, 0.6),
}


def episode(half: float, number: int) -> Episode:
    draws = np.random.default_rng(number)
    places = draws.uniform(-0.8, 0.8, (2, 2)) * min(half, 5.0)
    start, goal = (
        Pose((float(x), 0.0, float(z)), yaw_to_quaternion(22.5 * float(draws.integers(-7, 8)))) for x, z in places
    )
    return changed(tiny_episode(), id=f"walk-{number}", scene="plain", start=start, goal=goal)


def walk(world: PlainWorld, half: float, number: int) -> LivenessGate:
    """Walk ahead, along walls, round, and imagine; every frame is looked at."""
    gate = LivenessGate(world)
    gate.reset(episode(half, number), 0, VIEWS)
    gate.render([goal_of(episode(half, number)).goal], [ViewRequest("front")])
    gate.step([*[AHEAD] * 25, *[RIGHT] * 5, *[AHEAD] * 8, *[LEFT] * 11, AHEAD], VIEWS)
    candidates = [Candidate((*[LEFT] * turns, AHEAD, AHEAD)) for turns in range(8)]
    list(gate.imagine(candidates, "front", [tuple(range(len(candidate) + 1)) for candidate in candidates]))
    return gate


@pytest.mark.parametrize("walks", [range(3), pytest.param(range(3, 12), marks=pytest.mark.slow)], ids=["few", "more"])
@pytest.mark.parametrize("scene", SCENES)
def test_no_walk_in_a_plain_scene_ends_in_an_alarm(scene: str, walks: range) -> None:
    half, walls = SCENES[scene]
    for number in walks:
        walk(PlainWorld(half, walls), half, number)


@pytest.mark.parametrize("scene", SCENES)
def test_looking_round_changes_nothing(scene: str) -> None:
    half, walls = SCENES[scene]
    gated, plain = PlainWorld(half, walls), PlainWorld(half, walls)
    gate = LivenessGate(gated)
    actions = [*[AHEAD] * 20, *[LEFT] * 4, *[AHEAD] * 20]
    first, second = (e.reset(episode(half, 3), 0, VIEWS) for e in (gate, plain))
    assert first.pose == second.pose
    goals = [e.render([goal_of(episode(half, 3)).goal], [ViewRequest("front")])[0]["front"] for e in (gate, plain)]
    assert np.array_equal(goals[0].rgb, goals[1].rgb)
    for one, other in zip(gate.step(actions, VIEWS), plain.step(actions, VIEWS), strict=True):
        assert one.pose == other.pose
        assert all(np.array_equal(one.views[name].rgb, other.views[name].rgb) for name in one.views)


@pytest.mark.parametrize("dead_depth", [False, True], ids=["depth lives", "depth is dead"])
@pytest.mark.parametrize("fault", ["black", "constant"])
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("at", [0, 7])
def test_a_simulator_that_stops_drawing_is_found_in_plain_scenes_too(
    scene: str, fault: str, at: int, dead_depth: bool
) -> None:
    half, walls = SCENES[scene]
    with pytest.raises(DeadFrame):
        walk(PlainWorld(half, walls, fault, at, dead_depth), half, 1)


@pytest.mark.parametrize("dead_depth", [False, True], ids=["depth lives", "depth is dead"])
@pytest.mark.parametrize("scene", ["a plain room", "a small plain room"])
def test_a_picture_that_stands_still_in_a_closed_room_is_found(scene: str, dead_depth: bool) -> None:
    half, walls = SCENES[scene]
    with pytest.raises(DeadFrame, match=r"^(frozen|constant) frame"):
        walk(PlainWorld(half, walls, "frozen", 7, dead_depth), half, 1)


class Stuck(PlainWorld):
    """Draws only once a camera; its panorama is still rolled when the body turns, as real ones are."""

    def __init__(self, half: float, walls: float) -> None:
        super().__init__(half, walls)
        self._once: dict[str, View] = {}

    def _drawn(self, camera: str, x: float, z: float, yaw_deg: float) -> View:
        first = self._once.setdefault(camera, super()._drawn(camera, x, z, 0.0))
        draws = np.random.default_rng(1)
        textured = replace(first, rgb=draws.integers(0, 256, first.rgb.shape, np.uint8))
        return textured if camera == "front" else textured.rolled(round(yaw_deg / 22.5) * 2)


def test_a_panorama_that_is_only_rolled_is_found() -> None:
    """It differs in every direction, but was never drawn again: the front camera is the witness."""
    gate = LivenessGate(Stuck(5.0, 3.0))
    with pytest.raises(DeadFrame, match=r"^(frozen|stale) frame"):
        gate.reset(episode(5.0, 2), 0, [ViewRequest("pano")])
        gate.step([AHEAD, AHEAD], [ViewRequest("pano")])


def test_who_cannot_turn_is_believed_once() -> None:
    """An arm that moves before a plain table may show one picture twice, but not three times."""
    world = PlainWorld(400.0, 0.0, turns=False)
    gate = LivenessGate(world)
    gate.reset(replace(episode(1.0, 1), start=Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))), 0, VIEWS)
    gate.step([AHEAD], VIEWS)
    with pytest.raises(DeadFrame, match=r"^frozen frame"):
        gate.step([AHEAD], VIEWS)
