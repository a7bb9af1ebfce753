"""The environment service of the embedded homes, played in the tiny home."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Candidate, Primitive
from harness.contracts.errors import MachineError, NotNavigable, Refusal, SpecMismatch
from harness.contracts.observations import ViewRequest
from harness.wire.client import Deadlines, EnvironmentClient
from harness.wire.sdk import CAPABILITIES
from images.embedded.cache import HomeCache
from images.embedded.environment import EmbeddedEnvironment
from images.embedded.homebytes import home_digest
from tests.image_goals import goal_of
from tests.images.embedded.tiny_environment import TinyEnvironment, tiny_episode
from tests.images.embedded.tiny_home import tiny_home
from tests.wire.hosting import Hosted

GO = Primitive(FORWARD, 0.2)
LEFT = Primitive(TURN_LEFT, 22.5)
RIGHT = Primitive(TURN_RIGHT, 22.5)
HALT = Primitive(STOP, 0.0)
PANO = [ViewRequest("pano")]


@pytest.fixture
def environment() -> EmbeddedEnvironment:
    environment = TinyEnvironment()
    environment.reset(tiny_episode(), 0, [])
    return environment


def test_reset_shows_the_start_and_render_the_goal() -> None:
    environment = TinyEnvironment()
    start = environment.reset(tiny_episode(), 0, [ViewRequest("front", depth=True, ids=True)])
    front = start.views["front"]
    assert front.rgb.shape == (128, 128, 3)
    assert front.depth is not None and front.ids is not None
    assert environment.render([goal_of(tiny_episode()).goal], PANO)[0]["pano"].rgb.shape == (128, 256, 3)
    assert start.pose.position == (1.0, 0.0, 3.0)


def test_poses_off_the_walkable_area_are_refused(environment: EmbeddedEnvironment) -> None:
    inside_the_cabinet = (0.2, 0.0, 1.5)
    with pytest.raises(NotNavigable, match=r"start \(0\.200, 0\.000, 1\.500\) of scene 'tiny'"):
        TinyEnvironment().reset(tiny_episode(start=inside_the_cabinet), 0, [])
    with pytest.raises(NotNavigable, match=r"pose \(0\.200, 0\.000, 1\.500\) of scene 'tiny'"):
        environment.render([goal_of(tiny_episode(goal=inside_the_cabinet)).goal], PANO)


def test_sixteen_turns_come_home_in_pose_and_pixels(environment: EmbeddedEnvironment) -> None:
    before = environment.step([HALT], [ViewRequest("front"), *PANO])[0]
    after = environment.step([LEFT] * 16, [ViewRequest("front"), *PANO])[-1]
    assert after.pose == before.pose
    for camera in ("front", "pano"):
        assert np.array_equal(after.views[camera].rgb, before.views[camera].rgb)


def test_a_turn_is_a_roll_of_the_panorama(environment: EmbeddedEnvironment) -> None:
    before = environment.step([HALT], PANO)[0].views["pano"].rgb
    left = environment.step([LEFT], PANO)[0].views["pano"].rgb
    right = environment.step([RIGHT, RIGHT], PANO)[-1].views["pano"].rgb
    assert np.array_equal(left, np.roll(before, 16, axis=1))
    assert np.array_equal(right, np.roll(before, -16, axis=1))


def test_turns_at_one_place_draw_one_panorama() -> None:
    environment = TinyEnvironment()
    environment.reset(tiny_episode(start_yaw_deg=10.3), 0, [])
    environment.step([LEFT] * 16, PANO)
    assert environment._views is not None and environment._views.drawn == 1


@pytest.mark.parametrize("yaw", [-67.5, 10.3])
@pytest.mark.parametrize("camera", ["front", "pano"])
def test_imagine_equals_stepping_and_leaves_the_state(camera: str, yaw: float) -> None:
    actions = (LEFT, GO, GO, RIGHT, RIGHT, GO, HALT, GO)
    frames = (0, 1, 3, 5, 8)
    environment = TinyEnvironment()
    start = environment.reset(tiny_episode(start_yaw_deg=yaw), 0, [ViewRequest(camera)])
    rollouts = list(environment.imagine([Candidate(actions), Candidate((GO,))], camera, [frames, (1,)]))
    assert [r.id for r in rollouts] == [0, 1]
    assert environment.step([HALT], [])[0].pose == start.pose
    fresh = TinyEnvironment()
    fresh.reset(tiny_episode(start_yaw_deg=yaw), 0, [])
    seen = [start, *fresh.step(actions, [ViewRequest(camera)])]
    for image, frame in zip(rollouts[0].rgb, frames):
        assert np.array_equal(image, seen[frame].views[camera].rgb)


def test_imagine_draws_only_wanted_new_poses(environment: EmbeddedEnvironment) -> None:
    candidates = [Candidate((GO,) * 5), Candidate((LEFT, RIGHT) + (GO,) * 5)]
    list(environment.imagine(candidates, "pano", [(2, 5), (4, 7)]))
    assert environment._views is not None and environment._views.drawn == 2


@pytest.mark.parametrize("frames", [(3,), (1, 1), (2, 1), (-1, 1)])
def test_imagine_refuses_frames_that_do_not_exist(environment: EmbeddedEnvironment, frames: tuple[int, ...]) -> None:
    with pytest.raises(Refusal, match="frames"):
        list(environment.imagine([Candidate((GO, GO))], "pano", [frames]))


def test_unknown_actions_and_cameras_are_refused_and_move_nothing(environment: EmbeddedEnvironment) -> None:
    before = environment.step([HALT], [])[0].pose
    with pytest.raises(Refusal, match=r"Allowed: forward 0\.2, turn_left 22\.5"):
        environment.step([GO, Primitive("fly", 1.0)], [])
    with pytest.raises(Refusal, match="front, pano, pano_large"):
        environment.step([HALT], [ViewRequest("side")])
    assert environment.step([HALT], [])[0].pose == before


def test_walking_into_a_wall_collides(environment: EmbeddedEnvironment) -> None:
    observations = environment.step([LEFT] * 3 + [GO] * 20, [])[3:]
    assert not observations[0].collided
    assert observations[-1].collided
    assert environment.is_navigable(observations[-1].pose.position)


def test_object_boxes_are_those_of_the_home(environment: EmbeddedEnvironment) -> None:
    boxes = {box.id: box for box in environment.object_boxes()}
    objects = tiny_home().objects
    assert len(boxes) == len(objects)
    for item in objects:
        box = boxes[item.id]
        assert box.category == item.category and box.rotation == (1.0, 0.0, 0.0, 0.0)
        for axis in range(3):
            ends = (box.centre[axis] - box.size[axis] / 2, box.centre[axis] + box.size[axis] / 2)
            assert ends == pytest.approx((item.bounds[axis], item.bounds[axis + 3]))


def test_queries_before_reset_are_refused() -> None:
    with pytest.raises(Refusal, match="reset"):
        TinyEnvironment().top_down_map()
    with pytest.raises(Refusal, match="Call reset first"):
        TinyEnvironment().object_boxes()


def test_a_scene_is_kept_until_another_is_played() -> None:
    loaded = []

    class Counting(TinyEnvironment):
        def load_home(self, name: str):  # type: ignore[no-untyped-def]
            loaded.append(name)
            return super().load_home(name)

    environment = Counting()
    for scene in ("a", "a", "b", "b", "a"):
        environment.reset(tiny_episode(scene=scene), 0, [])
    assert loaded == ["a", "b", "a"]


def test_spec_names_the_rig(environment: EmbeddedEnvironment) -> None:
    spec = environment.describe()
    assert [camera.name for camera in spec.rig.cameras] == ["front", "pano", "pano_large"]
    assert environment.capabilities() == tuple(name for name in CAPABILITIES if name != "handling_errors")


def test_a_home_with_other_bytes_than_the_suite_was_made_with_is_refused(tmp_path: Path) -> None:
    home = tiny_home()
    HomeCache(tmp_path, build=lambda seed: home).load("validation-0000")
    right = EmbeddedEnvironment(str(tmp_path), scene_digests={"validation-0000": home_digest(home)})
    assert right.load_home("validation-0000").seed == home.seed
    environment = EmbeddedEnvironment(str(tmp_path), scene_digests={"validation-0000": "0" * 64})
    with pytest.raises(SpecMismatch, match=r"'validation-0000' has the digest .* made with 0000"):
        environment.load_home("validation-0000")


def test_a_wrong_home_and_a_wrong_folder_are_refusals_on_both_sides_of_the_wire(tmp_path: Path) -> None:
    """Any other error would be taken for a broken service, and the episode played again in vain."""
    (tmp_path / "file").touch()
    entry_point = "images.embedded.environment:EmbeddedEnvironment"
    host = Hosted(
        tmp_path, kind="environment", entry_point=entry_point, options={"cache_dir": str(tmp_path / "file" / "homes")}
    )
    try:
        host.wait_ready(120.0)
        client = EnvironmentClient(host.socket, Deadlines())
        with pytest.raises(Refusal, match="there is no home 'tset-0007'") as caught:
            client.reset(tiny_episode(scene="tset-0007"), 0, [])
        assert caught.value.next_step == "Did you mean 'test-0007'?"
        with pytest.raises(MachineError, match=r"cannot write the homes cache.*WIW_CACHE"):
            client.reset(tiny_episode(scene="test-0007"), 0, [])
        client.close()
    finally:
        host.stop()
