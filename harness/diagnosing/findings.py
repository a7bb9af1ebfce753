"""What a check found: a state, the value, what it means, the next command; and the order in which all of it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.contracts.commands import FIRST_TASK, command
from harness.contracts.errors import WiwError

OK, WARNING, PROBLEM, SKIPPED = "ok", "warning", "problem", "skipped"


@dataclass(frozen=True)
class Finding:
    """One finding of one check.

    ``state``: ``ok``; ``problem``: the embedded suite cannot run here; ``warning``: something else cannot, or results
    may differ; ``skipped``: there is nothing here to check, and ``found`` says why. ``meaning`` is what follows from
    the value, ``next_step`` what to do about it; both are empty where all is well.
    """

    name: str
    state: str
    found: str
    meaning: str = ""
    next_step: str = ""


def collect(name: str, check: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what ``check`` finds; an error in it is a finding called ``name`` and ends nothing else."""
    try:
        found = check()
        yield from [found] if isinstance(found, Finding) else found
    except WiwError as error:
        yield Finding(name, WARNING, error.what, "this could not be checked", error.next_step)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        yield Finding(name, WARNING, text, "the check itself failed", "Report it with the output of doctor --json.")


WEIGHTS, SUITE = "weights: ", "suite: "
SUPPLIES = (WEIGHTS, "data: ", "image: ")
"""How the findings about files begin that a user fetches or builds when they are wanted: their lack is no fault."""

DOCKER = ("docker engine", "storage driver", "docker disk", "container limits", "limits hold", "nvidia runtime")
IN_DOCKER = ", in Docker"
"""The findings about containers, which no first run needs."""

FIRST_RUN = command("--wm", "gtsim", "--task", FIRST_TASK)


def by_weight(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings as a person reads them: problems, warnings of what the embedded suite runs on, what is well, and
    then what a first run does without: warnings of Docker, what is not fetched, what there is nothing of.

    Weights that are not here are one finding, since `list wms` names the models.
    """
    return sorted(_weights_as_one(findings), key=_rank)


def verdict(findings: Sequence[Finding]) -> list[str]:
    """Return what is to be done or known, a line each, and as the last line what can be played here."""
    problems = [finding for finding in findings if finding.state == PROBLEM]
    if problems:
        names = ", ".join(finding.name for finding in problems)
        steps = [f"to do:   {finding.next_step}" for finding in problems if finding.next_step]
        return [*steps[:1], f"verdict: the embedded suite cannot run here ({names})"]
    doubts = [finding.name for finding in findings if finding.state == WARNING and not _is_supply(finding)]
    away = sorted({_what(finding) for finding in findings if finding.state == WARNING and _is_supply(finding)})
    lines = []
    if away:
        lines.append(f"not here, and needed only for what they are for: {', '.join(away)}")
    if doubts:
        lines.append(f"look at: {', '.join(doubts)}")
    return [*lines, f"verdict: the embedded suite runs here: {FIRST_RUN}"]


def _weights_as_one(findings: Sequence[Finding]) -> list[Finding]:
    lacking = [f for f in findings if f.name.startswith(WEIGHTS) and f.state == WARNING]
    if len(lacking) < 2:
        return list(findings)
    names = ", ".join(finding.name.removeprefix(WEIGHTS) for finding in lacking)
    one = replace(
        lacking[0],
        name="weights",
        found=f"not here for {len(lacking)} world models: {names}",
        meaning="these cannot run",
        next_step=f"{command('list', 'wms')}; each says what it needs: {command('--wm', 'NAME', '--task', FIRST_TASK)}",
    )
    first = findings.index(lacking[0])
    return [*findings[:first], one, *(f for f in findings[first:] if f not in lacking)]


def _rank(finding: Finding) -> int:
    if finding.state == WARNING and _is_supply(finding):
        return 4
    if finding.state == WARNING and _is_dockers(finding):
        return 3
    return {PROBLEM: 0, WARNING: 1, OK: 2, SKIPPED: 5}[finding.state]


def _is_dockers(finding: Finding) -> bool:
    return finding.name in DOCKER or finding.name.endswith(IN_DOCKER)


def _is_supply(finding: Finding) -> bool:
    return finding.name == "weights" or finding.name.startswith((*SUPPLIES, SUITE))


def _what(finding: Finding) -> str:
    """Return a finding about something to be fetched in one word or two."""
    kind = next((kind for kind in SUPPLIES if finding.name.startswith(kind)), "")
    return {WEIGHTS: "weights", "data: ": "data", "image: ": "images"}.get(kind, finding.name.replace(": ", " "))
