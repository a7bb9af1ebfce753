"""Asks a submission's image what only a cheat answers otherwise: the checks of `plugin check` that tell one, and more.

Homes, places and seeds are drawn anew each time, as large and as unknown as those of a run, so that an image cannot
know a probe by them. A check that the image answered wrongly refutes it by a code, ``probe-`` and the check's name. One
that it did not answer at all (it died, it was late) refutes nothing, and is told.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from harness.conformance.results import FAILED, CheckResult
from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal, SpecMismatch, WiwError
from harness.leaderboard.admission import Reason
from harness.records.identity import RunIdentity

if TYPE_CHECKING:
    from harness.conformance.run_checks import Progress
    from harness.worldmodels.preparing import Choice

CHECKS = (
    "handshake", "shapes", "values", "live frames", "start view", "view used", "chosen frames", "determinism", "seed",
    "batch", "order", "conditioning", "history", "call order", "leak canary", "clock", "restart",
)  # fmt: skip
"""What an honest model of any quality passes; whether it is any good (`following`) is for the tasks to show."""


@dataclass(frozen=True)
class Probed:
    """What probing an image found: the state of each check by name, and which were not answered, with the error."""

    image: str
    states: Mapping[str, str]
    failures: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Say whether every check came to a verdict."""
        return not self.failures


def probe(image: str, identity: RunIdentity, progress: Progress) -> tuple[Probed, tuple[Reason, ...]]:
    """Probe the model of an image in the sandbox, as the run of ``identity`` played it: with what was set for it.

    What keeps it from being asked at all is a failure of all.
    """
    from harness.conformance.run_checks import check_plugin  # loads gRPC, which no reader of a bundle waits for
    from harness.conformance.target import find_target

    try:
        target = find_target(image, identity.wm, choice=_choice(identity))
        _check_asked(identity, to_plain(target.entry.manifest))
        report = check_plugin(target, progress, only=CHECKS, secret=secrets.token_bytes(16))
    except WiwError as error:
        return Probed(image, {}, {name: str(error) for name in CHECKS}), ()
    return found_by(image, report.results)


def _choice(identity: RunIdentity) -> Choice:
    """Return what was set for a run; Refusal for code of this machine, which no bundle may name."""
    from harness.running.continuing import assignment
    from harness.worldmodels.preparing import Choice
    from harness.worldmodels.weights import CODE_SETTING

    if CODE_SETTING in identity.wm_overrides:
        raise Refusal(f"the run was played with --set {CODE_SETTING}=...", "Only what is in the image can be probed.")
    return Choice(tuple(assignment(key, value, identity) for key, value in identity.wm_overrides.items()))


def _check_asked(identity: RunIdentity, manifest: Mapping[str, Any]) -> None:
    """Raise SpecMismatch where the image's model would be asked otherwise than the run says that it was."""
    from harness.worldmodels.preparing import FACTS

    for name in ("settings", *FACTS):
        played = identity.wm_manifest.get(name, manifest[name])
        if played != manifest[name]:
            raise SpecMismatch(
                f"the run was played with {name} {str(played)[:80]}, and the image has {str(manifest[name])[:80]}.",
                "The image is another model than its records say.",
            )


def found_by(image: str, results: Sequence[CheckResult]) -> tuple[Probed, tuple[Reason, ...]]:
    """Return what the results of checks say of an image: those that were never run are failures."""
    states = {result.name: result.outcome.state for result in results}
    failures = {name: "it was not run" for name in CHECKS if name not in states}
    reasons = []
    for result in results:
        outcome = result.outcome
        if outcome.error:
            failures[result.name] = outcome.error
        elif outcome.state == FAILED:
            what = f"{outcome.measured}, where it has to be {outcome.limit}. {outcome.note}"
            reasons.append(Reason(f"probe-{result.name.replace(' ', '-')}", image, what, outcome.next_step))
    return Probed(image, states, failures), tuple(reasons)
