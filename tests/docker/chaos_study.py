"""Chaos: services and runs in containers are killed at random moments; nothing may be left, no outcome may change.

``python -m tests.docker.chaos_study service --kills 40 --out FILE`` kills around one small service: each trial starts
a harness, waits a random time (so that creation and start are hit as well), does one kind of harm, looks on, and ends
the harness in order or by SIGKILL. ``... run --kills 12 --out FILE`` plays ignav in containers, does harm at random
moments, resumes, and compares the trajectory root with that of processes. ``FILE`` gets one JSON line a kill. The exit
status is 1 if anything was left or a root differed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.runtimes.docker_engine import Engine, connect, image_id
from harness.runtimes.docker_folder import reap_stale_containers
from harness.runtimes.images.declared import own_reference
from harness.runtimes.service import ContainerSpec
from tests.docker import small_image
from tests.docker.conftest import LIMITS
from tests.docker.engine_relay import EngineRelay
from tests.docker.leftovers import containers_of, keepers_of, left_of, workers_of
from tests.docker.services_spec import service_spec

ROOT = Path(__file__).parents[2]
SETTLE_S = 45.0
LOOK_ON_S = 3.0
LATEST_S = 7.0
RUN_S = 900.0

ALL_AS_PROCESSES = ("--wm", "copy")
ALL_IN_CONTAINERS = (("--wm", "copy", "--runtime", "docker"), "wiw-bench/embedded")
PLUGIN_AS_PROCESS = ("--wm", "zoom", "--plugins", str(ROOT / "images" / "example_plugin" / "plugin"))
PLUGIN_IN_CONTAINER = (("--wm-image", own_reference("wiw-bench/example_plugin")), "wiw-bench/example_plugin")
"""What a run is given to play in containers, and the image that must stay the same for it to be continued."""

SERVICE_KINDS = ("harness", "keeper", "container", "pause", "connection")
RUN_KINDS = ("harness", "worker", "keeper", "container", "pause", "connection")


class Harm:
    """Does one kind of harm to a harness process and what belongs to it."""

    def __init__(self, engine: Engine, relay: EngineRelay, chance: random.Random) -> None:
        self._engine = engine
        self._relay = relay
        self._chance = chance

    def do(self, kind: str, pid: int, owners: set[int]) -> str:
        """Harm; return what was hit, "" where there was nothing yet to hit. ``owners`` own the containers."""
        if kind == "harness":
            os.kill(pid, signal.SIGKILL)
            return str(pid)
        if kind == "worker":
            return _kill_one(workers_of(pid), self._chance)
        if kind == "connection":
            return f"{self._relay.break_all()} connections"
        names = sorted(containers_of(self._engine, owners))
        if not names:
            return ""
        name = self._chance.choice(names)
        if kind == "keeper":
            return _kill_one(keepers_of(name), self._chance)
        act = self._engine.client.api.pause if kind == "pause" else self._engine.client.api.kill
        try:
            act(name)
        except self._engine.errors.APIError:  # created but not running yet, or gone meanwhile
            return ""
        return name


def _kill_one(pids: list[int], chance: random.Random) -> str:
    if not pids:
        return ""
    pid = chance.choice(pids)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return str(pid)


def settle(engine: Engine, owners: set[int]) -> dict[str, Any]:
    """Wait until nothing of ``owners`` is left; what then remains is reaped, as the next start would do.

    A killed keeper cannot clean up, so reaping is expected there; the answer says how long it took, who cleaned up
    and what was left in the end.
    """
    began = time.monotonic()
    while left_of(engine, owners) and time.monotonic() - began < SETTLE_S:
        if not any(keepers_of(name) for name in containers_of(engine, owners)):
            break
        time.sleep(0.2)
    time.sleep(0.5)
    by = "keeper or harness"
    if left_of(engine, owners):
        by = "reaping"
        reap_stale_containers(engine)
    return {"clean_s": round(time.monotonic() - began, 2), "by": by, "left": left_of(engine, owners)}


class ServiceStudy:
    """Trials around one small service."""

    def __init__(self, engine: Engine, folder: Path, chance: random.Random) -> None:
        self._engine = engine
        self._folder = folder
        self._chance = chance
        self._relay = EngineRelay(engine.socket, folder / "engine.sock")
        self._harm = Harm(engine, self._relay, chance)
        tag = small_image.build(engine.client)
        container = ContainerSpec(tag, image_id(engine, tag), limits=LIMITS)
        self._spec = json.dumps(asdict(service_spec(container, "contained:Echo")))

    def trial(self, number: int) -> dict[str, Any]:
        """Start a harness, harm it at a random moment, end it, and see what is left."""
        kind = SERVICE_KINDS[number % len(SERVICE_KINDS)]
        delay = self._chance.uniform(0.3, LATEST_S)
        log = self._folder / f"{number}.log"
        with (self._folder / f"{number}.out").open("w") as out:
            harness = subprocess.Popen(
                [sys.executable, "-m", "tests.docker.chaos_harness", self._spec, str(log)],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": self._relay.host},
            )
        if number // len(SERVICE_KINDS) % 2:
            self._wait_ready(number)
        time.sleep(delay)
        hit = self._harm.do(kind, harness.pid, {harness.pid})
        end = "SIGKILL" if kind == "harness" else self._chance.choice(("SIGTERM", "SIGKILL"))
        if kind != "harness":
            time.sleep(self._chance.uniform(0.0, LOOK_ON_S))
            harness.send_signal(getattr(signal, end))
        try:
            harness.wait(SETTLE_S)
            hung = False
        except subprocess.TimeoutExpired:
            harness.kill()
            harness.wait()
            hung = True
        said = (self._folder / f"{number}.out").read_text().splitlines()
        return {
            "part": "service",
            "kind": kind,
            "delay_s": round(delay, 2),
            "hit": hit,
            "end": end,
            "hung": hung,
            "ready": said.count("ready"),
            "answers": said.count("answered"),
            "failures": [line for line in said if line.startswith("failed")][:3],
            **settle(self._engine, {harness.pid}),
        }

    def _wait_ready(self, number: int) -> None:
        """Wait until the harness of a trial has a ready service, so that half of the trials harm one in use."""
        deadline = time.monotonic() + SETTLE_S
        while "ready" not in (self._folder / f"{number}.out").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)


class RunStudy:
    """Runs of ignav in containers that are harmed and resumed."""

    def __init__(self, engine: Engine, folder: Path, chance: random.Random, chosen: argparse.Namespace) -> None:
        self._engine = engine
        self._folder = folder
        self._chance = chance
        self._relay = EngineRelay(engine.socket, folder / "engine.sock")
        self._harm = Harm(engine, self._relay, chance)
        self._latest_s = chosen.latest
        self._play = ("--task", "ignav", "--episodes", str(chosen.episodes), "--json")
        self._contained = PLUGIN_IN_CONTAINER if chosen.plugin else ALL_IN_CONTAINERS
        self._owners: set[int] = set()
        self._resuming = False
        self._image = ""
        processes = PLUGIN_AS_PROCESS if chosen.plugin else ALL_AS_PROCESSES
        self.root = self._finish(self._start(*processes, *self._play, "--out", str(folder / "process")))
        unharmed = self._finish(self._go_on())  # compiles as well, which takes longer than the time between two kills
        if not self.root or unharmed != self.root:
            raise SystemExit(f"unharmed, processes gave the root {self.root!r} and containers {unharmed!r}")
        self.roots: list[str] = []

    def kill(self, number: int) -> dict[str, Any]:
        """Begin or resume a run, harm it at a random moment, and go on until it ends or the harm ended it."""
        kind = RUN_KINDS[number % len(RUN_KINDS)]
        process = self._go_on()
        delay = self._chance.uniform(1.0, self._latest_s)
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline and process.poll() is None:
            self._owners |= {process.pid, *workers_of(process.pid)}
            time.sleep(0.1)
        hit = "" if process.poll() is not None else self._harm.do(kind, process.pid, self._owners)
        if kind != "harness" and self._chance.random() < 0.5:
            time.sleep(self._chance.uniform(0.0, LOOK_ON_S))
            self._owners |= {process.pid, *workers_of(process.pid)}
            process.kill()
        root = self._finish(process, self._owners)
        self._resuming = not root
        if root:
            self.roots.append(root)
        record = {"part": "run", "kind": kind, "delay_s": round(delay, 2), "hit": hit, "exit": process.returncode}
        return {**record, "root": root, "same": not root or root == self.root, **settle(self._engine, self._owners)}

    def complete(self) -> str:
        """Play what is left of the last run; return its root."""
        if self._resuming:
            self.roots.append(self._finish(self._go_on()))
        return self.roots[-1]

    def _go_on(self) -> subprocess.Popen[str]:
        runs = self._folder / "docker"
        found = sorted(runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime)
        began_with, self._image = self._image, image_id(self._engine, own_reference(self._contained[1]))
        if self._resuming and found and self._image == began_with:  # a run is not continued with another image
            return self._start("--resume", str(found[-1].parent), "--retry-errors", "--json", relayed=True)
        options = (*self._contained[0], *self._play, "--out", str(runs), "--workers", "2")
        return self._start(*options, relayed=True)

    def _start(self, *arguments: str, relayed: bool = False) -> subprocess.Popen[str]:
        cache = os.environ.get("WIW_TEST_CACHE", str(self._folder / "cache"))
        variables = {**os.environ, "WIW_CACHE": cache, "COLUMNS": "200"}
        if relayed:
            variables["DOCKER_HOST"] = self._relay.host
        command = [sys.executable, str(ROOT / "benchmark.py"), *arguments]
        with (self._folder / "errors.log").open("a") as errors:
            return subprocess.Popen(
                command, cwd=self._folder, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def _finish(self, process: subprocess.Popen[str], owners: set[int] | None = None) -> str:
        """Wait for a run's end; return its trajectory root, "" unless it is complete."""
        deadline = time.monotonic() + RUN_S
        while True:
            with suppress(subprocess.TimeoutExpired):
                said, _ = process.communicate(timeout=0.2)
                break
            if owners is not None:
                owners |= {process.pid, *workers_of(process.pid)}
            if time.monotonic() > deadline:
                process.kill()
        return str(json.loads(said)["trajectory_root"]) if process.returncode == 0 else ""


