"""An environment behind the wire answers like the object itself, and one that misbehaves is named."""

from __future__ import annotations

import math
import time
from typing import Any, Callable, Iterator, Mapping, Sequence, Tuple

import pytest

from harness.contracts.actions import Candidate, navigation_space
from harness.contracts.cameras import Camera, Pose, Rig
from harness.contracts.errors import (
    DeadlineExceeded,
    LimitExceeded,
    MachineError,
    NotNavigable,
    Refusal,
    ServiceError,
    SpecMismatch,
)
from harness.contracts.handling_errors import HandlingError
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import ViewRequest
from harness.wire import client as client_module
from harness.wire.client import Deadlines, EnvironmentClient, check_health
from harness.wire.codec.messages import PROTOCOL_VERSION
from harness.wire.limits import MAX_POSES
from harness.wire.sdk import CAPABILITIES, Imagining, Navigation, require
from tests.image_goals import goal_of
from tests.wire.hosting import Hosted, hosted
from tests.wire.objects import ORIGIN, BareEnvironment, GridEnvironment, example_episode
from tests.wire.test_codec import same

FORWARD = navigation_space().primitives[0]
ALL = [ViewRequest("front", depth=True, ids=True), ViewRequest("pano")]
WALK = Candidate((FORWARD,) * 3)


@pytest.fixture(scope="module")
def grid() -> Iterator[Hosted]:
    with hosted("environment", "GridEnvironment") as host:
        yield host


@pytest.fixture
def environment(grid: Hosted) -> Iterator[EnvironmentClient]:
    client = EnvironmentClient(grid.socket, Deadlines(step_s=20.0))
    client.reset(example_episode(), 5, ALL)
    yield client
    client._connection.close()


def test_the_client_answers_like_the_object(environment: EnvironmentClient) -> None:
    local = GridEnvironment()
    assert environment.describe() == local.describe()
    assert environment.capabilities() == local.capabilities() == tuple(CAPABILITIES)
    episode = example_episode()
    assert same(environment.reset(episode, 5, ALL), local.reset(episode, 5, ALL))
    assert same(
        environment.render([episode.start, goal_of(episode).goal], ALL),
        local.render([episode.start, goal_of(episode).goal], ALL),
    )
    assert environment.render([], ALL) == [] and environment.render([goal_of(episode).goal], []) == [{}]
    assert same(environment.step([FORWARD] * 3, ALL), local.step([FORWARD] * 3, ALL))
    frames = [(0, 1, 3), (), (2,)]
    assert same(list(environment.imagine([WALK] * 3, "pano", frames)), list(local.imagine([WALK] * 3, "pano", frames)))
    start, goal = (0.0, 0.0, 0.0), (2.5, 0.0, 0.0)
    assert environment.geodesic_distance(start, goal) == 2.5
    assert math.isinf(environment.geodesic_distance(start, (101.0, 0.0, 0.0)))
    assert environment.shortest_path(start, goal) == local.shortest_path(start, goal)
    assert environment.is_navigable(start)
    assert not environment.is_navigable((0.0, 1.0, 0.0))
    assert same(environment.top_down_map(), local.top_down_map())
    assert environment.object_boxes() == local.object_boxes()
    assert environment.rollout_poses([WALK] * 3, frames) == local.rollout_poses([WALK] * 3, frames)
    seeds = [0, 2**64 - 1, 7]
    for wrong in (MotionError(0.5, -11.25, True, 0.4), HandlingError(0.25, True, True, True)):
        ours, theirs = (e.imagine_wrongly([WALK] * 3, "pano", frames, wrong, seeds) for e in (local, environment))
        assert same(list(theirs), list(ours))
    assert environment.step([], ALL) == []


def test_errors_keep_their_class_and_advice(environment: EnvironmentClient) -> None:
    with pytest.raises(NotNavigable) as caught:
        environment.shortest_path((0.0, 0.0, 0.0), (101.0, 0.0, 0.0))
    assert caught.value.what == "no way to x > 100 m."
    assert caught.value.next_step == "Choose a goal in the same scene."


