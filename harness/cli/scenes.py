"""Where the scenes of a run come from when Habitat plays it."""

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
from harness.running.habitat import scenes_folder
from harness.running.plan import RunPlan
from tasks.suite import AT, EMBEDDED, HABITAT, Suite, load_suite

EXPORTER = "images.embedded.habitat_scenes"
"""Run as a program: the harness never looks into a simulator."""

CHECKOUT = Path(__file__).resolve().parents[2]


def choose_scenes(given: str, suite: Suite) -> Path:
    """Return the folder of the scenes: the one given, else the cache's for embedded homes, the data folder's else."""
    if given:
        return absolute(given)
    if suite.family == EMBEDDED:
        return cache_root() / HABITAT
    from tasks.datasets.catalog import data_folder
    from tasks.official.scenes import SCENES_FOLDER

    return data_folder() / SCENES_FOLDER


def prepare_scenes(plan: RunPlan) -> None:
    """Export the homes of a run that Habitat is to play and its scenes folder lacks; say each.

    Licensed scenes cannot be made: the environment names a missing one with the steps to get it.
    """
    service, identity = plan.environment, plan.identity
    if service is None or service.name != HABITAT or AT not in identity.suite:
        return
    known = load_suite(identity.suite, identity.task).scene_digests()
    digests = {scene: known[scene] for scene in {episode.scene for episode in identity.episodes}}
    folder = scenes_folder(service)
    command = [sys.executable, "-m", EXPORTER, "--cache", str(cache_root()), "--out", str(folder)]
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
            "Mend that, or choose another folder with --scenes.",
        )
