"""A Ray cluster of several nodes on one machine, each with a network of its own: network namespaces behind one switch.

A node can be killed, cut off while it lives, and joined again. It takes root, `ip`, and Ray; nothing is left behind.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PORT = 6391
STORE_BYTES = 80_000_000
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "4",
}
"""Ray's settings of the nodes: one that is cut off counts as lost after 8 to 16 s, by default after half a minute and
more."""

STARTS = 3
"""Ray gives a node 30 s to start, which a busy machine may not have."""


def missing() -> str:
    """Return why no such cluster can be made here, "" where it can."""
    if importlib.util.find_spec("ray") is None:
        return "Ray is not installed"
    if shutil.which("ip") is None:
        return "there is no `ip` (iproute2)"
    probe = f"wiw-probe-{os.getpid()}"
    if os.geteuid() or subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode:
        return "network namespaces cannot be made (that takes root)"
    subprocess.run(["ip", "netns", "delete", probe], check=True)
    return ""


def ip(*words: str) -> None:
    """Change the network."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")


class Nodes:
    """The nodes 0, 1, ... of a cluster; 0 is the head. ``slots`` is how many workers each has room for."""

    def __init__(self, folder: Path, slots: Sequence[int], variables: Mapping[str, str]) -> None:
        self.slots = tuple(slots)
        self._folder = folder
        self._variables = {**os.environ, **SETTINGS, **variables}
        self._name = f"wiw{os.getpid()}"
        self._heads = 0
        ip("netns", "add", f"{self._name}sw")
        ip("-n", f"{self._name}sw", "link", "add", "br0", "type", "bridge")
        ip("-n", f"{self._name}sw", "link", "set", "br0", "up")
        for number in range(len(slots)):
            self._wire(number)

    @property
    def address(self) -> str:
        """Return where the head answers."""
        return f"{self.host(0)}:{PORT + self._heads}"

    def host(self, number: int) -> str:
        """Return the address of a node."""
        return f"10.77.0.{number + 1}"

    def _wire(self, number: int) -> None:
        node, switch = f"{self._name}n{number}", f"{self._name}sw"
        ip("netns", "add", node)
        ip("-n", switch, "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0", "netns", node)
        ip("-n", switch, "link", "set", f"p{number}", "master", "br0", "up")
        ip("-n", node, "address", "add", f"{self.host(number)}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", node, "link", "set", link, "up")
        ip("-n", node, "route", "add", "default", "dev", "eth0")

    def start(self, number: int) -> None:
        """Start Ray on a node, and wait until it has; a head is started anew each time, at another port."""
        for _ in range(STARTS):
            said = self._started(number)
            if not said:
                return
            self.kill(number)
        raise RuntimeError(f"node {number} did not start in {STARTS} attempts: {said}")

    def _started(self, number: int) -> str:
        """Start Ray on a node; return the end of what it said where it did not."""
        self._heads += not number
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--node-ip-address={self.host(number)}"]
        ray += [f"--num-cpus={self.slots[number]}", f"--object-store-memory={STORE_BYTES}", "--disable-usage-stats"]
        head = ["--head", f"--port={self.address.partition(':')[2]}", "--include-dashboard=false"]
        head.append(f"--temp-dir={self._folder}/ray{self._heads}")
        ray += [f"--address={self.address}"] if number else head
        log = self._folder / f"node-{number}.log"
        with log.open("a") as output:
            done = subprocess.run(self.on(number, ray), env=self._variables, stdout=output, stderr=output)
        return log.read_text()[-2000:] if done.returncode else ""

    def on(self, number: int, command: Sequence[str]) -> list[str]:
        """Return a command as it is given on a node."""
        return ["ip", "netns", "exec", f"{self._name}n{number}", *command]

    def kill(self, number: int) -> None:
        """Kill every process of a node, and wait until they are gone."""
        while pids := self.processes(number):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def processes(self, number: int) -> list[int]:
        """Return the processes of a node."""
        words = ["ip", "netns", "pids", f"{self._name}n{number}"]
        return [int(pid) for pid in subprocess.run(words, capture_output=True, text=True).stdout.split()]

    def cut(self, number: int) -> None:
        """Cut a node's network; its processes live on."""
        ip("-n", f"{self._name}sw", "link", "set", f"p{number}", "down")

    def join(self, number: int) -> None:
        """Connect a node's network again."""
        ip("-n", f"{self._name}sw", "link", "set", f"p{number}", "up")

    def remove(self) -> None:
        """Kill what runs on the nodes, and remove them."""
        for number in range(len(self.slots)):
            self.kill(number)
            subprocess.run(["ip", "netns", "delete", f"{self._name}n{number}"], check=False)
        subprocess.run(["ip", "netns", "delete", f"{self._name}sw"], check=False)


@contextmanager
def ray_nodes(folder: Path, slots: Sequence[int], variables: Mapping[str, str]) -> Iterator[Nodes]:
    """Yield a running cluster; ``variables`` are those of its nodes' processes."""
    nodes = Nodes(folder, slots, variables)
    try:
        for number in range(len(slots)):
            nodes.start(number)
        yield nodes
    finally:
        nodes.remove()