REFUSED: Mapping[str, Tuple[str, Callable[[EnvironmentClient], object]]] = {
    "rendering": ("does not show what would be seen at another pose", lambda e: e.render([ORIGIN], ALL)),
    "imagining": ("cannot imagine", lambda e: list(e.imagine([WALK], "pano", [(1,)]))),
    "motion_errors": (
        "cannot plant errors of motion",
        lambda e: list(e.imagine_wrongly([WALK], "pano", [(1,)], MotionError(0.5), [0])),
    ),
    "handling_errors": (
        "cannot plant errors of a hand",
        lambda e: list(e.imagine_wrongly([WALK], "pano", [(1,)], HandlingError(0.01), [0])),
    ),
    "lookahead": ("does not say where candidates lead", lambda e: e.rollout_poses([WALK], [(1,)])),
    "navigation": ("has no walkable area", lambda e: e.top_down_map()),
    "object_boxes": ("does not offer object boxes", lambda e: e.object_boxes()),
}


@pytest.fixture(scope="module")
def bare() -> Iterator[Hosted]:
    with hosted("environment", "BareEnvironment") as host:
        yield host


@pytest.mark.parametrize("side", ["client", "service"])
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_what_an_environment_has_not_declared_is_refused_by_name(bare: Hosted, capability: str, side: str) -> None:
    client = EnvironmentClient(bare.socket)
    assert client.capabilities() == ()
    if side == "service":
        client._declared = tuple(CAPABILITIES)  # a client that asks all the same
    sentence, ask = REFUSED[capability]
    with pytest.raises(Refusal, match=f"the environment bare {sentence}"):
        ask(client)
    client._connection.close()


def test_walkable_questions_are_refused_alike(bare: Hosted) -> None:
    client, place = EnvironmentClient(bare.socket), (0.0, 0.0, 0.0)
    asks: Sequence[Callable[[], object]] = (
        lambda: client.geodesic_distance(place, place),
        lambda: client.shortest_path(place, place),
        lambda: client.is_navigable(place),
    )
    for ask in asks:
        with pytest.raises(Refusal, match="the environment bare has no walkable area"):
            ask()
    client._connection.close()


def test_a_capability_is_handed_over_or_refused(environment: EnvironmentClient, bare: Hosted) -> None:
    assert require(environment, Navigation) is environment
    with pytest.raises(Refusal, match="bare has no walkable area"):
        require(EnvironmentClient(bare.socket), Navigation)
    with pytest.raises(Refusal, match="bare cannot imagine"):
        require(BareEnvironment(), Imagining)


def test_rendering_leaves_the_state_and_tells_where_nobody_can_stand(environment: EnvironmentClient) -> None:
    before = environment.step([FORWARD], ALL)[0]
    environment.render([goal_of(example_episode()).goal], ALL)
    with pytest.raises(NotNavigable, match="is not navigable"):
        environment.render([ORIGIN, Pose((-1.0, 0.0, 0.0), ORIGIN.rotation)], ALL)
    assert environment.step([FORWARD], [])[0].pose.position[0] == before.pose.position[0] + 1.0


def test_poses_that_nobody_asked_for_are_an_error_of_the_service(environment: EnvironmentClient) -> None:
    environment.reset(example_episode("lost pose"), 0, [])
    with pytest.raises(ServiceError, match=r"rollout_poses has \[1, 0\] poses instead of \[2, 1\]"):
        environment.rollout_poses([WALK] * 2, [(1, 2), (3,)])


def test_seeds_of_planted_errors_are_counted(environment: EnvironmentClient) -> None:
    with pytest.raises(Refusal, match="1 seeds for 2 candidates"):
        list(environment.imagine_wrongly([WALK] * 2, "pano", [(1,), (2,)], MotionError(0.5), [0]))


