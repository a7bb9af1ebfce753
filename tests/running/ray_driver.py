"""Plays or continues a run of the fake player on a cluster; prints what came of it as JSON.

python -m tests.running.ray_driver RUNS ADDRESS EPISODES SECONDS [RUN]
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from harness.running import runs
from harness.running.cluster import Cluster
from harness.running.run_options import MAX_WORKERS
from tests.running import fake


def main(root: str, address: str, count: str, play_s: str, *resumed: str) -> None:
    """Play all episodes, or what ``resumed`` has left of them."""
    plan = fake.plan(int(count), workers=MAX_WORKERS, play_s=float(play_s))
    plan = runs.joined(replace(plan, cluster=Cluster(address)))
    outcome = runs.resume(Path(resumed[0]), plan) if resumed else runs.start(plan, Path(root), run_id="run")
    print(json.dumps({"root": outcome.trajectory_root, "code": outcome.exit_code, "damage": len(outcome.damage)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
