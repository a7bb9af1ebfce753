"""A simulator that shows dead frames costs its episodes as errors, and nothing of them is a score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.results import ERROR
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.run_options import RunOptions

pytest.importorskip("numba")
pytestmark = pytest.mark.slow  # real homes are built, and a renderer is compiled


def planted_plan(homes: Path, wm: str, **faults: object) -> RunPlan:
    """Return the plan of two episodes in an environment with planted faults."""
    plan = make_plan(RunOptions(wm=wm, task="ignav", episodes="2"))
    assert plan.environment is not None
    options = {**plan.environment.options, "cache_dir": str(homes), **faults}
    environment = replace(plan.environment, entry_point="tests.running.planted:PlantedEnvironment", options=options)
    return replace(plan, environment=environment)


@pytest.mark.parametrize(
    ("wm", "faults", "sentence"),
    [
        ("copy", {"fault": "black", "at": 0}, "black frame, camera 'pano': step 0 of"),
        ("none", {"fault": "frozen", "at": 2}, "frozen frame, camera 'pano': step 2 of"),
        ("none", {"rendered_fault": "constant"}, "constant frame, rendered view 'front': step 0 of"),
        ("gtsim", {"imagined_fault": "frozen"}, "frozen frame, camera 'pano', frame "),
    ],
)
def test_dead_frames_end_episodes_as_errors(
    homes: Path, tmp_path: Path, wm: str, faults: dict[str, object], sentence: str
) -> None:
    outcome = runs.start(planted_plan(homes, wm, **faults), tmp_path)
    assert outcome.counts[ERROR] == 2
    folder = RunFolder.open(outcome.path)
    for row in folder.rows():
        assert row.result.state == ERROR and row.result.metrics == {}
        assert row.attempts == 1, "a dead frame is not played again until nobody sees it"
        assert sentence in row.result.error and "benchmark.py doctor" in row.result.error
