"""What each method of the services does: read the request, ask the object, write the reply.

A method takes the bytes of a request and returns those of one message, or an iterator of them where it streams. It
knows nothing of sockets or threads (`harness.wire.server`).
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Sequence, Tuple

from harness.contracts.actions import Action
from harness.contracts.digest import digest
from harness.contracts.errors import LimitExceeded, Refusal, ServiceError
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import EnvironmentSpec, ViewRequest
from harness.contracts.policies import ProposalReply
from harness.contracts.rollouts import Rollout, RolloutRequest, failed_rollout
from harness.wire.codec import mapper, policies, queries
from harness.wire.codec.messages import PROTOCOL_VERSION, parse
from harness.wire.codec.observations import write_first_observation, write_observations, write_rendered
from harness.wire.codec.rollouts import read_batch, write_rollout
from harness.wire.errors import MAX_ERROR_TEXT, from_user_code, log_traceback
from harness.wire.generated import wiw_pb2
from harness.wire.replies import check_protocol
from harness.wire.sdk import (
    Environment,
    Imagining,
    Lookahead,
    Navigation,
    ObjectBoxes,
    Policy,
    Rendering,
    WorldModel,
    imagine_wrongly,
    require,
)

_KEPT_BYTES = 1024
WORLD_MODEL_SERVICE = "wiw.v1.WorldModel"
POLICY_SERVICE = "wiw.v1.Policy"

_QUERIES: Mapping[str, Tuple[type, str]] = {
    queries.GEODESIC: (Navigation, "geodesic_distance"),
    queries.SHORTEST_PATH: (Navigation, "shortest_path"),
    queries.NAVIGABLE: (Navigation, "is_navigable"),
    queries.TOP_DOWN_MAP: (Navigation, "top_down_map"),
    queries.OBJECT_BOXES: (ObjectBoxes, "object_boxes"),
    queries.ROLLOUT_POSES: (Lookahead, "rollout_poses"),
}
"""The capability that answers each query, and its method."""


@dataclass(frozen=True)
class Service:
    """A gRPC service by name: methods that answer once, and methods that stream."""

    name: str
    unary: Mapping[str, Callable[[bytes], bytes]]
    streaming: Mapping[str, Callable[[bytes], Iterator[bytes]]]
    close: Callable[[], None]


class EnvironmentMethods:
    """The Environment service of one environment object. A call after `close` is refused."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._closed = False

    def service(self) -> Service:
        """Return the methods by their names in the .proto."""
        unary: Dict[str, Callable[[bytes], bytes]] = {
            "Describe": self._describe,
            "Reset": self._reset,
            "Step": self._step,
            "Render": self._render,
            "Query": self._query,
            "Close": self._close,
        }
        return Service("wiw.v1.Environment", unary, {"Imagine": self._imagine}, self.close)

    def close(self) -> None:
        """Free the simulator, once."""
        if not self._closed:
            self._closed = True
            self._environment.close()

    def _open(self) -> Environment:
        if self._closed:
            raise Refusal("the environment is closed.", "Start it again.")
        return self._environment

    def _describe(self, data: bytes) -> bytes:
        request = parse("DescribeRequest", data)
        check_protocol(request.protocol_version, "the client")
        spec = self._open().describe()
        with _writing("describe"):
            reply = wiw_pb2.EnvironmentDescription(protocol_version=PROTOCOL_VERSION, spec_digest=digest(spec))
            mapper.write(EnvironmentSpec, spec, reply.spec, "spec")
            reply.capabilities.extend(self._environment.capabilities())
        return _serialized(reply)

    def _reset(self, data: bytes) -> bytes:
        episode, seed, views = queries.read_reset(parse("ResetRequest", data))
        observation = self._open().reset(episode, seed, views)
        with _writing("reset"):
            return write_first_observation(observation).serialized()

    def _step(self, data: bytes) -> bytes:
        actions, views = _kept_step(data) if len(data) <= _KEPT_BYTES else queries.read_step(parse("StepRequest", data))
        observations = self._open().step(list(actions), list(views))
        with _writing("step"):
            return write_observations(observations).serialized()

    def _render(self, data: bytes) -> bytes:
        poses, views = queries.read_render(parse("RenderRequest", data))
        found = require(self._open(), Rendering).render(poses, views)
        with _writing("render"):
            return write_rendered(found).serialized()

    def _imagine(self, data: bytes) -> Iterator[bytes]:
        message = parse("EnvironmentImagineRequest", data)
        candidates, camera, frames = queries.read_candidates(message)
        planted = queries.read_planted(message)
        if planted is None:
            rollouts = require(self._open(), Imagining).imagine(candidates, camera, frames)
        else:
            rollouts = imagine_wrongly(self._open(), candidates, camera, frames, *planted)
        for rollout in rollouts:
            yield from _parts(rollout)

    def _query(self, data: bytes) -> bytes:
        kind, arguments = queries.read_query(parse("QueryRequest", data))
        interface, method = _QUERIES[kind]
        answer = getattr(require(self._open(), interface), method)(*arguments)
        with _writing(kind):
            return queries.write_answer(kind, answer).serialized()

    def _close(self, data: bytes) -> bytes:
        parse("CloseRequest", data)
        self.close()
        return b""


