"""The submitted world model's service as the harness sees it: what goes wrong behind it is its fault, and told so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Optional

from harness.contracts.errors import (
    DeadlineExceeded,
    MachineError,
    ModelFault,
    ModelTimeout,
    Refusal,
    SpecMismatch,
    WiwError,
)
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.records.resuming import CALL_TIMEOUT
from harness.running.plan import RunPlan
from harness.runtimes.service import Service, with_stack
from harness.wire.client import Deadlines
from harness.worldmodels.imaginer import ImaginingModel


class SubmittedModel:
    """A world model's client whose failures are `ModelFault`, with the reason of its death where it died.

    One that does not answer in time writes the stack of its threads to its log. Without a ``service`` the client is
    that of a service which tells the reason itself (`shared_model`).

    The environment's client is not wrapped: which of the two services failed decides whose fault it is, never what a
    service says about itself.
    """

    def __init__(self, client: ImaginingModel, service: Optional[Service] = None) -> None:
        self._client = client
        self._service = service

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield what the client does."""
        try:
            yield from self._client.imagine_batch(requests)
        except DeadlineExceeded as error:
            raise model_fault(error if self._service is None else with_stack(error, self._service)) from error
        except (Refusal, SpecMismatch):
            raise  # a model of another size than it declared: the worker knows when this concerns the whole run
        except WiwError as error:
            death = None if self._service is None else self._service.death()
            raise model_fault(death or error) from error


def call_deadlines(plan: RunPlan) -> Deadlines:
    """Return how long the calls of a run may take."""
    chosen = plan.deadlines
    return Deadlines(
        reset_s=chosen.reset_s,
        step_s=chosen.step_s,
        imagine_s=chosen.imagine_s,
        query_s=chosen.query_s,
        imagine_option=CALL_TIMEOUT,
    )


def waiting_deadlines(plan: RunPlan) -> Deadlines:
    """Return the same of calls to the one world model of all workers, which wait for those of others.

    Its own service holds each batch to `call_deadlines`; a worker only has to give up where the scheduler would.
    """
    return Deadlines(describe_s=plan.worker_start_s(), imagine_s=plan.episode_s())


def model_fault(error: WiwError) -> ModelFault:
    """Return ``error`` as the fault of the submitted world model."""
    kind = ModelTimeout if isinstance(error, DeadlineExceeded) else ModelFault
    return kind(error.what, error.next_step)


@contextmanager
def starting_model() -> Iterator[None]:
    """Blame the submitted world model for a start that fails, but not for a refusal or for the machine."""
    try:
        yield
    except (Refusal, SpecMismatch, MachineError):
        raise
    except WiwError as error:
        raise model_fault(error) from error
