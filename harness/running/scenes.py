"""Where the scenes of a run come from, and what is made of scenes before one starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Sequence

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute, cache_root
from harness.running.plan import RunPlan
from harness.running.services import Placement, plan_environment, scenes_folder, start
from harness.runtimes.environments import MADE
from harness.runtimes.interpreters import python_path
from tasks.suite import AT, Suite, load_suite


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


def prepare_scenes(plan: RunPlan, say: Callable[[str], None] = print) -> None:
    """Export the scenes of a run that another environment than the suite's own plays and its folder lacks.

    ``say`` gets a line for each.

    Licensed scenes cannot be made: the environment names a missing one with the steps to get it.
    """
    identity = plan.identity
    if plan.environment is None or AT not in identity.suite:
        return
    suite = load_suite(identity.suite, identity.task)
    own = load_suite(identity.suite.partition(AT)[0], identity.task).played_by
    known = suite.scenes_of(identity.tier, identity.split)
    digests = {scene: known[scene] for scene in {episode.scene for episode in identity.episodes}}
    folder = scenes_folder(plan.environment, suite)
    command = [sys.executable, "-m", own.scene_exporter, "--cache", str(cache_root()), "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": python_path()}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as exporting:
        assert exporting.stdin is not None and exporting.stderr is not None
        exporting.stdin.write(json.dumps(digests))
        exporting.stdin.close()
        said = ""
        for said in exporting.stderr:
            say(said.rstrip())
    if exporting.returncode:
        raise Refusal(
            f"the scenes could not be exported to {folder}: {said.strip() or 'the exporter said nothing'}",
            "Fix that, or choose another folder with --scenes.",
        )


START_S = 120.0
_LOG = "environment.log"


def make_suite_data(
    suite: Suite, data: Path, where: Placement, say: Callable[[str], None] = print
) -> Sequence[Episode]:
    """Write the episodes and scene digests of a published suite; return the episodes.

    ``say`` gets what is left out: episodes that cannot be read, parts of scenes that do not count as walkable. ``data``
    holds the published files and ``scene_datasets``. Scenes that a suite has no digests of yet are opened as
    they are. Raises Refusal with what is missing; nothing is written then.
    """
    from harness.wire.client import Deadlines, EnvironmentClient
    from tasks.official.scenes import SCENES_FOLDER
    from tasks.official.suite_data import make_suite_data

    if suite.is_elsewhere or f"dataset:{suite.task}" not in suite.requires:
        raise Refusal(f"the data of {suite.name} come with the project.", "Only wiw-v1 is made here.")
    plan, _ = plan_environment(suite, data / SCENES_FOLDER, {}, where)
    with (
        tempfile.TemporaryDirectory(prefix="wiw-data-") as folder,
        start(plan, START_S, Path(folder) / _LOG) as service,
    ):
        client = EnvironmentClient(service.socket, Deadlines())
        try:
            return make_suite_data(suite, data, client, say)
        finally:
            client.close()
