"""The spec of a world model of `tests/docker/services` in a container, and a request for it."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import PINHOLE, Camera
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import RolloutRequest
from harness.runtimes.service import WORLD_MODEL, ContainerSpec, ServiceSpec

CAMERA = Camera("front", PINHOLE, 8, 8, 90.0, 1.25)
REQUEST = RolloutRequest(0, 0, np.full((8, 8, 3), 7, np.uint8), CAMERA, Candidate((Primitive(FORWARD, 0.2),)), (1,))


def service_spec(container: ContainerSpec, entry_point: str, **variables: str) -> ServiceSpec:
    """Return the spec of the class ``entry_point`` in ``container``; ``variables`` reach its environment."""
    manifest = ModelManifest(name="troubled", family="tests", kind="plugin", entry_point=entry_point)
    return ServiceSpec(
        kind=WORLD_MODEL,
        name="troubled",
        entry_point=entry_point,
        path=(),
        python="",
        manifest=asdict(manifest),
        environment_variables=variables,
        container=container,
    )
