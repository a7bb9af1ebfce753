"""Planted faults of the Docker engine, each named with its fix."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.diagnosing.engine import PROBE_MEMORY, check_docker_disk, check_images, examine_engine, reach_engine
from harness.diagnosing.findings import OK, SKIPPED, WARNING, Finding
from harness.runtimes.images.context import SOURCE_LABEL, source_digest
from harness.runtimes.images.declared import find_image
from harness.runtimes.images.lock import LockedImage, write_lock
from tests.diagnosing.disks import mounted
from tests.diagnosing.fake_engine import fake_engine

ROOT = Path(__file__).parents[2]
EMBEDDED = find_image("embedded")
IDENTIFIER = "sha256:" + "ab" * 32
IMAGE = {EMBEDDED.reference: IDENTIFIER}
CURRENT = {SOURCE_LABEL: source_digest(EMBEDDED)}
LOCK = "python benchmark.py images lock"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The path of the engine's socket, which DOCKER_HOST names."""
    with tempfile.TemporaryDirectory(prefix="wiw-fake-") as folder:
        path = Path(folder) / "docker.sock"
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        yield path


def findings(place: Path, gpus: int = 0, locked: str = IDENTIFIER, **faults: Any) -> dict[str, Finding]:
    """Return what is found of an engine with faults, by name; ``locked`` is the image that the lock names."""
    lock_file = place.with_name("images.lock")
    if locked:
        write_lock(lock_file, [LockedImage(EMBEDDED.reference, locked, "", 1, "")])
    pytest.importorskip("docker")
    with fake_engine(place, **faults) as server:
        (engine,), reached = reach_engine()
        found = [*reached, *examine_engine(engine, gpus), *check_images(engine, lock_file)]
        for container in server.created:
            assert container["HostConfig"]["Memory"] == PROBE_MEMORY
            assert container["HostConfig"]["NetworkMode"] == "none"
    return {finding.name: finding for finding in found}


def test_a_healthy_engine_has_no_warning_but_images_to_build(place: Path) -> None:
    nvidia: dict[str, Any] = {"Runtimes": {"nvidia": {}}}
    found = findings(place, gpus=1, info=nvidia, images=IMAGE, printed=f"{PROBE_MEMORY}\n", labels=CURRENT)
    engine = {name: finding.state for name, finding in found.items() if not name.startswith("image: ")}
    assert engine.pop("docker disk") == SKIPPED
    assert set(engine.values()) == {OK}, found
    assert found["image: embedded"].state == OK


def test_no_docker_sdk(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with fake_engine(place):
        engines, (found,) = reach_engine()
    assert not engines and found.state == WARNING
    assert "pip install -e '.[docker]'" in found.next_step


def test_the_engine_is_down(place: Path) -> None:
    engines, (found,) = reach_engine()
    assert not engines and found.state == WARNING
    assert str(place) in found.found and "systemctl start docker" in found.next_step


def test_the_engine_hangs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.diagnosing.engine.PING_S", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(place))
        silent.listen()
        engines, (found,) = reach_engine()
    assert not engines and found.state == WARNING
    assert "says nothing" in found.found and "systemctl restart docker" in found.next_step


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_the_user_may_not_use_the_engine(place: Path) -> None:
    """Another user meets a socket that belongs to root, as without membership of the group docker."""
    code = (
        "import os; from harness.diagnosing.engine import reach_engine; os.setuid(65534); "
        "f, = reach_engine()[1]; print(f.state, f.found, f.next_step)"
    )
    with fake_engine(place):
        place.chmod(0o600)
        place.parent.chmod(0o755)
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(WARNING), done.stderr
    assert "permission denied" in done.stdout and "usermod -aG docker" in done.stdout


def test_a_remote_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    engines, (found,) = reach_engine()
    assert not engines and found.state == WARNING
    assert "192.0.2.1" in found.found and "Unset DOCKER_HOST" in found.next_step


def test_a_storage_driver_that_copies(place: Path) -> None:
    found = findings(place, info={"Driver": "vfs"})["storage driver"]
    assert (found.state, found.found) == (WARNING, "vfs")
    assert '{"storage-driver": "overlay2"}' in found.next_step


def test_limits_that_the_kernel_lacks(place: Path) -> None:
    found = findings(place, info={"MemoryLimit": False})["container limits"]
    assert found.state == WARNING and "memory" in found.found
    assert "cgroup_enable=memory" in found.next_step


@pytest.mark.parametrize("printed", ["max\n", "9223372036854771712\n", ""])
def test_a_memory_limit_without_effect(place: Path, printed: str) -> None:
    found = findings(place, images=IMAGE, printed=printed)["limits hold"]
    assert found.state == WARNING and str(PROBE_MEMORY) in found.found
    assert "systemd.unified_cgroup_hierarchy=1" in found.next_step


def test_no_image_to_try_limits_with_is_said(place: Path) -> None:
    found = findings(place)["limits hold"]
    assert found.state == SKIPPED and "images build embedded" in found.next_step


def test_no_nvidia_runtime_although_there_is_a_gpu(place: Path) -> None:
    found = findings(place, gpus=2)["nvidia runtime"]
    assert found.state == WARNING and "nvidia-ctk runtime configure --runtime=docker" in found.next_step
    place.unlink()
    assert findings(place, gpus=0)["nvidia runtime"].state == SKIPPED


def test_missing_images(place: Path) -> None:
    found = findings(place, images={})
    assert found["image: embedded"].state == WARNING
    assert found["image: embedded"].next_step == "python benchmark.py images build embedded"


def test_an_image_of_other_sources(place: Path) -> None:
    found = findings(place, images=IMAGE)["image: embedded"]
    assert found.state == WARNING and "other sources" in found.meaning
    assert found.next_step == "python benchmark.py images build embedded"


def test_an_image_that_is_not_locked(place: Path) -> None:
    found = findings(place, locked="", images=IMAGE, labels=CURRENT)["image: embedded"]
    assert found.state == WARNING and "not in" in found.found and found.next_step == LOCK


def test_an_image_that_is_not_the_locked_one(place: Path) -> None:
    found = findings(place, locked="sha256:" + "cd" * 32, images=IMAGE, labels=CURRENT)["image: embedded"]
    assert found.state == WARNING and "not the image that images.lock names" in found.meaning
    assert LOCK in found.next_step and "images build embedded" in found.next_step


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_docker_disk(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=1m"):
        found = check_docker_disk(tmp_path)
    assert found.state == WARNING and "docker image prune" in found.next_step
