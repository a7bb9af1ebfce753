"""What the environment is told, what it stands for, and what it does not take."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pytest

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, Primitive
from harness.contracts.cameras import Pose, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.errors import Refusal
from images.habitat.motion import Body, Steps
from images.habitat.options import NavmeshSettings, navmesh_settings, rig_from_plain
from images.habitat.profiles import COLLECTED_RIG as COLLECT_RIG
from images.habitat.profiles import EVALUATION_RIG as EVAL_RIG
from images.habitat.rigs import CHANNELS, sensor_names, sensors

STEPS = Steps(0.2, 22.5)
FRONT = {"name": "front", "kind": "pinhole", "height": 8, "width": 16, "hfov_deg": 90.0, "height_m": 1.25}
PANO = {"name": "pano", "kind": "equirect", "height": 16, "width": 32, "hfov_deg": 360.0, "height_m": 1.25}


def test_navmesh_settings_come_from_plain_values() -> None:
    assert navmesh_settings(None) == NavmeshSettings()
    assert navmesh_settings({"cell_height": 0.05, "agent_height": 1}).agent_height == 1.0


def test_all_navmesh_settings_reach_the_simulator_by_its_names() -> None:
    assert set(NavmeshSettings().for_simulator()) == set(asdict(NavmeshSettings())) - {"source"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cell_heigth": 0.1}, "no setting 'cell_heigth'"),
        ({"cell_height": "low"}, "cell_height is 'low'"),
        ({"filter_ledge_spans": 1}, "filter_ledge_spans is 1"),
        ({"source": "guess"}, "source is 'guess'"),
    ],
)
def test_wrong_navmesh_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        navmesh_settings(values)


@pytest.mark.parametrize(
    "cameras",
    [
        [],
        [FRONT, FRONT],
        [{**FRONT, "kind": "fisheye"}],
        [{**FRONT, "hfov_deg": 180.0}],
        [{**PANO, "pitch_deg": 5.0}],
        [{"name": "front"}],
        [{**FRONT, "colour": "red"}],
    ],
)
def test_rigs_that_cannot_be_rendered_are_refused(cameras: list[dict[str, Any]]) -> None:
    with pytest.raises(Refusal):
        rig_from_plain(cameras)


def test_the_published_rigs_are_rigs() -> None:
    evaluation, collection = rig_from_plain(EVAL_RIG), rig_from_plain(COLLECT_RIG)
    assert (evaluation.camera("pano").height, evaluation.camera("pano").width) == (576, 1024)
    left = evaluation.camera("aeqa_left")
    assert (left.height, left.width, left.hfov_deg, left.yaw_deg, left.pitch_deg) == (480, 560, 105.0, 90.0, -10.0)
    assert collection.camera("pano").height_m == 1.5


def test_every_sensor_has_a_name_of_its_own() -> None:
    rig = rig_from_plain([FRONT, PANO])
    planned = sensors(rig, CHANNELS, 0)
    assert len({sensor.uuid for sensor in planned}) == len(planned) == 3 * (1 + 6)
    named = [name for camera in rig.cameras for channel in CHANNELS for name in sensor_names(camera, channel)]
    assert named == [sensor.uuid for sensor in planned]


def test_a_pinhole_is_turned_and_tilted_as_its_camera_says() -> None:
    rig = rig_from_plain([{**FRONT, "yaw_deg": 90.0, "pitch_deg": -10.0}])
    (sensor,) = sensors(rig, CHANNELS[:1], 0)
    assert sensor.orientation == pytest.approx((math.radians(-10.0), math.radians(90.0), 0.0))
    assert sensor.resolution == (8, 16) and sensor.height_m == 1.25


def test_a_circle_of_turns_is_exact() -> None:
    body = STEPS.body_at(Pose((1.0, 0.0, 2.0), yaw_to_quaternion(10.3)))
    walked = body
    for _ in range(16):
        walked = STEPS.turned(walked, 1)
    assert walked == body


@pytest.mark.parametrize("yaw_deg", [-180.0 + 1e-9, -67.5, 0.0, 10.3, 157.5, 180.0])
def test_a_body_looks_where_its_pose_said(yaw_deg: float) -> None:
    pose = Pose((1.0, 0.0, 2.0), yaw_to_quaternion(yaw_deg))
    back = STEPS.pose(STEPS.body_at(pose))
    difference = (quaternion_to_yaw(back.rotation) - yaw_deg + 180.0) % 360.0 - 180.0
    assert abs(difference) < 1e-6 and back.position == pose.position


def test_compass_headings_have_no_rest() -> None:
    assert all(STEPS.body_at(Pose((0.0, 0.0, 0.0), yaw_to_quaternion(22.5 * k))).base_deg == 0.0 for k in range(-8, 9))


def test_a_turn_to_the_left_raises_the_yaw() -> None:
    assert STEPS.yaw_deg(STEPS.turned(Body((0.0, 0.0, 0.0), 0), 1)) == 22.5
    assert STEPS.yaw_deg(STEPS.turned(Body((0.0, 0.0, 0.0), 0), -1)) == -22.5


def test_only_the_steps_of_the_suite_are_actions() -> None:
    assert STEPS.check(Primitive(FORWARD, 0.2)).name == FORWARD
    assert STEPS.check(Primitive(STOP, 0.0)).name == STOP
    with pytest.raises(Refusal, match=r"Allowed: forward 0\.2, turn_left 22\.5"):
        STEPS.check(Primitive(TURN_LEFT, 30.0))


@pytest.mark.parametrize(("forward_m", "turn_deg"), [(0.0, 22.5), (0.2, 0.0), (0.2, 25.0), (0.2, -22.5)])
def test_steps_that_do_not_close_a_circle_are_refused(forward_m: float, turn_deg: float) -> None:
    with pytest.raises(Refusal, match="no steps of a body"):
        Steps(forward_m, turn_deg)
