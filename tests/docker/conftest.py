"""A real engine and a small image for the tests; without them the tests skip and say why."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes.docker_engine import Engine, connect, image_id
from harness.runtimes.service import ContainerLimits, ContainerSpec, ServiceSpec
from tests.docker import small_image
from tests.docker.services_spec import service_spec

MIB = 1024**2
LIMITS = ContainerLimits(
    memory_bytes=256 * MIB, cpus=2.0, pids=64, tmpfs_bytes=16 * MIB, shm_bytes=16 * MIB, file_bytes=32 * MIB
)

MakeSpec = Callable[..., ServiceSpec]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    try:
        found = connect()
    except Refusal as error:
        pytest.skip(f"no Docker engine: {error}")
    yield found
    found.client.close()


@pytest.fixture(scope="session")
def small(engine: Engine) -> ContainerSpec:
    """The container of the small image, with tight limits."""
    missing = small_image.fitting(engine.client)
    if missing:
        pytest.skip(missing)
    tag = small_image.build(engine.client)
    return ContainerSpec(tag, image_id(engine, tag), limits=LIMITS)


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def make_spec(small: ContainerSpec) -> MakeSpec:
    def make(entry_point: str, **variables: str) -> ServiceSpec:
        return service_spec(small, entry_point, **variables)

    return make
