"""What a decision costs with each world model, by the code that `throughput` measures with.

    python -m pytest tests/benchmarks/test_decision_speed.py -n 0 --benchmark-only --benchmark-json=new.json

Weights are random: they cost what real ones cost. Every round asks a decision from another real view. The models of the
zoo need a GPU, and are skipped with the reason where there is none or where one is not enough.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from harness.cli.throughput import banked_situations
from harness.conformance.target import find_target
from harness.contracts.errors import Refusal
from harness.runtimes.gpus import list_gpus
from harness.throughput.asking import Answer, Asker
from harness.throughput.decisions import Decisions, Purpose
from harness.throughput.measuring import split
from harness.throughput.scenarios import OFFLINE, Settings
from harness.throughput.serving import serving
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.preparing import Choice

CPU = {"copy": 60, "warp": 30, "FTmini": 5}
"""Rounds of models that need no GPU."""

LEARNT = ("FTmini",)
ZOO = sorted(entry.manifest.name for entry in load_catalog().entries if entry.manifest.dtype)
ZOO_ROUNDS = 2


def asked(benchmark: Any, name: str, rounds: int, log: Path, weights: str, candidates: int = 0) -> None:
    """Benchmark decisions of one model through its service; its parts and rates go into ``extra_info``."""
    settings = Settings(OFFLINE, candidates=candidates, deadline_s=1800.0, start_s=1800.0)
    target = find_target(name, choice=Choice(weights=weights, allow_uncarded=True))
    manifest = target.entry.manifest
    decisions = Decisions(manifest, banked_situations(name, settings.tier), settings.seed, settings.candidates)
    answers: list[Answer] = []
    with serving([target.plan], manifest, settings, log) as session:
        ask = Asker(session.models[0], manifest)
        benchmark.pedantic(
            lambda decision: answers.append(ask(decision)),
            setup=lambda: ((decisions(Purpose.MEASURE, len(answers)),), {}),
            rounds=rounds,
            warmup_rounds=1,
        )
    assert not any(answer.failure for answer in answers), answers[-1].error
    seconds = statistics.median(answer.seconds for answer in answers[1:] or answers)
    benchmark.extra_info.update(
        candidates=decisions.candidates,
        rollouts_per_s=round(answers[-1].rollouts / seconds, 3),
        frames_per_s=round(answers[-1].frames / seconds, 3),
        split_s={part: round(each, 5) for part, each in split(answers[1:] or answers).items()},
    )


@pytest.mark.parametrize("name", CPU)
def test_decision_on_the_cpu(benchmark: Any, name: str, tmp_path: Path) -> None:
    benchmark.group = "decision"
    asked(benchmark, name, CPU[name], tmp_path / "service.log", "random" if name in LEARNT else "")


@pytest.mark.parametrize("name", ZOO)
def test_decision_on_a_gpu(benchmark: Any, name: str, tmp_path: Path) -> None:
    benchmark.group = "decision on a GPU"
    if not list_gpus():
        pytest.skip("no GPU is here: nvidia-smi lists none")
    try:
        asked(benchmark, name, ZOO_ROUNDS, tmp_path / "service.log", "random", candidates=3)
    except Refusal as refusal:
        pytest.skip(f"{name} cannot be asked here: {refusal}")
