"""Whose fault a failure is: decided by which service failed, never by what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from harness.contracts.errors import (
    DeadlineExceeded,
    LimitExceeded,
    MachineError,
    ModelFault,
    ModelTimeout,
    Refusal,
    ServiceError,
    SpecMismatch,
    WiwError,
)
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.running.submitted_model import SubmittedModel, starting_model


class Failing:
    def __init__(self, error: WiwError) -> None:
        self._error = error

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        yield from ()
        raise self._error


class Service:
    def __init__(self, death: ServiceError | None = None) -> None:
        self._death = death

    def death(self, wait_s: float = 0.5) -> ServiceError | None:
        return self._death

    def write_stack(self) -> bool:
        return False


def asked(error: WiwError, service: Any) -> None:
    list(SubmittedModel(Failing(error), service).imagine_batch([]))


@pytest.mark.parametrize("kind", [ServiceError, LimitExceeded, MachineError])
def test_what_breaks_behind_it_is_its_fault_also_where_it_blames_the_machine(kind: type[WiwError]) -> None:
    with pytest.raises(ModelFault, match="it says so"):
        asked(kind("it says so."), Service())


def test_its_death_gives_the_reason() -> None:
    with pytest.raises(ModelFault, match="out of memory"):
        asked(ServiceError("cannot be reached."), Service(ServiceError("ended: out of memory.")))


def test_a_late_answer_is_a_timeout() -> None:
    with pytest.raises(ModelTimeout):
        asked(DeadlineExceeded("late."), Service())


@pytest.mark.parametrize("kind", [Refusal, SpecMismatch])
def test_a_refusal_stays_one(kind: type[WiwError]) -> None:
    with pytest.raises(kind):
        asked(kind("no."), Service())


def test_a_start_that_fails_is_its_fault_but_not_a_full_disk_of_ours() -> None:
    with pytest.raises(ModelFault), starting_model():
        raise ServiceError("ended while starting.")
    with pytest.raises(MachineError), starting_model():
        raise MachineError("the engine's disk is full.")