def test_wrong_requests_are_refused_before_they_are_sent(environment: EnvironmentClient) -> None:
    with pytest.raises(Refusal, match=r"no camera 'back'.*front, pano"):
        environment.step([FORWARD], [ViewRequest("back")])
    with pytest.raises(Refusal, match="no camera 'back'"):
        list(environment.imagine([WALK], "back", [(1,)]))
    with pytest.raises(Refusal, match="no camera 'back'"):
        environment.render([goal_of(example_episode()).goal], [ViewRequest("back")])
    with pytest.raises(LimitExceeded, match=f"poses has {MAX_POSES + 1} items"):
        environment.render([goal_of(example_episode()).goal] * (MAX_POSES + 1), [])
    with pytest.raises(Refusal, match=r"outside 0\.\.3"):
        list(environment.imagine([WALK], "pano", [(4,)]))


BAD_STEPS = {
    "wrong camera": "was seen by",
    "lost depth": r"front\.depth is missing",
    "nan depth": r"step gave an answer that cannot be sent: .*holds NaN",
    "wrong shape": r"has shape \[15, 24, 3\] instead of \[16, 24, 3\]",
    "too few": "1 observations for 2 actions",
    "raise": "Step failed with ValueError: the floor is lava.* at objects.py:",
    "exit": "Step failed with SystemExit: 3",
}


@pytest.mark.parametrize("scene", BAD_STEPS)
def test_a_step_that_goes_wrong_is_named(environment: EnvironmentClient, scene: str) -> None:
    environment.reset(example_episode(scene), 0, [])
    with pytest.raises(ServiceError, match=BAD_STEPS[scene]):
        environment.step([FORWARD] * 2, [ViewRequest("front", depth=True)])
    environment.reset(example_episode(), 0, [])
    assert len(environment.step([FORWARD], ALL)) == 1


BAD_ROLLOUTS = {
    "short rollout": "rollout 0 has 1 frames instead of 2",
    "twice": "rollout 0 came twice",
    "unknown id": "rollout 7 was not asked for",
}


@pytest.mark.parametrize("scene", BAD_ROLLOUTS)
def test_rollouts_that_were_not_asked_for_are_named(environment: EnvironmentClient, scene: str) -> None:
    environment.reset(example_episode(scene), 0, [])
    with pytest.raises(ServiceError, match=f"sent a bad reply to Imagine: {BAD_ROLLOUTS[scene]}"):
        list(environment.imagine([WALK] * 2, "pano", [(1, 2)] * 2))


def test_an_error_in_the_middle_of_a_stream_keeps_its_class(environment: EnvironmentClient) -> None:
    environment.reset(example_episode("fail second"), 0, [])
    rollouts = environment.imagine([WALK] * 2, "pano", [(1, 2)] * 2)
    assert next(rollouts).id == 0
    with pytest.raises(NotNavigable, match="lies outside"):
        next(rollouts)


def test_other_bad_replies_are_named(environment: EnvironmentClient) -> None:
    goal = goal_of(example_episode()).goal
    environment.reset(example_episode("lost view"), 0, [])
    with pytest.raises(
        ServiceError, match=r"bad reply to Render: render\[0\] has the views \[\] instead of \['pano'\]"
    ):
        environment.render([goal], [ViewRequest("pano")])
    environment.reset(example_episode("lost pose"), 0, [])
    with pytest.raises(ServiceError, match="bad reply to Render: there are the views of 1 poses instead of 2"):
        environment.render([goal] * 2, [ViewRequest("pano")])
    environment.reset(example_episode("nan depth"), 0, [])
    with pytest.raises(ServiceError, match="render gave an answer that cannot be sent"):
        environment.render([goal], [ViewRequest("pano", depth=True)])
    environment.reset(example_episode("nan distance"), 0, [])
    with pytest.raises(ServiceError, match="geodesic gave an answer that cannot be sent: geodesic_m is NaN"):
        environment.geodesic_distance((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))


