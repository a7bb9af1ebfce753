"""The rules that every navigation environment keeps, as tests to inherit from.

A subclass names its cameras and gives an environment, an episode in some scene, and a position off the walkable area.
The rules are those of `harness.wire.sdk.Environment` and `harness.contracts`: whoever plays an episode relies on them,
whatever simulates.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar, Iterator, Union

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Action, Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, Pose, Vec3, quaternion_to_yaw
from harness.contracts.episodes import Episode
from harness.contracts.errors import NotNavigable, Refusal
from harness.contracts.observations import Observation, View, ViewRequest
from harness.wire.client import EnvironmentClient
from images.embedded.environment import EmbeddedEnvironment
from images.habitat.environment import HabitatEnvironment
from tests.image_goals import goal_of

World = Union[EmbeddedEnvironment, HabitatEnvironment, EnvironmentClient]
"""What the rules are for, in this process or behind the wire."""

GO = Primitive(FORWARD, 0.2)
LEFT = Primitive(TURN_LEFT, 22.5)
RIGHT = Primitive(TURN_RIGHT, 22.5)
HALT = Primitive(STOP, 0.0)

STRAIGHTEST = 0.02
"""A free forward may differ from 0.20 m by this (the walkable surface is not exactly level)."""

HEIGHT_SLACK_M = 0.06
"""How far a body may stand above the floor: a navigation mesh lies a little over it."""


class EnvironmentContract:
    """Inherit, and override ``environment`` and ``episode``."""

    pinhole: ClassVar[str] = "front"
    panorama: ClassVar[str] = "pano"
    blocked: ClassVar[Vec3] = (0.2, 0.0, 1.5)
    """A place that is off the walkable area though the floor is there."""

    @pytest.fixture
    def environment(self) -> Iterator[World]:
        raise NotImplementedError

    @pytest.fixture
    def episode(self) -> Episode:
        """An episode that starts at least 1 m away from everything ahead."""
        raise NotImplementedError

    @pytest.fixture
    def fresh(self, environment: World) -> World:
        """An environment that has played nothing; override it where ``environment`` is shared by tests."""
        return environment

    @pytest.fixture
    def playing(self, environment: World, episode: Episode) -> World:
        environment.reset(episode, 0, [])
        return environment

    def test_the_spec_has_the_rig_and_the_action_space(self, environment: World) -> None:
        spec = environment.describe()
        assert spec.rig.camera(self.pinhole).kind == "pinhole"
        assert spec.rig.camera(self.panorama).kind == EQUIRECT
        assert any(space.allows(GO) and space.allows(HALT) for space in spec.action_spaces)
        assert {"rendering", "imagining", "navigation", "object_boxes"} <= set(environment.capabilities())

    def test_reset_shows_start_and_goal(self, environment: World, episode: Episode) -> None:
        wanted = [ViewRequest(self.pinhole, depth=True), ViewRequest(self.panorama)]
        start = environment.reset(episode, 0, wanted)
        for name, view in start.views.items():
            camera = environment.describe().rig.camera(name)
            assert view.camera == camera
            assert view.rgb.shape == (camera.height, camera.width, 3) and view.rgb.dtype == np.uint8
            assert view.rgb.std() > 1.0
        assert start.pose.position == pytest.approx(episode.start.position, abs=1e-6)
        assert same_rotation(start.pose, episode.start)
        (goal,) = environment.render([goal_of(episode).goal], [ViewRequest(self.panorama)])
        assert not np.array_equal(
            goal[self.panorama].rgb, start.views[self.panorama].rgb
        )  # start and goal are different places

    def test_only_the_views_that_were_asked_for_come_back(self, environment: World, episode: Episode) -> None:
        start = environment.reset(episode, 0, [ViewRequest(self.pinhole)])
        view = start.views[self.pinhole]
        assert list(start.views) == [self.pinhole]
        assert view.depth is None and view.ids is None

    def test_rendered_views_are_what_is_seen_there(self, playing: World, episode: Episode) -> None:
        wanted = [ViewRequest(self.pinhole, depth=True), ViewRequest(self.panorama)]
        goal, start = playing.render([goal_of(episode).goal, episode.start], wanted)
        for place, shown in ((episode.start, start), (goal_of(episode).goal, goal)):
            seen = playing.reset(replace(episode, start=place), 0, wanted).views
            assert all(same_view(shown[name], seen[name]) for name in (self.pinhole, self.panorama))

    def test_rendering_leaves_the_state(self, playing: World, episode: Episode) -> None:
        views = [ViewRequest(self.pinhole), ViewRequest(self.panorama)]
        playing.step([GO, LEFT], [])
        before = playing.step([HALT], views)[0]
        playing.render([goal_of(episode).goal, episode.start], views)
        assert same_observation(playing.step([HALT], views)[0], before)
        with pytest.raises(NotNavigable, match="pose"):
            playing.render([Pose(self.blocked, episode.start.rotation)], views)
        assert same_observation(playing.step([HALT], views)[0], before)

    def test_a_start_off_the_walkable_area_is_refused(self, environment: World, episode: Episode) -> None:
        with pytest.raises(NotNavigable, match="start"):
            environment.reset(replace(episode, start=Pose(self.blocked, episode.start.rotation)), 0, [])

    def test_a_refused_reset_keeps_the_episode_that_is_played(self, playing: World, episode: Episode) -> None:
        before = playing.step([GO], [])[0].pose
        off = replace(episode, start=Pose(self.blocked, episode.start.rotation))
        with pytest.raises(NotNavigable):
            playing.reset(off, 0, [])
        assert playing.step([HALT], [])[0].pose == before

    def test_the_same_episode_shows_the_same_bytes(self, environment: World, episode: Episode) -> None:
        views = [ViewRequest(self.pinhole, depth=True), ViewRequest(self.panorama, depth=True)]
        first = environment.reset(episode, 0, views)
        environment.step([GO, LEFT, GO], [])
        again = environment.reset(episode, 1, views)
        assert first.pose == again.pose
        for name in first.views:
            assert same_view(first.views[name], again.views[name])

    def test_a_forward_goes_ahead(self, playing: World, episode: Episode) -> None:
        observation = playing.step([GO], [])[0]
        yaw = math.radians(quaternion_to_yaw(episode.start.rotation))
        x, _, z = episode.start.position
        ahead = (x - 0.2 * math.sin(yaw), z - 0.2 * math.cos(yaw))
        assert (observation.pose.position[0], observation.pose.position[2]) == pytest.approx(ahead, abs=STRAIGHTEST)
        assert abs(observation.pose.position[1] - episode.start.position[1]) <= HEIGHT_SLACK_M
        assert not observation.collided and not observation.done

    def test_left_is_plus_yaw(self, playing: World, episode: Episode) -> None:
        left, back = (observation.pose for observation in playing.step([LEFT, RIGHT], []))
        turned = quaternion_to_yaw(left.rotation) - quaternion_to_yaw(episode.start.rotation)
        assert turned % 360.0 == pytest.approx(22.5, abs=1e-3)
        assert same_rotation(back, episode.start)

    def test_a_circle_of_turns_comes_home_in_pose_and_pixels(self, playing: World) -> None:
        views = [ViewRequest(self.pinhole), ViewRequest(self.panorama)]
        before = playing.step([HALT], views)[0]
        after = playing.step([LEFT] * 16, views)[-1]
        assert after.pose == before.pose
        for name in after.views:
            assert np.array_equal(after.views[name].rgb, before.views[name].rgb)

    def test_a_turn_rolls_the_panorama(self, playing: World) -> None:
        request = [ViewRequest(self.panorama, depth=True)]
        before = playing.step([HALT], request)[0].views[self.panorama]
        left = playing.step([LEFT], request)[0].views[self.panorama]
        columns = before.rgb.shape[1] // 16
        assert np.array_equal(left.rgb, np.roll(before.rgb, columns, axis=1))
        assert before.depth is not None and left.depth is not None
        assert np.array_equal(left.depth, np.roll(before.depth, columns, axis=1))

    def test_the_panorama_has_the_heading_in_its_centre(self, playing: World) -> None:
        """The front view and the middle of the panorama see the same distance along the same ray."""
        wanted = [ViewRequest(self.pinhole, depth=True), ViewRequest(self.panorama, depth=True)]
        views = playing.step([HALT], wanted)[0].views
        front, panorama = views[self.pinhole].depth, views[self.panorama].depth
        assert front is not None and panorama is not None
        assert centre(panorama) == pytest.approx(centre(front), rel=0.03)

    def test_the_panorama_has_left_at_a_quarter(self, playing: World) -> None:
        wanted = [ViewRequest(self.pinhole, depth=True), ViewRequest(self.panorama, depth=True)]
        panorama = playing.step([HALT], wanted)[0].views[self.panorama].depth
        left = playing.step([LEFT] * 4, wanted)[-1].views[self.pinhole].depth
        assert left is not None and panorama is not None
        quarter = np.roll(panorama, panorama.shape[1] // 4, axis=1)
        assert centre(quarter) == pytest.approx(centre(left), rel=0.03)

    def test_pinhole_depth_is_planar_and_panorama_depth_is_along_the_ray(self, playing: World) -> None:
        """The floor proves both: it lies one camera height below wherever a ray meets it."""
        wanted = [ViewRequest(self.pinhole, depth=True), ViewRequest(self.panorama, depth=True)]
        for name, view in playing.step([HALT], wanted)[0].views.items():
            assert view.depth is not None and view.depth.dtype == np.float32
            camera = view.camera
            row = camera.height - 1
            if camera.kind == EQUIRECT:
                drop = view.depth[row] * math.sin(math.pi * ((row + 0.5) / camera.height - 0.5))
            else:
                half = math.tan(math.radians(camera.hfov_deg) / 2.0) * camera.height / camera.width
                drop = view.depth[row] * half * (2.0 * (row + 0.5) / camera.height - 1.0)
            assert float(np.median(drop)) == pytest.approx(camera.height_m, abs=HEIGHT_SLACK_M), name

    def test_walking_on_collides_and_stays_on_the_walkable_area(self, playing: World) -> None:
        observations = playing.step([GO] * 60, [])
        assert observations[-1].collided
        assert playing.is_navigable(observations[-1].pose.position)

    def test_a_stop_changes_nothing(self, playing: World) -> None:
        before = playing.step([GO], [ViewRequest(self.pinhole)])[0]
        after = playing.step([HALT], [ViewRequest(self.pinhole)])[0]
        assert same_observation(before, after)

    def test_imagining_equals_stepping_and_leaves_the_state(self, environment: World, episode: Episode) -> None:
        actions: list[Action] = [LEFT, GO, GO, RIGHT, RIGHT, GO, HALT, GO]
        frames = (0, 1, 3, 5, 8)
        for camera in (self.pinhole, self.panorama):
            start = environment.reset(episode, 0, [ViewRequest(camera)])
            candidates = [Candidate(tuple(actions)), Candidate((GO,)), Candidate((GO,))]
            rollouts = list(environment.imagine(candidates, camera, [frames, (1,), ()]))
            assert [rollout.id for rollout in rollouts] == [0, 1, 2]
            assert len(rollouts[2].rgb) == 0
            assert same_observation(environment.step([HALT], [ViewRequest(camera)])[0], start)
            seen = [start, *environment.step(actions, [ViewRequest(camera)])]
            for image, frame in zip(rollouts[0].rgb, frames, strict=True):
                assert np.array_equal(image, seen[frame].views[camera].rgb)

    def test_imagining_into_a_wall_leaves_the_state(self, playing: World) -> None:
        before = playing.step([GO], [])[0].pose
        list(playing.imagine([Candidate((GO,) * 40)], self.pinhole, [(40,)]))
        assert playing.step([HALT], [])[0].pose == before

    @pytest.mark.parametrize("frames", [(3,), (1, 1), (2, 1)])
    def test_frames_that_do_not_exist_are_refused(self, playing: World, frames: tuple[int, ...]) -> None:
        with pytest.raises(Refusal, match="frame"):
            list(playing.imagine([Candidate((GO, GO))], self.panorama, [frames]))

    def test_unknown_actions_and_cameras_are_refused_and_move_nothing(self, playing: World) -> None:
        before = playing.step([HALT], [])[0].pose
        with pytest.raises(Refusal, match="Allowed"):
            playing.step([GO, Primitive("fly", 1.0)], [])
        with pytest.raises(Refusal, match=self.pinhole):
            playing.step([HALT], [ViewRequest("side")])
        assert playing.step([HALT], [])[0].pose == before

    def test_distances_are_those_of_walkable_paths(self, playing: World, episode: Episode) -> None:
        start, goal = episode.start.position, goal_of(episode).goal.position
        distance = playing.geodesic_distance(start, goal)
        path = playing.shortest_path(start, goal)
        assert distance >= math.dist(start, goal) - HEIGHT_SLACK_M
        assert path.length_m == pytest.approx(distance, abs=1e-3)
        assert sum(math.dist(a, b) for a, b in zip(path.points, path.points[1:])) == pytest.approx(distance, abs=0.02)
        assert playing.geodesic_distance(goal, start) == pytest.approx(distance, rel=0.02)
        assert playing.geodesic_distance(start, start) == pytest.approx(0.0, abs=1e-6)

    def test_off_the_walkable_area_there_is_no_distance(self, playing: World, episode: Episode) -> None:
        far = (1000.0, 0.0, 1000.0)
        for position in (self.blocked, far):
            assert not playing.is_navigable(position)
            assert playing.geodesic_distance(episode.start.position, position) == math.inf
            with pytest.raises(NotNavigable):
                playing.shortest_path(position, goal_of(episode).goal.position)

    def test_the_map_agrees_with_the_queries(self, playing: World, episode: Episode) -> None:
        area = playing.top_down_map()
        assert area.walkable.dtype == np.bool_
        for position, inside in (
            (episode.start.position, True),
            (goal_of(episode).goal.position, True),
            (self.blocked, False),
        ):
            column = math.floor((position[0] - area.origin[0]) / area.cell_m)
            row = math.floor((position[2] - area.origin[1]) / area.cell_m)
            assert bool(area.walkable[row, column]) is inside

    def test_nothing_is_answered_before_reset(self, fresh: World) -> None:
        with pytest.raises(Refusal, match="reset"):
            fresh.top_down_map()
        with pytest.raises(Refusal, match="reset"):
            fresh.step([GO], [])


def centre(depth: np.ndarray) -> float:  # type: ignore[type-arg]
    """Return the median distance in the middle of an image, where planar and ray distances hardly differ."""
    row, column = depth.shape[0] // 2, depth.shape[1] // 2
    reach = max(1, depth.shape[0] // 64)
    return float(np.median(depth[row - reach : row + reach, column - reach : column + reach]))


def same_rotation(one: Pose, other: Pose) -> bool:
    """Say whether two rotations are the same (q and -q are)."""
    dot = sum(a * b for a, b in zip(one.rotation, other.rotation, strict=True))
    return abs(abs(dot) - 1.0) < 1e-9


def same_view(one: View, other: View) -> bool:
    """Say whether two views have the same bytes."""
    pairs: list[tuple[Any, Any]] = [(one.rgb, other.rgb), (one.depth, other.depth), (one.ids, other.ids)]
    return all((a is None) == (b is None) and (a is None or np.array_equal(a, b)) for a, b in pairs)


def same_observation(one: Observation, other: Observation) -> bool:
    """Say whether two observations show the same from the same pose."""
    return one.pose == other.pose and all(same_view(view, other.views[name]) for name, view in one.views.items())
