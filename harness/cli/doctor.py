"""`doctor`: what can run here, what cannot, and what to do about it."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.cli.console import note, print_json, say, width_of_output, wrapped
from harness.contracts.folders import cache_root
from harness.contracts.from_source import CHECKOUT
from harness.contracts.printing import one_line

if TYPE_CHECKING:
    from harness.diagnosing.engine import Engine
    from harness.diagnosing.findings import Finding

Part = TypeVar("Part")

STATE_WIDTH = 9

BUDGET_S = 35.0
"""Seconds after which frames are given up; the other checks come first and take some seconds together."""


def examine(out: Path) -> Iterator[Finding]:
    """Yield all findings; a check that fails is a finding itself, so this never raises."""
    from harness.diagnosing import engine, graphics, host_checks
    from harness.diagnosing.findings import collect
    from harness.worldmodels.catalog import load_catalog

    until = time.monotonic() + BUDGET_S
    cache = cache_root().absolute()
    folders = {"runs": (out, "--out FOLDER"), "homes cache": (cache, "WIW_CACHE=FOLDER")}
    yield from collect("machine", lambda: host_checks.examine_machine(CHECKOUT, folders))
    yield from collect("suites", host_checks.check_suites)
    gpus: list[str] = []
    yield from collect("gpu", lambda: _take(graphics.examine_gpus(), gpus))
    engines: list[Engine] = []
    yield from collect("docker engine", lambda: _take(engine.reach_engine(), engines))
    for reached in engines:
        yield from collect("docker engine", functools.partial(engine.examine_engine, reached, len(gpus)))
        yield from collect("images", functools.partial(engine.check_images, reached))
    yield from collect("data", host_checks.check_scenes)
    yield from collect("weights", lambda: host_checks.check_weights(load_catalog().entries))
    note("rendering a frame a device ...")
    yield from collect("frame", lambda: graphics.examine_frames(cache, bool(engines), gpus, until))


def doctor(out: Path, as_json: bool) -> int:
    """Print the findings, what matters first, and a verdict.

    Return 1 if any is a problem (the embedded suite cannot run), else 0.
    """
    from harness.diagnosing.findings import PROBLEM, by_weight, verdict

    findings = list(examine(out))
    if as_json:
        print_json({"verdict": verdict(findings), "checks": [asdict(finding) for finding in findings]})
    else:
        for line in (*finding_lines(by_weight(findings), width_of_output()), "", *verdict(findings)):
            say(line)
    return 1 if any(finding.state == PROBLEM for finding in findings) else 0


def _take(examined: tuple[list[Part], list[Finding]], parts: list[Part]) -> list[Finding]:
    """Keep the parts that a check found for the checks after it, and return its findings."""
    parts.extend(examined[0])
    return examined[1]


def finding_lines(findings: Sequence[Finding], width: int) -> list[str]:
    """Return each finding with its state before it and, on a line of its own, what to do about it."""
    lines: list[str] = []
    for finding in findings:
        meaning = f": {finding.meaning}" if finding.meaning else ""
        text = one_line(f"{finding.name}: {finding.found.rstrip('.')}{meaning}")
        lines += wrapped(text, f"{finding.state:<{STATE_WIDTH}}", width)
        if finding.next_step:
            lines += wrapped(f"→ {one_line(finding.next_step)}", " " * STATE_WIDTH, width)
    return lines
