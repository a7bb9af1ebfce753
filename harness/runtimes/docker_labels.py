"""Labels that say whose a container is.

Everything that the harness makes in an engine carries them. The owner is a process: its id, its start time and the
machine's boot id, because ids are used again.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from harness.contracts.hosts import boot_id
from harness.runtimes.sockets import process_start_time

OWNER = "wiw.owner"
RUN = "wiw.run"
SERVICE = "wiw.service"
SCOPE = "wiw.scope"


def owner_labels(run: str, service: str) -> dict[str, str]:
    """Return the labels of something made now by this process; ``run`` says for which run, ``service`` for what."""
    pid = os.getpid()
    owner = f"{pid}-{process_start_time(pid)}-{boot_id()}"
    return {OWNER: owner, RUN: run, SERVICE: service, SCOPE: scope()}


@lru_cache(maxsize=1)
def scope() -> str:
    """Return who can judge whether a process of ours lives: this user, in this process namespace.

    Process ids of another namespace mean nothing here, and another user's may be hidden: what carries another scope
    is left alone.
    """
    return f"{os.geteuid()}-{Path('/proc/self/ns/pid').stat().st_ino}"


def owner_lives(owner: str) -> bool:
    """Say whether the process of an owner label lives; a label that cannot be read counts as living."""
    pid, _, rest = owner.partition("-")
    start, _, boot = rest.partition("-")
    if not (pid.isdigit() and start.isdigit() and boot):
        return True
    return boot == boot_id() and process_start_time(int(pid)) == int(start)
