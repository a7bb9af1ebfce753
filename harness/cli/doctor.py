"""`doctor`: what can run here, what cannot, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.console import note, print_json, print_table
from harness.cli.paths import REPOSITORY, cache_root

if TYPE_CHECKING:
    from harness.diagnosing.findings import Finding

BUDGET_S = 45.0
"""Seconds after which frames are given up; the other checks come first and take some seconds together."""


def examine(out: Path, env_python: str = "") -> Iterator[Finding]:
    """Yield all findings; a check that fails is a finding itself, so this never raises."""
    from harness.diagnosing import engine, gpu, machine, rendering, supplies
    from harness.diagnosing.findings import collect
    from harness.worldmodels.catalog import load_catalog

    until = time.monotonic() + BUDGET_S
    cache = cache_root().absolute()
    folders = {"runs": (out, "--out FOLDER"), "homes cache": (cache, "WIW_CACHE=FOLDER")}
    yield from collect("machine", lambda: machine.examine_machine(REPOSITORY, folders))
    yield from collect("suites", supplies.check_suites)
    gpus, found = gpu.examine_gpus()
    yield from found
    docker, reached = engine.reach_engine()
    yield reached
    if docker is not None:
        yield from collect("docker engine", lambda: engine.examine_engine(docker, len(gpus)))
        yield from collect("images", lambda: engine.check_images(docker))
    yield from collect("data", supplies.check_scenes)
    yield from collect("weights", lambda: supplies.check_weights(load_catalog().entries))
    note("rendering a frame a device ...")
    uuids = [found.uuid for found in gpus]
    yield from collect("frame", lambda: rendering.examine_frames(cache, docker is not None, uuids, until, env_python))


def doctor(out: Path, as_json: bool, env_python: str = "") -> int:
    """Print the findings; return 1 if any is a problem (the embedded suite cannot run), else 0."""
    from harness.diagnosing.findings import PROBLEM

    findings = list(examine(out, env_python))
    if as_json:
        print_json({"checks": [asdict(finding) for finding in findings]})
    else:
        rows = [(finding.name, finding.state, _text(finding)) for finding in findings]
        print_table("What can run here", ("part", "state", "found"), rows)
    return 1 if any(finding.state == PROBLEM for finding in findings) else 0


def _text(finding: Finding) -> str:
    meaning = f": {finding.meaning}" if finding.meaning else ""
    step = f"\n→ {finding.next_step}" if finding.next_step else ""
    return f"{finding.found.rstrip('.')}{meaning}{step}"
