"""A model that takes its time to start: its plugin.toml says how long, and the run says that it is starting."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import DeadlineExceeded, Refusal
from harness.running import runs
from harness.running.plan import UNCHANGED, Patience, PhaseDeadlines, RunPlan, decode_plan, encode_plan
from harness.running.progress import Progress
from harness.running.services import Placement, plan_world_model, start
from harness.worldmodels.catalog import load_catalog
from tests.running import fake

PLUGIN = """
import time
from harness.wire.sdk import WorldModel

class Slow(WorldModel):
    def __init__(self, manifest):
        super().__init__(manifest)
        time.sleep(3.0)

    def imagine(self, request):
        raise NotImplementedError
"""
TOML = """
[family]
name = "slow"
entry_point = "slow_model:Slow"
{family}
[[model]]
name = "slow-1"
{model}
"""
IMPATIENT = PhaseDeadlines(model_start_s=1.5)


def planned(folder: Path, family: str = "", model: str = "") -> RunPlan:
    """Return a plan with the slow model, declared in a plugin.toml with these lines."""
    (folder / "slow_model.py").write_text(PLUGIN)
    (folder / "plugin.toml").write_text(TOML.format(family=family, model=model))
    service, _ = plan_world_model(load_catalog([folder]).find("slow-1"), None, Placement())
    return replace(fake.plan(1, deadlines=IMPATIENT), world_model=service)


@pytest.mark.parametrize(
    ("family", "model", "seconds"),
    [("", "", 1.5), ("start_s = 40", "", 40.0), ("start_s = 40", "start_s = 50.5", 50.5), ("", "start_s = 50", 50.0)],
)
def test_the_limit_is_the_models_the_familys_or_the_usual_one(
    tmp_path: Path, family: str, model: str, seconds: float
) -> None:
    plan = planned(tmp_path, family, model)
    assert plan.world_model is not None
    assert plan.start_s(plan.world_model) == seconds
    assert plan.worker_start_s() > seconds
    told = decode_plan(encode_plan(plan)).world_model
    assert told is not None and told.start_s == plan.world_model.start_s


def test_a_model_has_no_longer_than_the_user_grants(tmp_path: Path) -> None:
    plan = replace(planned(tmp_path, model="start_s = 1000"), deadlines=PhaseDeadlines())
    with pytest.raises(Refusal, match=r"may take 1000 s to start; 600 s are granted.*--start-timeout 1000"):
        plan.with_patience(UNCHANGED)
    granted = plan.with_patience(Patience(start_s=1000.0))
    assert granted.world_model is not None and granted.start_s(granted.world_model) == 1000.0
    shorter = plan.with_patience(Patience(start_s=7.0))
    assert shorter.world_model is not None and shorter.start_s(shorter.world_model) == 7.0
    with pytest.raises(Refusal, match="--start-timeout nan"):
        Patience(start_s=float("nan"))


def test_a_limit_is_no_fact_of_the_model(tmp_path: Path) -> None:
    digests = set()
    for name, model in (("a", ""), ("b", "start_s = 50")):
        (tmp_path / name).mkdir()
        plan = planned(tmp_path / name, model=model)
        digests.add(load_catalog([tmp_path / name]).find("slow-1").manifest.digest())
        assert plan.world_model is not None and "start_s" not in plan.world_model.manifest
    assert len(digests) == 1


def test_models_have_more_time_than_environments_by_default() -> None:
    deadlines = PhaseDeadlines()
    assert deadlines.model_start_s >= 5 * deadlines.start_s


def test_a_slow_model_starts_within_its_own_limit_and_is_late_without(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert plan.world_model is not None
    with pytest.raises(DeadlineExceeded, match=r"'slow-1' was not ready within 1\.5 s"):
        start(plan.world_model, plan.start_s(plan.world_model), tmp_path / "late.log")
    plan = planned(tmp_path, model="start_s = 60")
    assert plan.world_model is not None
    with start(plan.world_model, plan.start_s(plan.world_model), tmp_path / "model.log") as service:
        assert service.alive()


def test_a_run_says_what_starts_and_for_how_long(tmp_path: Path) -> None:
    seen: list[Progress] = []
    runs.start(fake.plan(1, start_s=3.0), tmp_path, seen.append)
    waiting = [progress.phase_s for progress in seen if progress.phase == "starting fake"]
    assert len(waiting) >= 3 and None not in waiting
    assert all(a < b for a, b in itertools.pairwise(waiting))  # type: ignore[operator]
    assert all(progress.phase_s is None for progress in seen if progress.done or not progress.phase.startswith("star"))
