"""Merging: every request is answered once, in fair order, in batches that a model can take, and fails alone."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import Camera
from harness.contracts.errors import DeadlineExceeded, ServiceError
from harness.contracts.rollouts import Rollout, RolloutRequest, failed_rollout
from harness.worldmodels import merging
from harness.worldmodels.merging import Call, MergeQueue, Merger, Waiting

LONG_S = 30.0
BAD, DEADLY = 666, 999


def request(id: int, height: int = 2, seed: int = 0) -> RolloutRequest:
    camera = Camera("pano", "equirect", height, 2 * height, 360.0, 1.25)
    view = np.full((height, 2 * height, 3), seed % 256, np.uint8)
    return RolloutRequest(id, seed, view, camera, Candidate((Primitive(FORWARD, 0.2),)), (1,))


class Model:
    """Answers backwards with the seed in every pixel; one seed fails alone, one with the whole batch."""

    def __init__(self, allowed: Optional[threading.Semaphore] = None) -> None:
        self.batches: list[list[RolloutRequest]] = []
        self.refuses: Optional[Exception] = None
        self._allowed = allowed

    def prepare(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.batches.append(list(requests))
        if self._allowed is not None:
            assert self._allowed.acquire(timeout=LONG_S)
        for asked in reversed(requests):
            if asked.seed == DEADLY:
                raise DeadlineExceeded("it hangs.")
            if asked.seed == BAD:
                yield failed_rollout(asked.id, asked.camera, "it does not like it.")
            else:
                yield Rollout(asked.id, asked.view[None], asked.camera)


@contextmanager
def merged(model: Model, most: int = 4, wait_s: float = 0.0, callers: int = 2) -> Iterator[Merger]:
    """Return a merger whose thread works."""
    merger = Merger(model, MergeQueue(most, wait_s, callers))
    thread = threading.Thread(target=merger.work)
    thread.start()
    try:
        yield merger
    finally:
        merger.close()
        thread.join(LONG_S)
        assert not thread.is_alive()


CALLS = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.integers(1, 2), min_size=1, max_size=1), st.booleans()), max_size=12
)


@settings(max_examples=50, deadline=None)
@given(CALLS, st.integers(1, 8))
def test_each_request_leaves_once_in_order_and_the_oldest_goes_first(
    calls: list[tuple[int, list[int], bool]], most: int
) -> None:
    queue = MergeQueue(most, 1.0, callers=100)
    waiting: list[RolloutRequest] = []
    left: list[Waiting] = []

    def take() -> None:
        batch = queue.take()
        assert 1 <= len(batch) <= most
        assert batch[0].request is waiting[0], "the oldest of all is in the next batch"
        assert len({item.request.camera for item in batch}) == 1
        for item in batch:
            waiting.remove(item.request)
        left.extend(batch)

    for now, (size, (height,), taken) in enumerate(calls):
        call = Call([request(number, height) for number in range(size)])
        queue.add(call, float(now))
        waiting += call.requests
        if taken and waiting:
            take()
    while waiting:
        take()
    assert queue.due_in(0.0) is None
    for call in {item.call for item in left}:
        assert [item.request for item in left if item.call is call] == list(call.requests)


def test_a_batch_is_due_when_it_is_full_or_old_or_nobody_else_can_come() -> None:
    queue = MergeQueue(3, wait_s=2.0, callers=2)
    assert queue.due_in(0.0) is None
    first, second = Call([request(0)]), Call([request(0)])
    queue.add(first, 10.0)
    assert queue.due_in(10.5) == 1.5 and queue.due_in(12.5) == 0.0
    queue.add(second, 10.5)
    assert queue.due_in(10.5) == 0.0, "both callers wait"
    queue.withdraw(second)
    assert queue.due_in(10.5) == 1.5
    queue.add(Call([request(number, height=1) for number in range(5)]), 10.5)
    queue.withdraw(first)
    assert queue.due_in(10.5) == 0.0, "a whole batch waits"


def test_a_batch_is_no_larger_than_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MAX_MESSAGE_BYTES", merging._ROOM_BYTES + 2 * request(0).view.nbytes)
    queue = MergeQueue(8, 0.0, callers=1)
    queue.add(Call([request(number) for number in range(5)]), 0.0)
    assert [len(queue.take()) for _ in range(3)] == [2, 2, 1]


def test_many_callers_each_get_their_own_answers_in_few_batches() -> None:
    model, callers = Model(), 6
    with merged(model, most=8, wait_s=0.02, callers=callers) as merger, ThreadPoolExecutor(callers) as threads:

        def play(caller: int) -> None:
            for decision in range(4):
                asked = [request(number, seed=10 * caller + number + decision) for number in range(3)]
                found = {rollout.id: rollout for rollout in merger.imagine_batch(asked)}
                assert {id: int(rollout.rgb.max()) for id, rollout in found.items()} == {
                    item.id: item.seed for item in asked
                }

        list(threads.map(play, range(callers)))
    assert sum(map(len, model.batches)) == callers * 4 * 3
    assert max(map(len, model.batches)) == 8 and len(model.batches) < callers * 4, "fewer than the calls"
    assert all([item.id for item in batch] == list(range(len(batch))) for batch in model.batches)


def test_a_rollout_that_fails_is_its_callers_alone() -> None:
    with merged(Model(), wait_s=LONG_S) as merger, ThreadPoolExecutor(2) as threads:
        bad, good = (
            threads.submit(lambda seeds: list(merger.imagine_batch([request(n, seed=s) for n, s in seeds])), seeds)
            for seeds in ([(0, 1), (1, BAD)], [(0, 2), (1, 3)])
        )
        assert sorted(rollout.error for rollout in bad.result()) == ["", "it does not like it."]
        assert [rollout.error for rollout in good.result()] == ["", ""]


def test_a_batch_that_breaks_off_fails_the_calls_in_it_and_no_later_one() -> None:
    model = Model()
    with merged(model, most=2, wait_s=LONG_S, callers=1) as merger:
        asked = [request(0, seed=DEADLY), request(1, seed=1), request(2, seed=2)]
        with pytest.raises(DeadlineExceeded, match="it hangs"):
            list(merger.imagine_batch(asked))
        assert [rollout.id for rollout in merger.imagine_batch([request(7)])] == [7]
    assert [len(batch) for batch in model.batches] == [2, 1], "what still waited of the failed call was not asked"


def test_a_model_that_cannot_be_asked_is_told_to_each_that_waits_and_tried_again() -> None:
    model = Model()
    with merged(model) as merger:
        model.refuses = ServiceError("it does not start.")
        with pytest.raises(ServiceError, match="does not start"):
            merger.prepare()
        model.refuses = None
        merger.prepare()


def test_a_caller_that_leaves_takes_its_requests_with_it() -> None:
    allowed = threading.Semaphore(1)
    model = Model(allowed)
    with merged(model, most=1, callers=1) as merger:
        leaving = merger.imagine_batch([request(number) for number in range(5)])
        next(leaving)
        assert isinstance(leaving, Generator)
        leaving.close()
        allowed.release(2)
        assert len(list(merger.imagine_batch([request(9, seed=9)]))) == 1
    assert len(model.batches) <= 3


def test_the_end_lets_nobody_wait() -> None:
    allowed = threading.Semaphore(0)
    model = Model(allowed)
    with ThreadPoolExecutor(1) as threads:
        with merged(model, callers=1) as merger:
            asked = threads.submit(lambda: list(merger.imagine_batch([request(0)])))
            while not model.batches:
                pass
            merger.close()
            with pytest.raises(ServiceError, match="being stopped"):
                asked.result(LONG_S)
            allowed.release()
        with pytest.raises(ServiceError, match="being stopped"):
            list(merger.imagine_batch([request(0)]))
