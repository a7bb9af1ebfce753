"""Clients of the two services, with the methods of the classes that the services run.

A caller cannot tell a client from the object itself, but for its errors: every call ends before its deadline, with the
answer that was asked for or with a contract error. The first call shakes hands (`describe`).
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union

from harness.contracts.actions import Action, Candidate
from harness.contracts.cameras import Pose, Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, ServiceError
from harness.contracts.manifests import ModelManifest
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import (
    EnvironmentSpec,
    ObjectBox,
    Observation,
    ResetReply,
    ShortestPath,
    TopDownMap,
    ViewRequest,
)
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.channel import Connection, Deadlines, check_health, reading_reply
from harness.wire.codec import mapper, queries
from harness.wire.codec.messages import PROTOCOL_VERSION, parse, present
from harness.wire.codec.observations import read_observations, read_reset_reply
from harness.wire.codec.rollouts import RolloutReader, write_batch
from harness.wire.generated import wiw_pb2
from harness.wire.replies import (
    ExpectedRollouts,
    check_expected,
    check_observations,
    check_protocol,
    check_rollout_poses,
    check_spec_digest,
    check_views,
    expected_of_batch,
)
from harness.wire.sdk import Environment

__all__ = ["Deadlines", "EnvironmentClient", "WorldModelClient", "check_health"]

Socket = Union[str, "os.PathLike[str]"]


class EnvironmentClient(Environment):
    """The environment behind ``socket``.

    ``expected`` is the spec that the run was planned with: another one raises SpecMismatch at the first call.
    """

    def __init__(
        self, socket: Socket, deadlines: Optional[Deadlines] = None, expected: Optional[EnvironmentSpec] = None
    ) -> None:
        self._connection = Connection(socket, "Environment")
        self._deadlines = deadlines or Deadlines()
        self._expected = expected
        self._spec: Optional[EnvironmentSpec] = None

    def describe(self) -> EnvironmentSpec:
        """Shake hands and return what the environment declares."""
        request = wiw_pb2.DescribeRequest(protocol_version=PROTOCOL_VERSION)
        deadline_s = self._deadlines.describe_s
        data = self._call("Describe", request.SerializeToString(), deadline_s)
        with reading_reply(self._connection.name, "Describe"):
            reply = parse("EnvironmentDescription", data)
        check_protocol(reply.protocol_version, self._connection.name)
        with reading_reply(self._connection.name, "Describe"):
            spec: EnvironmentSpec = mapper.read(EnvironmentSpec, present(reply, "spec", "description"), "spec")
        check_spec_digest(reply.spec_digest, spec, self._connection.name)
        if self._expected is not None:
            check_expected(spec, self._expected, self._connection.name)
        self._spec = spec
        self._connection.name = f"environment {spec.name!r}"
        return spec

    def reset(
        self, episode: Episode, seed: int, views: Sequence[ViewRequest], goal_views: Sequence[ViewRequest]
    ) -> ResetReply:
        """Load the episode's scene and return the first observation and the goal views."""
        rig = self._known_spec().rig
        request = wiw_pb2.ResetRequest()
        queries.write_reset(episode, seed, views, goal_views, request)
        _check_cameras(self._known_spec(), [*views, *goal_views])
        data = self._call("Reset", request.SerializeToString(), self._deadlines.reset_s)
        with reading_reply(self._connection.name, "Reset"):
            reply = read_reset_reply(data)
            check_views(reply.observation.views, views, rig, "observation")
            check_views(reply.goal_views, goal_views, rig, "goal_views")
        return reply

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Execute ``actions`` in order; return one observation after each."""
        spec = self._known_spec()
        request = wiw_pb2.StepRequest()
        queries.write_step(actions, views, request)
        _check_cameras(spec, views)
        data = self._call("Step", request.SerializeToString(), self._deadlines.step_s)
        with reading_reply(self._connection.name, "Step"):
            observations = read_observations(data)
            check_observations(observations, len(actions), views, spec.rig)
        return observations

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield the real rollout of each candidate from the present state, which is left as it was."""
        yield from self._imagined(candidates, camera, frames, None)

    def imagine_wrongly(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        error: MotionError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Yield the rollout of each candidate with ``error`` planted in its motion."""
        yield from self._imagined(candidates, camera, frames, (error, list(seeds)))

    def rollout_poses(
        self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]
    ) -> Tuple[Tuple[Pose, ...], ...]:
        """Return where the body would be at the wanted frames of each candidate."""
        poses: Tuple[Tuple[Pose, ...], ...] = self._query(queries.ROLLOUT_POSES, (candidates, frames))
        with reading_reply(self._connection.name, "Query rollout_poses"):
            check_rollout_poses(poses, frames)
        return poses

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        """Return the walkable distance in metres; infinity where there is no way."""
        return float(self._query(queries.GEODESIC, (start, goal)))

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        """Return a shortest walkable path."""
        path: ShortestPath = self._query(queries.SHORTEST_PATH, (start, goal))
        return path

    def is_navigable(self, position: Vec3) -> bool:
        """Say whether the body can stand at ``position``."""
        return bool(self._query(queries.NAVIGABLE, (position,)))

    def top_down_map(self) -> TopDownMap:
        """Return the walkable area of the current scene."""
        area: TopDownMap = self._query(queries.TOP_DOWN_MAP, ())
        return area

    def object_boxes(self) -> Tuple[ObjectBox, ...]:
        """Return the boxes of the current scene's objects."""
        boxes: Tuple[ObjectBox, ...] = self._query(queries.OBJECT_BOXES, ())
        return boxes

    def close(self) -> None:
        """Free the simulator and close the channel; a service that is gone already is no error."""
        try:
            self._call("Close", b"", self._deadlines.query_s)
        except ServiceError:
            pass  # nothing is left to be freed, or the runtime will stop the process
        finally:
            self._connection.close()

    def _imagined(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        planted: Optional[queries.Planted],
    ) -> Iterator[Rollout]:
        spec = self._known_spec()
        if not spec.can_imagine:
            raise Refusal(f"the environment {spec.name} cannot imagine.", "Use a world model instead of gtsim.")
        seen_by = (spec.rig.camera(camera),)
        request = wiw_pb2.EnvironmentImagineRequest()
        queries.write_candidates(candidates, camera, frames, request)
        if planted is not None:
            queries.write_planted(*planted, request)
        expected = ExpectedRollouts(
            {index: len(wanted) for index, wanted in enumerate(frames)},
            dict.fromkeys(range(len(candidates)), seen_by),
        )
        yield from _rollouts(self._connection, request.SerializeToString(), expected, self._deadlines)

    def _known_spec(self) -> EnvironmentSpec:
        return self._spec if self._spec is not None else self.describe()

    def _call(self, method: str, request: bytes, deadline_s: float) -> bytes:
        return self._connection.unary(method, request, deadline_s)

    def _query(self, kind: str, arguments: Sequence[Any]) -> Any:
        self._known_spec()
        request = wiw_pb2.QueryRequest()
        queries.write_query(kind, arguments, request)
        data = self._call("Query", request.SerializeToString(), self._deadlines.query_s)
        with reading_reply(self._connection.name, f"Query {kind}"):
            return queries.read_answer(kind, parse("QueryReply", data))


class WorldModelClient:
    """The world model behind ``socket``.

    ``expected`` is the manifest that the run was planned with: another one raises SpecMismatch at the first call.
    """

    def __init__(
        self, socket: Socket, deadlines: Optional[Deadlines] = None, expected: Optional[ModelManifest] = None
    ) -> None:
        self._connection = Connection(socket, "WorldModel")
        self._deadlines = deadlines or Deadlines()
        self._expected = expected
        self._manifest: Optional[ModelManifest] = None
        if expected is not None:
            self._connection.name = f"world model {expected.name!r}"

    def describe(self) -> ModelManifest:
        """Shake hands and return the model's manifest."""
        request = wiw_pb2.DescribeRequest(protocol_version=PROTOCOL_VERSION)
        deadline_s = self._deadlines.describe_s
        data = self._connection.unary("Describe", request.SerializeToString(), deadline_s)
        with reading_reply(self._connection.name, "Describe"):
            reply = parse("WorldModelDescription", data)
        check_protocol(reply.protocol_version, self._connection.name)
        with reading_reply(self._connection.name, "Describe"):
            manifest: ModelManifest = mapper.read(ModelManifest, present(reply, "manifest", "description"), "manifest")
        check_spec_digest(reply.spec_digest, manifest, self._connection.name)
        if self._expected is not None:
            check_expected(manifest, self._expected, self._connection.name)
        self._manifest = manifest
        return manifest

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the rollout of one request."""
        (rollout,) = self.imagine_batch([request])
        return rollout

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield one rollout a request, in any order; one that failed carries its error."""
        manifest = self._manifest if self._manifest is not None else self.describe()
        message = write_batch(requests).serialized()
        expected = expected_of_batch(requests, manifest)
        yield from _rollouts(self._connection, message, expected, self._deadlines)

    def close(self) -> None:
        """Close the channel; the model lives on until its runtime stops it."""
        self._connection.close()


def _check_cameras(spec: EnvironmentSpec, requests: Sequence[ViewRequest]) -> None:
    for request in requests:
        spec.rig.camera(request.camera)


def _rollouts(
    connection: Connection, request: bytes, expected: ExpectedRollouts, deadlines: Deadlines
) -> Iterator[Rollout]:
    reader = RolloutReader(expected.accept)
    answers = connection.stream("Imagine", request, deadlines.imagine_s, deadlines.imagine_option)
    with closing(answers) as parts:
        for part in parts:
            with reading_reply(connection.name, "Imagine"):
                rollout = reader.add(part)
            if rollout is not None:
                yield rollout
    with reading_reply(connection.name, "Imagine"):
        reader.finish()
        expected.finish()
