"""The kit: runs every check on one plugin, in order, and goes on after those that fail."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from harness.conformance import (
    contract_checks,
    following_checks,
    refusal_checks,
    repeat_checks,
    stateless_checks,
)
from harness.conformance.plugin_under_test import Subject, explain
from harness.conformance.policy_checks import POLICY_CHECKS, PolicySubject
from harness.conformance.real_views import collect_places
from harness.conformance.results import FAILED, CheckResult, Outcome, Report
from harness.conformance.target import Target
from harness.contracts.errors import MachineError, Refusal, ServiceError, WiwError
from harness.contracts.failures import kind_of
from harness.contracts.manifests import POLICY
from harness.contracts.names import nearest
from harness.running.full_disks import disk_behind
from harness.worldmodels.probe import Place, Probe, wants_large

Check = Callable[[Any], Outcome]
"""A check of a `Subject`, or of a `PolicySubject`."""
Progress = Callable[[int, int, str], None]
"""Called with how many checks are done, how many there are, and what is being done."""

DEADLINE_S = 600.0
START_S = 600.0
MAX_FAILURES = 3

CHECKS: Mapping[str, Check] = {
    "handshake": contract_checks.handshake,
    "shapes": contract_checks.shapes,
    "values": contract_checks.values,
    "live frames": contract_checks.live_frames,
    "start view": contract_checks.start_view,
    "view used": contract_checks.view_used,
    "chosen frames": contract_checks.chosen_frames,
    "determinism": repeat_checks.determinism,
    "seed": repeat_checks.seed,
    "batch": repeat_checks.batch,
    "order": repeat_checks.order,
    "largest batch": contract_checks.largest_batch,
    "longest candidate": contract_checks.longest_candidate,
    "conditioning": contract_checks.conditioning,
    "following: forwards": following_checks.forwards,
    "following: turns": following_checks.turns,
    "bad requests": refusal_checks.bad_requests,
    "bad messages": refusal_checks.bad_messages,
    "speed": repeat_checks.speed,
}
"""The checks in their order, but for those that come last because they look back on all calls."""

MEMORY, HISTORY, DEADLINE = "memory", "history", "deadline"
NAMES = (*CHECKS, MEMORY, HISTORY, DEADLINE)

PROBES: Mapping[str, Check] = {
    "call order": stateless_checks.call_order,
    "leak canary": stateless_checks.leak_canary,
    "clock": stateless_checks.clock,
    "restart": stateless_checks.restart,
}
"""Checks that are run only where they are named."""


def check_plugin(
    target: Target,
    progress: Progress,
    places: Sequence[Place] = (),
    deadline_s: float = DEADLINE_S,
    start_s: float = START_S,
    log: Path | None = None,
    only: Sequence[str] = (),
    max_failures: int = MAX_FAILURES,
    secret: bytes = b"",
) -> Report:
    """Run all checks on ``target`` and return what they found.

    ``places`` are collected from the embedded homes where none are given; ``secret`` decides which homes, and the seeds
    of requests, so that no plugin knows a check by what it is asked with; b"": always the same. The service is started
    anew after a check that broke it, so that one fault is not counted in every later check. ``log`` gets the output of
    the service, a file of its own in the temporary folder by default, which stays. After ``max_failures`` checks in a
    row that the same error ended, no more is asked (0: never). ``only`` names the checks to run (of `NAMES` and
    `PROBES`); a plugin conforms when all of `NAMES` were run. MachineError where a disk of this machine fails under the
    check.
    """
    manifest = target.entry.manifest
    is_policy = manifest.kind == POLICY
    names, others = (tuple(POLICY_CHECKS), ()) if is_policy else (NAMES, tuple(PROBES))
    for name in only:
        if name not in (*names, *others):
            raise Refusal(f"there is no check {name!r}.", nearest(name, [*names, *others]))
    if not places:
        progress(0, len(names), "real views from the embedded homes")
        places = collect_places(wants_large(manifest), secret=secret)
    log = log or Path(tempfile.mkdtemp(prefix="wiw-check-")) / f"{manifest.name}.log"
    made: Subject | PolicySubject
    if is_policy:
        made = PolicySubject(target, places, deadline_s, start_s, log)
    else:
        made = Subject(target, Probe(manifest, places, secret), deadline_s, start_s, log)
    try:
        results, stopped = run_checks(made, only or names, progress, max_failures)
    finally:
        made.stop()
    return Report(manifest.name, target.source, manifest.digest(), tuple(results), log, stopped)


def run_checks(
    subject: Subject | PolicySubject, names: Sequence[str], progress: Progress, max_failures: int = MAX_FAILURES
) -> tuple[list[CheckResult], str]:
    """Run the named checks; return their results and why they were broken off, "" where they were not."""
    results: list[CheckResult] = []
    told: dict[str, str] = {}

    def tell(doing: str) -> None:
        progress(len(results), len(names), doing)

    checks: dict[str, Check] = (
        dict(POLICY_CHECKS)
        if isinstance(subject, PolicySubject)
        else {
            **CHECKS,
            MEMORY: lambda subject: repeat_checks.memory(subject, lambda done: tell(f"{MEMORY}: {done}")),
            HISTORY: repeat_checks.history,
            **PROBES,
            DEADLINE: repeat_checks.deadline,
        }
    )
    for name, check in checks.items():
        if name not in names:
            continue
        tell(name)
        began = time.monotonic()
        outcome = _told_once(name, _outcome(subject, check), told)
        results.append(CheckResult(name, outcome, time.monotonic() - began))
        if name == "handshake" and outcome.state == FAILED:
            break  # what does not start cannot be asked
        if 0 < max_failures <= _equal_at_the_end(results):
            left = [other for other in checks if other in names][len(results) :]
            progress(len(results), len(names), "broken off")
            return results, _why_stopped(results, left) if left else ""
    progress(len(results), len(names), "done")
    return results, ""


def _told_once(name: str, outcome: Outcome, told: dict[str, str]) -> Outcome:
    """Return the outcome of check ``name``; an error that ended an earlier one too is named after that one."""
    if not outcome.error:
        return outcome
    first = told.setdefault(kind_of(outcome.error), name)
    return outcome if first == name else replace(outcome, note=f"the same error as in: {first}", next_step="")


def _equal_at_the_end(results: Sequence[CheckResult]) -> int:
    """Return how many checks at the end were ended by the same error."""
    if not results or not results[-1].outcome.error:
        return 0
    last = kind_of(results[-1].outcome.error)
    return len(list(takewhile(lambda result: kind_of(result.outcome.error) == last, reversed(results))))


def _why_stopped(results: Sequence[CheckResult], left: Sequence[str]) -> str:
    many = f"{_equal_at_the_end(results)} checks in a row ended with the same error"
    return f"{many}; not run: {', '.join(left)} (--max-failures 0 runs all)."


def _outcome(subject: Subject | PolicySubject, check: Check) -> Outcome:
    """Run one check; what it or the service raises is its failure."""
    try:
        return check(subject)
    except MachineError:
        raise
    except WiwError as error:
        machine = disk_behind(error, subject.log.parent)
        if machine is not None:
            raise machine from error
        what, step = explain(error)
        if isinstance(error, ServiceError):
            subject.stop()  # late, dead or talking nonsense: the next check gets a fresh one
        return Outcome(FAILED, note=what, next_step=step, error=str(error))
