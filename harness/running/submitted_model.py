"""The submitted world model as a run asks it: what goes wrong behind it is its own fault, and told so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
from harness.runtimes.service import Service, with_stack
from harness.worldmodels.imaginer import ImaginingModel


class SubmittedModel:
    """A world model's client whose failures are `ModelFault`, with the reason of its death where it died.

    One that does not answer in time writes the stack of its threads to its log.

    The environment's client is not wrapped: which of the two services failed decides whose fault it is, never what a
    service says about itself.
    """

    def __init__(self, client: ImaginingModel, service: Service) -> None:
        self._client = client
        self._service = service

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield what the client does."""
        try:
            yield from self._client.imagine_batch(requests)
        except DeadlineExceeded as error:
            raise model_fault(with_stack(error, self._service)) from error
        except (Refusal, SpecMismatch):
            raise  # a model of another size than it declared: the worker knows when this concerns the whole run
        except WiwError as error:
            raise model_fault(self._service.death() or error) from error


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