def main() -> int:
    """Run one part of the study; return the exit status."""
    parser = argparse.ArgumentParser(description="Kill services and runs in containers at random moments.")
    parser.add_argument("part", choices=("service", "run"))
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--episodes", type=int, default=4)
    parser.add_argument("--latest", type=float, default=25.0, help="seconds after which a run is harmed at the latest")
    parser.add_argument("--plugin", action="store_true", help="only the world model in a container: the example plugin")
    parser.add_argument("--seconds", type=float, default=3600.0, help="begin no kill after that long")
    parser.add_argument("--out", type=Path, required=True, help="file that gets one JSON line a kill")
    chosen = parser.parse_args()
    engine, chance = connect(), random.Random(chosen.seed)
    with tempfile.TemporaryDirectory(prefix="wiwchaos", dir="/tmp") as temporary:
        folder = Path(temporary)
        if chosen.part == "service":
            return _repeat(chosen, ServiceStudy(engine, folder, chance).trial)
        study = RunStudy(engine, folder, chance, chosen)
        status = _repeat(chosen, study.kill)
        last = study.complete()
        _report({"part": "run", "process_root": study.root, "last_root": last, "runs": len(study.roots)}, chosen.out)
        return status or int(last != study.root)


def _repeat(chosen: argparse.Namespace, kill: Callable[[int], dict[str, Any]]) -> int:
    began, wrong = time.monotonic(), 0
    for number in range(chosen.kills):
        if time.monotonic() - began > chosen.seconds:
            break
        record = {"number": number, **kill(number)}
        wrong += bool(record["left"]) or bool(record.get("hung")) or not record.get("same", True)
        _report(record, chosen.out)
    return int(wrong > 0)


def _report(record: dict[str, Any], out: Path) -> None:
    line = json.dumps(record)
    print(line, flush=True)
    with out.open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
