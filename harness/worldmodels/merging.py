"""Requests of several callers, merged into batches: who waits, which go together, and who gets which answer.

A world model answers a batch in hardly more time than one request, and a decision alone seldom fills one. Callers are
the decisions of episodes that are played at the same time; each has at most one call under way, so what waits is
bounded by their number, and a caller waits in its own call while the model is busy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any, Optional, Protocol, Union

from harness.contracts.errors import ServiceError
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.limits import MAX_MESSAGE_BYTES, MIB

_ROOM_BYTES = 8 * MIB
"""What is left in a message for all that is no image: 256 requests with prompts and poses."""

_STOPPING = "the world model's service is being stopped."


class MergedModel(Protocol):
    """The world model that batches are sent to, by one thread."""

    def prepare(self) -> None:
        """Make sure that it can be asked; raise why it cannot."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield one rollout a request, in any order."""


@dataclass(eq=False)
class Call:
    """What one caller asked at once, and the answers that have come: rollouts, None for `prepare`, or why none will."""

    requests: Sequence[RolloutRequest]
    answers: SimpleQueue[Union[Rollout, Exception, None]] = field(default_factory=SimpleQueue)


@dataclass(frozen=True, eq=False)
class Waiting:
    """One request of a call, which came at ``since`` (seconds of a monotonic clock)."""

    call: Call
    request: RolloutRequest
    since: float


def as_many_as_fit(request: RolloutRequest) -> int:
    """Return how many requests with images as large as this one's fit into one message, at least one."""
    images = [request.view, *(seen.rgb for seen in request.context)]
    size = sum(image.nbytes for image in images) + (0 if request.depth is None else request.depth.nbytes)
    return int(max(1, (MAX_MESSAGE_BYTES - _ROOM_BYTES) // size))


class MergeQueue:
    """The requests that wait, the oldest first.

    A batch begins with the oldest request and takes, in their order, those that are like it: the requests of one
    decision have one size, and as many earlier views, and a model may count on that. It is due when it is full, when
    its oldest request has waited ``wait_s``, and when all ``callers`` wait already, so that nobody else can come.

    So a caller is served after at most the calls that came before its own, one of each other caller.
    """

    def __init__(self, most: int, wait_s: float, callers: int) -> None:
        self._most = most
        self._wait_s = wait_s
        self._callers = callers
        self._waiting: list[Waiting] = []

    def add(self, call: Call, now: float) -> None:
        """Let all requests of a call wait."""
        self._waiting += [Waiting(call, request, now) for request in call.requests]

    def withdraw(self, call: Call) -> None:
        """Take back what still waits of a call."""
        self._waiting = [waiting for waiting in self._waiting if waiting.call is not call]

    def calls(self) -> list[Call]:
        """Return the calls of which something waits, the oldest first."""
        return list(dict.fromkeys(waiting.call for waiting in self._waiting))

    def due_in(self, now: float) -> Optional[float]:
        """Return the seconds until a batch is due, 0.0 where one is; None where nothing waits."""
        if not self._waiting:
            return None
        if len(self._next()) == self._limit() or len(self.calls()) >= self._callers:
            return 0.0
        return max(0.0, self._waiting[0].since + self._wait_s - now)

    def take(self) -> list[Waiting]:
        """Return the next batch, which waits no longer."""
        batch = self._next()
        taken = set(map(id, batch))
        self._waiting = [waiting for waiting in self._waiting if id(waiting) not in taken]
        return batch

    def _next(self) -> list[Waiting]:
        oldest = _kind(self._waiting[0].request)
        alike = [waiting for waiting in self._waiting if _kind(waiting.request) == oldest]
        return alike[: self._limit()]

    def _limit(self) -> int:
        return min(self._most, as_many_as_fit(self._waiting[0].request))


def _kind(request: RolloutRequest) -> Hashable:
    """Return what the requests of one batch have in common."""
    return request.camera, request.depth is None, len(request.context)


class Merger:
    """Asks ``model`` what many threads want to know, in batches, from one thread that calls `work`.

    What a batch fails with is what each call fails with that still waited for an answer of it; a rollout that carries
    an error is that request's alone.
    """

    def __init__(self, model: MergedModel, queue: MergeQueue) -> None:
        self._model = model
        self._queue = queue
        self._prepared: list[Call] = []
        self._open: set[Call] = set()
        self._changed = threading.Condition()
        self._closed = False

    def prepare(self) -> None:
        """Wait until the model can be asked; raise why it cannot."""
        call = Call(())
        with self._changed:
            self._begin(call)
            self._prepared.append(call)
        try:
            _answer(call)
        finally:
            self._end(call)

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield one rollout a request, each with the request's id; a caller that leaves is waited for no longer."""
        call = Call(requests)
        with self._changed:
            self._begin(call)
            self._queue.add(call, time.monotonic())
        try:
            for _ in requests:
                yield _answer(call)
        finally:
            self._end(call)

    def _begin(self, call: Call) -> None:
        if self._closed:
            raise ServiceError(_STOPPING)
        self._open.add(call)
        self._changed.notify_all()

    def _end(self, call: Call) -> None:
        with self._changed:
            self._open.discard(call)
            self._queue.withdraw(call)

    def work(self) -> None:
        """Answer until `close`."""
        while not self._closed:
            with self._changed:
                asked, batch = self._wait()
            if asked:
                self._prepare(asked)
            if batch:
                self._ask(batch)

    def close(self) -> None:
        """End `work` after its present batch; whoever still waits gets a ServiceError at once."""
        with self._changed:
            self._closed = True
            for call in self._open:
                call.answers.put(ServiceError(_STOPPING))
            self._changed.notify_all()

    def _wait(self) -> tuple[Sequence[Call], Sequence[Waiting]]:
        """Wait for something to do; return the calls of `prepare`, or else the batch that is due. Nothing: closed."""
        while not self._closed:
            if self._prepared:
                asked, self._prepared = self._prepared, []
                return asked, ()
            due_s = self._queue.due_in(time.monotonic())
            if due_s == 0.0:
                return (), self._queue.take()
            self._changed.wait(due_s)
        return (), ()

    def _prepare(self, asked: Sequence[Call]) -> None:
        answer: Optional[Exception] = None
        try:
            self._model.prepare()
        except Exception as error:  # whoever asked has to know, and this thread goes on
            answer = error
        for call in asked:
            call.answers.put(answer)

    def _ask(self, batch: Sequence[Waiting]) -> None:
        """Ask the model for one batch and hand each rollout to its caller as it comes."""
        due = dict(enumerate(batch))
        try:
            for rollout in self._model.imagine_batch(
                [replace(waiting.request, id=number) for number, waiting in due.items()]
            ):
                waiting = due.pop(rollout.id)
                waiting.call.answers.put(replace(rollout, id=waiting.request.id))
            error: Exception = ServiceError(f"the world model answered without {len(due)} of {len(batch)} rollouts.")
        except Exception as raised:  # as above
            error = raised
        failed = dict.fromkeys(waiting.call for waiting in due.values())
        with self._changed:
            for call in failed:
                self._queue.withdraw(call)
        for call in failed:
            call.answers.put(error)


def _answer(call: Call) -> Any:
    answer = call.answers.get()
    if isinstance(answer, Exception):
        raise answer
    return answer
