"""The kit: runs every check on one plugin, in order, and goes on after those that fail."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

from harness.conformance import (
    contract_checks,
    following_checks,
    honesty_checks,
    refusal_checks,
    repeat_checks,
    resource_checks,
)
from harness.conformance.places import Place, collect_places
from harness.conformance.questions import Questions, wants_large
from harness.conformance.results import FAILED, CheckResult, Outcome, Report
from harness.conformance.subject import Subject, explain
from harness.conformance.target import Target
from harness.contracts.errors import Refusal, ServiceError, WiwError
from harness.contracts.names import nearest

Check = Callable[[Subject], Outcome]
Progress = Callable[[int, int, str], None]
"""Called with how many checks are done, how many there are, and what is being done."""

DEADLINE_S = 600.0
START_S = 600.0

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
    "largest batch": honesty_checks.largest_batch,
    "longest candidate": honesty_checks.longest_candidate,
    "conditioning": honesty_checks.conditioning,
    "following: forwards": following_checks.forwards,
    "following: turns": following_checks.turns,
    "bad requests": refusal_checks.bad_requests,
    "bad messages": refusal_checks.bad_messages,
    "speed": resource_checks.speed,
}
"""The checks in their order, but for those that come last because they look back on all calls."""

MEMORY, HISTORY, DEADLINE = "memory", "history", "deadline"
NAMES = (*CHECKS, MEMORY, HISTORY, DEADLINE)


def check_plugin(
    target: Target,
    progress: Progress,
    places: Sequence[Place] = (),
    deadline_s: float = DEADLINE_S,
    start_s: float = START_S,
    log: Path | None = None,
    only: Sequence[str] = (),
) -> Report:
    """Run all checks on ``target`` and return what they found.

    ``places`` are collected from the embedded homes where none are given. The service is started anew after a check
    that broke it, so that one fault is not counted in every later check. ``log`` gets the output of the service.
    ``only`` names the checks to run (`NAMES`); a plugin conforms when all of them were run.
    """
    manifest = target.entry.manifest
    for name in only:
        if name not in NAMES:
            raise Refusal(f"there is no check {name!r}.", nearest(name, NAMES))
    if not places:
        progress(0, len(NAMES), "real views from the embedded homes")
        places = collect_places(wants_large(manifest))
    with tempfile.TemporaryDirectory(prefix="wiw-check-") as folder:
        subject = Subject(
            target, Questions(manifest, places), deadline_s, start_s, log or Path(folder) / f"{manifest.name}.log"
        )
        try:
            results = _run(subject, only or NAMES, progress)
        finally:
            subject.stop()
    return Report(manifest.name, target.source, manifest.digest(), tuple(results))


def _run(subject: Subject, names: Sequence[str], progress: Progress) -> list[CheckResult]:
    results: list[CheckResult] = []

    def tell(doing: str) -> None:
        progress(len(results), len(names), doing)

    checks: dict[str, Check] = {
        **CHECKS,
        MEMORY: lambda subject: resource_checks.memory(subject, lambda done: tell(f"{MEMORY}: {done}")),
        HISTORY: repeat_checks.history,
        DEADLINE: resource_checks.deadline,
    }
    for name, check in checks.items():
        if name not in names:
            continue
        tell(name)
        began = time.monotonic()
        outcome = _outcome(subject, check)
        results.append(CheckResult(name, outcome, time.monotonic() - began))
        if name == "handshake" and outcome.state == FAILED:
            break  # what does not start cannot be asked
    progress(len(results), len(names), "done")
    return results


def _outcome(subject: Subject, check: Check) -> Outcome:
    """Run one check; what it or the service raises is its failure."""
    try:
        return check(subject)
    except WiwError as error:
        what, step = explain(error)
        if isinstance(error, ServiceError):
            subject.stop()  # late, dead or talking nonsense: the next check gets a fresh one
        return Outcome(FAILED, note=what, next_step=step)
