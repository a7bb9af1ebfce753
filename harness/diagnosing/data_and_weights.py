"""What runs need beside programs: suites, licensed scenes, weights."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from harness.contracts.errors import WiwError
from harness.diagnosing.findings import OK, PROBLEM, SKIPPED, WARNING, Finding
from harness.runtimes.environments import MADE
from harness.worldmodels.catalog import CatalogEntry
from harness.worldmodels.weights import declared_lacks, has_weights
from tasks.suite import list_suites, load_suite


def check_suites() -> Iterator[Finding]:
    """Yield which suites can run here, and of each other the first thing that is missing."""
    for name in list_suites():
        try:
            suite = load_suite(name)
            missing = suite.missing()
        except WiwError as error:
            yield Finding(f"suite: {name}", WARNING, error.what, "it is refused", error.next_step)
            continue
        if missing:
            state = PROBLEM if suite.played_by.scenes == MADE else WARNING
            yield Finding(f"suite: {name}", state, missing[0].reason, "it cannot run here", missing[0].remedy)
        else:
            yield Finding(f"suite: {name}", OK, "can run here")


def check_scenes() -> Iterator[Finding]:
    """Yield whether the files of each dataset are in the data folder, and the licence that each is under.

    Without a data folder nobody plays published suites here, and one line says so.
    """
    from tasks.datasets.catalog import data_folder, load_datasets

    data = data_folder()
    if not data.exists() and "WIW_DATA" not in os.environ:
        step = "python benchmark.py datasets"
        yield Finding("data", SKIPPED, f"no folder {data}, and WIW_DATA is not set", "suite wiw needs scenes", step)
        return
    for dataset in load_datasets().values():
        missing = dataset.missing(data)
        name = f"data: {dataset.name}"
        if not missing:
            yield Finding(name, OK, f"in {data}")
            continue
        found = f"not in {data}: {', '.join(missing[:2])}" + (", ..." if len(missing) > 2 else "")
        command = "fetch " if dataset.fetchable else ""
        step = f"python benchmark.py datasets {command}{dataset.name} (another folder: WIW_DATA)"
        yield Finding(name, WARNING, found, f"needed by suite wiw; licence: {dataset.licence}", step)


def check_weights(entries: Iterable[CatalogEntry]) -> Iterator[Finding]:
    """Yield whether the declared weights of every learnt world model are here, by the rules of a run."""
    declared = [entry.manifest for entry in entries if has_weights(entry.manifest)]
    if not declared:
        yield Finding("weights", SKIPPED, "no world model here declares a checkpoint")
    for manifest in declared:
        name = f"weights: {manifest.name}"
        missing = declared_lacks(manifest)
        if not missing:
            yield Finding(name, OK, "here, as far as their file names say")
            continue
        found = "; ".join(lack.what for lack in missing)
        steps = "; ".join(step for lack in missing for step in lack.steps)
        yield Finding(name, WARNING, found, f"--wm {manifest.name} cannot run", steps)
