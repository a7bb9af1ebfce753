"""Which Ray cluster a run is played on, as the command line says it; looked at without importing Ray.

A wrong address is answered within a second, while importing Ray and asking it takes several.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.errors import Refusal
from harness.contracts.names import nearest

LOCAL, RAY = "local", "ray"
EXECUTORS = (LOCAL, RAY)
AUTO = "auto"
INSTALL = "pip install -c constraints.txt '.[ray]'"

_ANSWER_S = 0.7
_START = "Start one: ray start --head --port=6379 (docs/many-machines.md)."


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster: ``address`` is HOST:PORT of its head, ``gpus`` how many GPUs each worker asks for (0.5: two share
    one)."""

    address: str
    gpus: float = 0.0

    @property
    def words(self) -> tuple[str, ...]:
        """Return the options that name the cluster, for the command that continues a run on it."""
        gpus = (f"--gpus={self.gpus:g}",) if self.gpus else ()
        return (f"--executor={RAY}", f"--address={self.address}", *gpus)

    def answers(self, seconds: float = _ANSWER_S) -> bool:
        """Say whether something listens at the head's address."""
        host, _, port = self.address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), seconds):
                return True
        except OSError:
            return False


def choose_cluster(executor: str, address: str, gpus: float) -> Cluster | None:
    """Return the cluster that the options name, None for this machine alone.

    Raises Refusal for options that contradict each other, where Ray is not installed, and where no cluster answers.
    """
    if executor not in EXECUTORS:
        raise Refusal(f"there is no executor {executor!r}.", nearest(executor, EXECUTORS))
    if executor == LOCAL:
        if address or gpus:
            given = f"--address {address}" if address else f"--gpus {gpus:g}"
            raise Refusal(f"{given} belongs to a Ray cluster.", "Add --executor ray, or leave it out.")
        return None
    if not 0.0 <= gpus <= 64.0 or (gpus > 1.0 and gpus != int(gpus)):
        raise Refusal(f"--gpus {gpus:g} is nothing that a worker can be given.", "Give 0, a part of 1, or 1, 2, ...")
    if importlib.util.find_spec("ray") is None:
        raise Refusal("Ray is not installed here.", f"{INSTALL}, on every node.")
    cluster = Cluster(_resolved(address or AUTO), gpus)
    if not cluster.answers():
        raise Refusal(f"no Ray cluster answers at {cluster.address}.", _START)
    return cluster


def _resolved(address: str) -> str:
    """Return HOST:PORT of an address as Ray finds it: ``auto`` is `RAY_ADDRESS`, or what was last started here."""
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        started = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray" / "ray_current_cluster"
        address = started.read_text().strip() if started.is_file() else ""
    if not address:
        raise Refusal("no Ray cluster was started on this machine.", _START)
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 1 << 16) or "/" in address:
        raise Refusal(
            f"--address {address!r} is not understood.", "Give auto, or HOST:PORT of the head, as 10.0.0.1:6379."
        )
    return address
