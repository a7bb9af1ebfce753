"""A harness to be killed: starts one container, says its name, and waits."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from harness.runtimes.docker_service import start_container
from harness.runtimes.service import ContainerLimits, ContainerSpec, ServiceLimits, ServiceSpec


def read_spec(text: str) -> ServiceSpec:
    """Return the spec in its JSON form (`dataclasses.asdict`)."""
    fields = json.loads(text)
    container = fields.pop("container")
    limits = ContainerLimits(**container.pop("limits"))
    return ServiceSpec(**fields, container=ContainerSpec(**{**container, "mounts": ()}, limits=limits))


if __name__ == "__main__":
    service = start_container(read_spec(sys.argv[1]), ServiceLimits(), Path(sys.argv[2]))
    print(json.dumps({"name": service.container_name}), flush=True)
    time.sleep(1000)
