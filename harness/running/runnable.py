"""Where a world model runs here, and what it lacks there: what a run would refuse, asked of all of them at once."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from harness.contracts.errors import Refusal
from harness.running.compatibility import check_actions, check_view, choose_tier
from harness.running.run_options import TRIAL_SUITE
from harness.worldmodels.catalog import CatalogEntry
from harness.worldmodels.packages import package_lacks
from harness.worldmodels.preparing import Choice, prepare
from tasks.suite import load_suite

TASK = "ignav"


@dataclass(frozen=True)
class Place:
    """Where a world model is best tried here.

    ``words`` are what the command needs beside ``--wm`` and ``--task``: none on its home suite, another suite and its
    tier where the home suite cannot run here. ``lacks`` is what is missing there, and ``refused`` why no suite plays
    the model at all ("" where one does).
    """

    words: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    refused: str = ""


def place_of(entry: CatalogEntry) -> Place:
    """Return where a world model is best tried here: on its home suite, else on the suite that needs nothing.

    No weights are read and no service is started: a model that runs here by this answer may still break.
    """
    home = entry.manifest.home_suite
    if not _is_here(home) and home != TRIAL_SUITE:
        trial = _place_on(entry, TRIAL_SUITE)
        if not trial.refused:
            return trial
    return _place_on(entry, home)


def _place_on(entry: CatalogEntry, family: str) -> Place:
    manifest = entry.manifest
    try:
        prepared = prepare(manifest, Choice(), code_from=entry.code_from)
        suite = load_suite(family, TASK)
        tier = choose_tier(manifest, suite, "")
        check_actions(manifest, suite)
        check_view(manifest, suite, tier)
    except Refusal as refusal:
        return Place(refused=refusal.what)
    words: tuple[str, ...] = () if suite.family == manifest.home_suite else ("--suite", suite.family)
    if words and tier.name != suite.default_tier:
        words = (*words, "--tier", tier.name)
    lacks = [] if _is_here(family) else [f"suite {suite.name}"]
    if any(not lack.learnt for lack in prepared.lacks):
        lacks.append("its authors' code")
    if any(lack.learnt for lack in prepared.lacks):
        lacks.append("weights")
    lacks += [f"the extra {entry.extra}" if entry.extra else "packages" for _ in package_lacks(entry)]
    return Place(words, tuple(lacks))


@functools.cache
def _is_here(family: str) -> bool:
    return not load_suite(family, TASK).missing()
