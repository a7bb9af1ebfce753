"""What killed harnesses left behind: in the engine, in the socket folders, among the processes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.runtimes.docker_engine import OWNER, Engine
from harness.runtimes.docker_folder import SOCKET_ROOT


def containers_of(engine: Engine, pids: set[int]) -> list[str]:
    """Return the names of the containers, in whatever state, that belong to harness processes ``pids``."""
    found = engine.client.api.containers(all=True, filters={"label": OWNER})
    return [each["Names"][0].lstrip("/") for each in found if _owner(each["Labels"]) in pids]


def left_of(engine: Engine, pids: set[int]) -> list[str]:
    """Return everything of the harness processes ``pids`` that is still there, each with its kind."""
    api = engine.client.api
    left = [f"container {name}" for name in containers_of(engine, pids)]
    networks = api.networks(filters={"label": OWNER})
    left += [f"network {each['Name']}" for each in networks if _owner(each["Labels"]) in pids]
    volumes = api.volumes(filters={"label": OWNER}).get("Volumes") or []
    left += [f"volume {each['Name']}" for each in volumes if _owner(each["Labels"]) in pids]
    for root in {SOCKET_ROOT, Path(tempfile.gettempdir())}:
        folders = [folder for pid in pids for folder in root.glob(f"wiw-{pid}-*-*")]
        left += [f"socket folder {folder}" for folder in folders]
    return left


def keepers_of(name: str) -> list[int]:
    """Return the ids of the keeper processes of the container ``name``."""
    return [pid for pid, words in _command_lines() if name in words and any("docker_keeper" in word for word in words)]


def children_of(pid: int) -> list[int]:
    """Return the ids of the processes that ``pid`` started and that live."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in text.split()]


def workers_of(pid: int) -> list[int]:
    """Return the ids of the workers of the run that the process ``pid`` plays."""
    workers = {worker for worker, words in _command_lines() if "harness.running.worker" in words}
    return [child for child in children_of(pid) if child in workers]


def _command_lines() -> list[tuple[int, list[str]]]:
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode("utf-8", errors="replace").split("\0")
        except OSError:  # it has ended meanwhile
            continue
        lines.append((int(entry.parent.name), words))
    return lines


def _owner(labels: dict[str, str] | None) -> int:
    pid = (labels or {}).get(OWNER, "").partition("-")[0]
    return int(pid) if pid.isdigit() else -1
