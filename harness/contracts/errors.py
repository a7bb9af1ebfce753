"""The errors that cross a seam. Each says what happened, with which values, and what to do next.

One base class lets the command line print a sentence instead of a traceback; its subclasses choose the
exit code (`Refusal` is the user's to fix: 2; everything else is ours: 1).
"""

from __future__ import annotations


class WiwError(Exception):
    """Base of all errors that a user is meant to read.

    ``what`` says what happened with the values; ``next_step`` says what to do about it.
    """

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(f"{what} {next_step}".strip())
        self.what = what
        self.next_step = next_step


class Refusal(WiwError):
    """The request cannot be carried out as asked: wrong name, wrong value, missing part."""


class SpecMismatch(WiwError):
    """Two sides of a seam declare different things; the message shows both."""


class LimitExceeded(WiwError):
    """A message is larger, or has another shape or dtype, than the limits allow."""


class ServiceError(WiwError):
    """A service (environment, world model) failed, died or did not answer in time."""


class DeadlineExceeded(ServiceError):
    """A service did not answer before its deadline."""


class ModelFault(ServiceError):
    """The service of the submitted world model failed: it died, broke off, or sent what is no answer.

    Apart from other services' failures, because it is an error of its episode: a second try would count a world model
    that fails now and then as one that does not.
    """


class ModelTimeout(ModelFault, DeadlineExceeded):
    """The service of the submitted world model was not ready, or did not answer, before its deadline."""


class PolicyFault(ModelFault):
    """The service of the policy failed: an error of its episode, as a world model's is."""


class PolicyTimeout(PolicyFault, ModelTimeout):
    """The service of the policy was not ready, or did not answer, before its deadline."""


class MachineError(WiwError):
    """The machine failed, not what runs on it: a disk that is full, read-only or broken.

    It stops a run, which counts nothing for it and can be resumed.
    """


class EpisodeError(WiwError):
    """One episode cannot be played on; the run goes on with the next."""


class RolloutError(EpisodeError):
    """The submitted world model failed in a rollout or answered with another one; its service lives on."""


class ProposalError(EpisodeError):
    """The policy had no plan for a decision; its service lives on. Nothing is executed in its place."""


class NotNavigable(EpisodeError):
    """A pose lies outside the walkable area."""


class DeadFrame(WiwError):
    """An environment showed a frame that cannot be what its camera sees: black, of one value, frozen or stale.

    No ServiceError, because those are played again: a simulator that was caught once may have misled the agent
    before, so a person decides (fix it, then resume with ``--retry-errors``).
    """
