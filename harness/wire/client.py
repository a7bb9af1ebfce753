"""Clients of the two services, with the methods of the classes that the services run.

A caller cannot tell a client from the object itself, but for its errors: every call ends before its deadline, with the
answer that was asked for or with a contract error. The first call shakes hands (`describe`).
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from harness.contracts.actions import Action, Candidate
from harness.contracts.cameras import Pose, Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import ServiceError
from harness.contracts.field_limits import Few, Word
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import (
    EnvironmentSpec,
    ObjectBox,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.channel import Connection, Deadlines, check_health, reading_reply
from harness.wire.codec import mapper, queries
from harness.wire.codec.messages import PROTOCOL_VERSION, parse, present
from harness.wire.codec.observations import read_first_observation, read_observations, read_rendered
from harness.wire.codec.rollouts import RolloutReader, write_batch
from harness.wire.generated import wiw_pb2
from harness.wire.replies import (
    ExpectedRollouts,
    check_expected,
    check_observations,
    check_protocol,
    check_rendered,
    check_rollout_poses,
    check_spec_digest,
    check_views,
    expected_of_batch,
)
from harness.wire.sdk import (
    CAPABILITIES,
    Environment,
    HandlingErrors,
    Imagining,
    Lookahead,
    MotionErrors,
    Navigation,
    ObjectBoxes,
    PlantedError,
    Rendering,
    capability_of,
    refuse,
)

__all__ = ["Deadlines", "EnvironmentClient", "WorldModelClient", "check_health"]

_CAPABILITY, _CAPABILITIES = Word(tuple(CAPABILITIES)), Few(len(CAPABILITIES))

Socket = Union[str, "os.PathLike[str]"]


class EnvironmentClient(
    Environment, Rendering, Imagining, MotionErrors, HandlingErrors, Lookahead, Navigation, ObjectBoxes
):
    """The environment behind ``socket``. It has every method; what the service has not declared is refused by name.

    ``expected`` is the spec that the run was planned with: another one raises SpecMismatch at the first call.
    """

    def __init__(
        self, socket: Socket, deadlines: Optional[Deadlines] = None, expected: Optional[EnvironmentSpec] = None
    ) -> None:
        self._connection = Connection(socket, "Environment")
        self._deadlines = deadlines or Deadlines()
        self._expected = expected
        self._spec: Optional[EnvironmentSpec] = None
        self._declared: Tuple[str, ...] = ()

    def capabilities(self) -> Tuple[str, ...]:
        """Return what the service has declared."""
        self._known_spec()
        return self._declared

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
            names = _CAPABILITIES.check(reply.capabilities, "capabilities")
            declared = tuple(_CAPABILITY.check(name, "capabilities") for name in names)
        check_spec_digest(reply.spec_digest, spec, self._connection.name)
        if self._expected is not None:
            check_expected(spec, self._expected, self._connection.name)
        self._spec, self._declared = spec, declared
        self._connection.name = f"environment {spec.name!r}"
        return spec

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Load the episode's scene and return the first observation."""
        spec = self._known_spec()
        request = wiw_pb2.ResetRequest()
        queries.write_reset(episode, seed, views, request)
        _check_cameras(spec, views)
        data = self._call("Reset", request.SerializeToString(), self._deadlines.reset_s)
        with reading_reply(self._connection.name, "Reset"):
            observation = read_first_observation(data)
            check_views(observation.views, views, spec.rig, "observation")
        return observation

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

    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> List[Mapping[str, View]]:
        """Return the views by camera name with the body at each pose of the present scene."""
        spec = self._declaring("rendering")
        request = wiw_pb2.RenderRequest()
        queries.write_render(poses, views, request)
        _check_cameras(spec, views)
        data = self._call("Render", request.SerializeToString(), self._deadlines.step_s)
        with reading_reply(self._connection.name, "Render"):
            found = read_rendered(data)
            check_rendered(found, len(poses), views, spec.rig)
        return found

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
        error: PlantedError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Yield the rollout of each candidate with ``error`` planted in it."""
        yield from self._imagined(candidates, camera, frames, (error, list(seeds)))

    def rollout_poses(
        self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]
    ) -> Tuple[Tuple[Pose, ...], ...]:
        """Return where the body would be at the wanted frames of each candidate."""
        poses: Tuple[Tuple[Pose, ...], ...] = self._query("lookahead", queries.ROLLOUT_POSES, (candidates, frames))
        with reading_reply(self._connection.name, "Query rollout_poses"):
            check_rollout_poses(poses, frames)
        return poses

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        """Return the walkable distance in metres; infinity where there is no way."""
        return float(self._query("navigation", queries.GEODESIC, (start, goal)))

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        """Return a shortest walkable path."""
        path: ShortestPath = self._query("navigation", queries.SHORTEST_PATH, (start, goal))
        return path

    def is_navigable(self, position: Vec3) -> bool:
        """Say whether the body can stand at ``position``."""
        return bool(self._query("navigation", queries.NAVIGABLE, (position,)))

    def top_down_map(self) -> TopDownMap:
        """Return the walkable area of the current scene."""
        area: TopDownMap = self._query("navigation", queries.TOP_DOWN_MAP, ())
        return area

    def object_boxes(self) -> Tuple[ObjectBox, ...]:
        """Return the boxes of the current scene's objects."""
        boxes: Tuple[ObjectBox, ...] = self._query("object_boxes", queries.OBJECT_BOXES, ())
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
        spec = self._declaring("imagining" if planted is None else capability_of(planted[0]))
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

    def _declaring(self, capability: str) -> EnvironmentSpec:
        """Return the spec; Refusal where the service has not declared the capability."""
        spec = self._known_spec()
        if capability not in self._declared:
            refuse(spec.name, capability)
        return spec

    def _call(self, method: str, request: bytes, deadline_s: float) -> bytes:
        return self._connection.unary(method, request, deadline_s)

    def _query(self, capability: str, kind: str, arguments: Sequence[Any]) -> Any:
        self._declaring(capability)
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
        manifest = described_model(self._connection, self._deadlines.describe_s, self._expected)
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


def described_model(connection: Connection, deadline_s: float, expected: Optional[ModelManifest]) -> ModelManifest:
    """Shake hands with a model's service and return its manifest; SpecMismatch where it is not the ``expected`` one."""
    request = wiw_pb2.DescribeRequest(protocol_version=PROTOCOL_VERSION)
    data = connection.unary("Describe", request.SerializeToString(), deadline_s)
    with reading_reply(connection.name, "Describe"):
        reply = parse("WorldModelDescription", data)
    check_protocol(reply.protocol_version, connection.name)
    with reading_reply(connection.name, "Describe"):
        manifest: ModelManifest = mapper.read(ModelManifest, present(reply, "manifest", "description"), "manifest")
    check_spec_digest(reply.spec_digest, manifest, connection.name)
    if expected is not None:
        check_expected(manifest, expected, connection.name)
    return manifest


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
