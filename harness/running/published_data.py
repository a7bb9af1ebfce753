"""Makes the data of a published suite with the simulator that plays it: walkable distances need the scenes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Callable, Sequence

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.running.services import Placement, plan_environment, start
from harness.wire.client import Deadlines, EnvironmentClient
from tasks.official.scenes import SCENES_FOLDER
from tasks.official.suite_data import make_ignav_data
from tasks.suite import Suite

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
    if suite.is_elsewhere or f"dataset:{suite.task}" not in suite.requires:
        raise Refusal(f"the data of {suite.name} come with the project.", "Only wiw-v1 is made here.")
    plan, _ = plan_environment(suite, data / SCENES_FOLDER, {}, where)
    with (
        tempfile.TemporaryDirectory(prefix="wiw-data-") as folder,
        start(plan, START_S, Path(folder) / _LOG) as service,
    ):
        client = EnvironmentClient(service.socket, Deadlines())
        try:
            return make_ignav_data(suite, data, client, say)
        finally:
            client.close()