IMAGINE = "imagine"
"""The phase of a rollout whose model reports none: the seconds until it came, without the way here and back."""


def _timed(rollouts: Iterable[Rollout]) -> Iterator[Rollout]:
    """Yield rollouts; those of a model that says nothing of its time get the seconds that each was waited for."""
    began = time.perf_counter()
    for rollout in rollouts:
        seconds = time.perf_counter() - began
        yield rollout if rollout.timings else replace(rollout, timings={IMAGINE: seconds})
        began = time.perf_counter()


class WorldModelMethods:
    """The WorldModel service of one model object. What goes wrong with one request does not touch the others."""

    def __init__(self, model: WorldModel) -> None:
        self._model = model

    def service(self) -> Service:
        """Return the methods by their names in the .proto."""
        return Service(WORLD_MODEL_SERVICE, {"Describe": self._describe}, {"Imagine": self._imagine}, lambda: None)

    def _describe(self, data: bytes) -> bytes:
        return describe_model(self._model.manifest, data)

    def _imagine(self, data: bytes) -> Iterator[bytes]:
        requests = read_batch(parse("WorldModelImagineRequest", data))
        batched = type(self._model).imagine_batch is not WorldModel.imagine_batch
        groups = [requests] if batched else [[request] for request in requests]
        for group in groups:
            yield from self._imagine_group(group)

    def _imagine_group(self, requests: Sequence[RolloutRequest]) -> Iterator[bytes]:
        """Yield the parts of each rollout; after an exception, of a failed rollout for each that is still due."""
        due = {request.id: request for request in requests}
        try:
            for rollout in _timed(self._model.imagine_batch(requests)):
                request = due.pop(rollout.id, None)
                if request is not None:
                    yield from self._answer(rollout, request)
            reason = "the model answered without this rollout."
        except GeneratorExit:  # the client has gone
            raise
        except BaseException as error:  # the author's code may raise anything
            log_traceback()
            reason = _reason(error, self._model)
        for request in due.values():
            yield from _parts(failed_rollout(request.id, request.camera, reason))

    def _answer(self, rollout: Rollout, request: RolloutRequest) -> Iterator[bytes]:
        parts = _parts(rollout)
        try:
            first = next(parts)  # all checks come before the first part
        except Exception as error:  # a rollout that is not one
            log_traceback()
            reason = _reason(error, self._model)
            parts = _parts(failed_rollout(request.id, request.camera, reason))
            first = next(parts)
        yield first
        yield from parts


class PolicyMethods:
    """The Policy service of one policy object."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def service(self) -> Service:
        """Return the methods by their names in the .proto."""
        return Service(POLICY_SERVICE, {"Describe": self._describe, "Propose": self._propose}, {}, lambda: None)

    def _describe(self, data: bytes) -> bytes:
        return describe_model(self._policy.manifest, data)

    def _propose(self, data: bytes) -> bytes:
        reply = self._policy.propose(policies.read_request(data))
        with _writing("propose"):
            if not isinstance(reply, ProposalReply):
                raise Refusal(f"it is {type(reply).__name__}, no ProposalReply.", "Return one.")
            return policies.write_reply(reply)


def describe_model(manifest: ModelManifest, data: bytes) -> bytes:
    """Return the answer of a model of this manifest to the bytes of a ``DescribeRequest``."""
    request = parse("DescribeRequest", data)
    check_protocol(request.protocol_version, "the client")
    reply = wiw_pb2.WorldModelDescription(protocol_version=PROTOCOL_VERSION, spec_digest=manifest.digest())
    mapper.write(ModelManifest, manifest, reply.manifest, "manifest")
    return _serialized(reply)


@lru_cache(maxsize=256)
def _kept_step(data: bytes) -> Tuple[Sequence[Action], Sequence[ViewRequest]]:
    """Return what `queries.read_step` does; kept, because an episode has few different steps."""
    return queries.read_step(parse("StepRequest", data))


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


@contextmanager
def _writing(method: str) -> Iterator[None]:
    """Turn what the codec says about an answer into an error of the author's code, not of the caller."""
    try:
        yield
    except (LimitExceeded, Refusal) as error:
        what = f"{method} gave an answer that cannot be sent: {error.what}"
        raise ServiceError(what, error.next_step) from error


def _parts(rollout: Rollout) -> Iterator[bytes]:
    with _writing("imagine"):
        for part in write_rollout(rollout):
            yield part.serialized()


def _reason(error: BaseException, model: WorldModel) -> str:
    failure = from_user_code(error, f"{type(model).__name__}.imagine")
    return str(failure)[:MAX_ERROR_TEXT].encode("utf-8", "replace").decode("utf-8")


def service_of(instance: Any) -> Service:
    """Return the service of an environment, a world model or a policy."""
    if isinstance(instance, Environment):
        return EnvironmentMethods(instance).service()
    if isinstance(instance, WorldModel):
        return WorldModelMethods(instance).service()
    if isinstance(instance, Policy):
        return PolicyMethods(instance).service()
    raise ServiceError(
        f"{type(instance).__name__} is no Environment, WorldModel or Policy.",
        "Derive it from a class of harness.wire.sdk.",
    )
