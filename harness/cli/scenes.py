"""Where the scenes of a run come from, and how those that can be made are made before it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from harness.cli.console import note
from harness.cli.paths import cache_root
from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.running.plan import RunPlan
from harness.running.services import scenes_folder
from harness.runtimes.environments import MADE
from tasks.suite import AT, Suite, load_suite

CHECKOUT = Path(__file__).resolve().parents[2]


def choose_scenes(given: str, suite: Suite) -> Path:
    """Return the folder of the scenes: the one given, else in the cache what can be made, else the data folder's."""
    if given:
        return absolute(given)
    if suite.played_by.scenes == MADE:
        return cache_root()
    if suite.is_elsewhere:
        return cache_root() / suite.environment
    from tasks.datasets.catalog import data_folder
    from tasks.official.scenes import SCENES_FOLDER

    return data_folder() / SCENES_FOLDER


def prepare_scenes(plan: RunPlan) -> None:
    """Export the scenes of a run that another environment than the suite's own plays and its folder lacks; say each.

    Licensed scenes cannot be made: the environment names a missing one with the steps to get it.
    """
    identity = plan.identity
    if plan.environment is None or AT not in identity.suite:
        return
    suite = load_suite(identity.suite, identity.task)
    own = load_suite(identity.suite.partition(AT)[0], identity.task).played_by
    known = suite.scene_digests()
    digests = {scene: known[scene] for scene in {episode.scene for episode in identity.episodes}}
    folder = scenes_folder(plan.environment, suite)
    command = [sys.executable, "-m", own.scene_exporter, "--cache", str(cache_root()), "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as exporting:
        assert exporting.stdin is not None and exporting.stderr is not None
        exporting.stdin.write(json.dumps(digests))
        exporting.stdin.close()
        said = ""
        for said in exporting.stderr:
            note(said.rstrip())
    if exporting.returncode:
        raise Refusal(
            f"the scenes could not be exported to {folder}: {said.strip() or 'the exporter said nothing'}",
            "Fix that, or choose another folder with --scenes.",
        )
