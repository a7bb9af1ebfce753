"""What keeps a world model from running here, in a few words: what a run would refuse, asked of all of them at once."""

from __future__ import annotations

import functools

from harness.contracts.errors import Refusal
from harness.running.views import check_view
from harness.worldmodels.catalog import CatalogEntry
from harness.worldmodels.packages import package_lacks
from harness.worldmodels.preparing import Choice, prepare
from tasks.suite import load_suite

TASK = "ignav"


def obstacles(entry: CatalogEntry) -> tuple[str, ...]:
    """Return what a world model lacks here to be played on the default tier of its home suite; () where it runs.

    No weights are read and no service is started: a model that runs here by this answer may still break.
    """
    manifest = entry.manifest
    try:
        prepared = prepare(manifest, Choice(), code_from=entry.code_from)
        suite = load_suite(manifest.home_suite, TASK)
        check_view(manifest, suite, suite.tier())
    except Refusal as refusal:
        return (refusal.what.rstrip("."),)
    lacks = []
    if not _is_here(suite.name):
        lacks.append(f"suite {suite.name}")
    if any(not lack.learnt for lack in prepared.lacks):
        lacks.append("its authors' code")
    if any(lack.learnt for lack in prepared.lacks):
        lacks.append("weights")
    lacks += [f"the extra {entry.extra}" if entry.extra else "packages" for _ in package_lacks(entry)]
    return tuple(lacks)


@functools.cache
def _is_here(suite: str) -> bool:
    return not load_suite(suite, TASK).missing()
