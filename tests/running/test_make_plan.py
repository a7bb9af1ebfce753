"""A plan is made from Python, without the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.running.dry_run import fact_lines, plan_facts
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions

CODE = """
import sys
from harness.running.dry_run import plan_facts
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
plan_facts(make_plan(RunOptions(wm="warp", task="ignav", episodes="2")), __import__("pathlib").Path("nowhere"))
print([name for name in sys.modules if name.partition(".")[0] in ("typer", "rich") or name.startswith("harness.cli")])
"""


def test_a_plan_and_its_cost_take_three_lines(tmp_path: Path) -> None:
    plan = make_plan(RunOptions(wm="gtsim", task="ignav", tier="easy", episodes="4", seeds="0-1", workers=2))
    facts = plan_facts(plan, tmp_path)
    assert (facts["wm"], facts["tier"], facts["episodes"], facts["workers"]) == ("gtsim", "easy", 8, 2)
    assert facts["rollouts_at_most"] > 8 and facts["seconds_estimated"] is None
    assert {"seconds_estimated  unknown", "environment        process"} <= set(fact_lines(facts))


def test_planning_imports_no_command_line() -> None:
    found = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
