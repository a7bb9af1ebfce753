"""A container belongs to whoever holds the lock of its socket folder, in whatever process namespace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.runtimes import docker_folder, docker_keeper
from harness.runtimes.docker_engine import OWNER, SCOPE, owner_labels, scope
from harness.runtimes.docker_folder import reap_stale_containers
from harness.runtimes.sockets import make_socket_folder, remove_socket_folder


def listed(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"Id": f"id of {name}", "Names": [f"/{name}"], "Labels": labels}


def test_the_lock_decides_and_the_label_only_where_there_is_none(
    short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    monkeypatch.setattr(docker_folder, "SOCKET_ROOT", short_tmp_path)

    def remove(engine: str, name: str) -> bool:
        removed.append(name)
        return True

    monkeypatch.setattr(docker_keeper, "remove_container", remove)
    made = "from harness.runtimes.sockets import make_socket_folder; from pathlib import Path; import sys\n"
    made += "print(make_socket_folder(Path(sys.argv[1])))"
    dead_folder = Path(subprocess.check_output([sys.executable, "-c", made, str(short_tmp_path)], text=True).strip())
    mine = make_socket_folder(short_tmp_path)
    ended = subprocess.Popen(["true"])
    ended.wait()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    dead = {OWNER: f"{ended.pid}-1-{boot}", SCOPE: scope()}
    elsewhere = {OWNER: f"{ended.pid}-1-{boot}", SCOPE: f"{os.geteuid()}-1"}
    containers = [
        listed(mine.name, dead),  # number and start time are of another namespace: its owner lives
        listed(dead_folder.name, elsewhere),
        listed("curious-name", dead),
        listed("other-name", elsewhere),
        listed("living", owner_labels("", "")),
        listed("wiw-1-2-gone", elsewhere),
    ]
    api = SimpleNamespace(
        containers=lambda **_: containers, networks=lambda **_: [], volumes=lambda **_: {"Volumes": None}
    )
    engine: Any = SimpleNamespace(client=SimpleNamespace(api=api), errors=None, socket="x")
    assert reap_stale_containers(engine) == [f"id of {dead_folder.name}", "id of curious-name"] == removed
    assert mine.is_dir() and not dead_folder.exists()
    remove_socket_folder(mine)