def test_a_stalled_stream_ends_at_its_deadline(grid: Hosted) -> None:
    with hosted("environment", "GridEnvironment", options={"mischief": "stall"}) as host:
        client = EnvironmentClient(host.socket, Deadlines(imagine_s=0.5))
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=r"did not answer Imagine within 0\.5 s"):
            list(client.imagine([WALK] * 2, "pano", [(1,)] * 2))
        assert time.monotonic() - start < 5.0


def test_a_stream_that_is_left_early_frees_the_service(environment: EnvironmentClient) -> None:
    rollouts = environment.imagine([WALK] * 9, "pano", [(1, 2, 3)] * 9)
    next(rollouts)
    rollouts.close()  # type: ignore[attr-defined]
    assert len(environment.step([FORWARD], [])) == 1


@pytest.mark.parametrize("mischief", ["hang", "spin"])
def test_a_hanging_simulator_is_healthy_but_late(mischief: str) -> None:
    with hosted("environment", "GridEnvironment", options={"mischief": mischief}) as host:
        client = EnvironmentClient(host.socket, Deadlines(step_s=0.5, query_s=0.5))
        for _ in range(2):
            with pytest.raises(DeadlineExceeded, match=r"did not answer Step within 0\.5 s"):
                client.step([FORWARD], [])
        assert check_health(host.socket, 10.0)
        client.close()  # its own deadline passes without a word


def test_a_simulator_that_dies_ends_the_call_at_once() -> None:
    with hosted("environment", "GridEnvironment", options={"mischief": "die"}) as host:
        client = EnvironmentClient(host.socket)
        client.describe()
        start = time.monotonic()
        with pytest.raises(ServiceError, match="cannot be reached for Step"):
            client.step([FORWARD], [])
        assert time.monotonic() - start < 10.0
        assert not check_health(host.socket, 1.0)
        client.close()


def test_a_closed_environment_refuses_and_is_closed_once(tmp_path: Any) -> None:
    note = tmp_path / "note"
    with hosted("environment", "GridEnvironment", options={"note": str(note)}) as host:
        first, second = EnvironmentClient(host.socket), EnvironmentClient(host.socket)
        second.describe()
        first.close()
        assert note.read_text(encoding="utf-8") == "closed"
        with pytest.raises(Refusal, match="the environment is closed"):
            second.step([FORWARD], [])
        second.close()


def test_another_spec_than_planned_is_refused_with_both_sides(grid: Hosted) -> None:
    spec = GridEnvironment().describe()
    other = type(spec)("grid", "tests 2", Rig((Camera("front", "pinhole", 9, 9, 90.0, 1.0),)), ())
    start = time.monotonic()
    with pytest.raises(SpecMismatch) as caught:
        EnvironmentClient(grid.socket, expected=other).reset(example_episode(), 0, [])
    assert time.monotonic() - start < 1.0
    assert "simulator: declared 'tests 1', expected 'tests 2'" in caught.value.what
    assert EnvironmentClient(grid.socket, expected=spec).describe() == spec


def test_another_protocol_version_is_refused_with_both_sides(grid: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PROTOCOL_VERSION", 99)
    start = time.monotonic()
    with pytest.raises(
        SpecMismatch, match=f"the client speaks protocol version 99, this side version {PROTOCOL_VERSION}"
    ):
        EnvironmentClient(grid.socket).describe()
    assert time.monotonic() - start < 1.0


def test_a_full_disk_under_the_simulator_is_told_as_the_machines() -> None:
    with hosted("environment", "GridEnvironment", options={"mischief": "no space"}) as host:
        client = EnvironmentClient(host.socket, Deadlines(step_s=20.0))
        with pytest.raises(MachineError, match=r"/the/cache.*No space left"):
            client.step([FORWARD], ALL)
