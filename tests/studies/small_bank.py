"""Measurements on a bank of a small suite, whose regrets a test chooses."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.banking.measures import METRICS
from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from harness.contracts.results import ERROR, FAILED, OK, DecisionRecord, EpisodeResult
from harness.contracts.trajectories import Trajectory
from harness.records.folder import STATES, RunFolder
from harness.records.identity import Provenance
from tasks.suite import Suite
from tests.records.written import write_trajectory
from tests.studies.small_suite import episodes, write_small_run

HOMES, PER_HOME = 10, 4
STATES_HASH = digest("states")


def regrets(level: float) -> tuple[float, ...]:
    """Return 40 regrets in metres around ``level``: who has a higher level loses more in the same states."""
    hardness = np.random.default_rng(11).uniform(0.5, 1.5, HOMES * PER_HOME)
    return tuple(float(level * hard) for hard in hardness)


def write_small_bank(
    root: Path,
    suite: Suite,
    wm: str,
    lost: Sequence[float],
    tier: str = "precise",
    overrides: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    broken: int = 0,
    ranked: bool = True,
    states_hash: str = STATES_HASH,
    created_at: float = 1.79e9,
    name: str = "",
    changes: Mapping[str, Any] | None = None,
    files: bool = False,
) -> RunFolder:
    """Write a measurement of 40 states in 10 homes; the first ``broken`` of them ended in an error.

    ``files`` as in `write_small_run`.
    """
    template = write_small_run(
        root / ".templates", suite, wm, (True,), tier, kept=1, overrides=overrides, settings=settings,
        run_id=f"t-{digest([wm, tier, created_at, name, dict(overrides or {})])[:8]}",
    ).identity  # fmt: skip
    identity = replace(
        template, split="validation", stop="oracle", episodes=small_states(tier), episodes_subset="",
        specs={**template.specs, "bank_hash": states_hash}, **(changes or {}),
    )  # fmt: skip
    named = name or f"bank-{tier}-{wm}-{digest([dict(overrides or {}), created_at])[:6]}"
    provenance = Provenance(created_at, ("benchmark.py",), {}, {}, "abcdef")
    folder = RunFolder.create(root / named, identity, {"workers": 1}, provenance, STATES, METRICS)
    with folder.lock():
        journal = folder.journal_to_write()
        for number, row in enumerate(folder.rows()):
            planned = row.result
            state = ERROR if number < broken else OK if lost[number] < 0.1 else FAILED
            metrics = {} if number < broken else _metrics(lost[number], ranked)
            error = "it broke" if number < broken else ""
            result = EpisodeResult(planned.episode, planned.home, 0, state, metrics, "", error)
            record_digest = ""
            if not error:
                trajectory = _choice(identity.episode(planned.episode), wm, lost[number])
                result = replace(result, trajectory_digest=trajectory.digest())
                record_digest = write_trajectory(folder, row.key, trajectory, result) if files else ""
            journal.commit(row.key, result, 1, record_digest)
        journal.close()
    if not files:
        shutil.rmtree(folder.episodes)
    return folder


def small_states(tier: str) -> tuple[Episode, ...]:
    """Return the rows of the states: 40, in 10 validation homes."""
    count = HOMES * PER_HOME
    return tuple(
        replace(episode, id=f"{tier}-validation-{number:04d}-d0", home=f"validation-{number // PER_HOME:04d}")
        for number, episode in enumerate(episodes(tier)[:count])
    )


def _choice(state: Episode, wm: str, lost: float) -> Trajectory:
    """Return one choice in a state, which comes to 1 m and what it lost from the goal."""
    decision = DecisionRecord(0, 8, 24, 0, (0.5,) * 24, 0.4, "", 3.0, 8, ())
    return Trajectory(
        state.id, 0, wm, "oracle", state.start, digest(state.id), (decision,), "budget", 1.0 + lost, lost < 0.1
    )


def _metrics(lost: float, ranked: bool) -> dict[str, float]:
    found = {"regret_m": lost, "self_regret_m": lost + 0.01, "chance_m": 1.0, "top_1": float(lost < 0.1)}
    return {**found, "rank_correlation": 1.0 - lost} if ranked else found
