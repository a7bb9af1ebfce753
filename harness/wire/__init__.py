"""The wire: services and their clients (docs/wire.md).

Importing it chooses how gRPC polls, which only works before gRPC is imported. The polling engine that gRPC has by
default hands every event to a thread of its own; the older one, where the thread that waits also reads and writes,
made the round trip of two RGB images of 256 x 256 about a fifth shorter (docs/wire.md has the figures).
"""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Optional, Tuple

VARIABLE = "GRPC_EXPERIMENTS"
OLDER_POLLING = "-event_engine_client,-event_engine_listener"
CHECKED_VERSIONS = ((1, 62), (1, 80), (1, 85))
"""The switches are gRPC's own affair and may vanish or misbehave: versions other than these run as they come."""


def grpc_version() -> Optional[Tuple[int, int]]:
    """Return major and minor version of the installed grpcio without importing it; None if they are unknown.

    It reads the file that grpcio keeps for this: `importlib.metadata` takes longer to import than the wire may cost
    a process that does not use gRPC.
    """
    package = importlib.util.find_spec("grpc")
    if package is None or package.origin is None:
        return None
    try:
        text = Path(package.origin).with_name("_grpcio_metadata.py").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"""__version__ = "+(\d+)\.(\d+)""", text)
    return (int(found[1]), int(found[2])) if found else None


def choose_polling(version: Optional[Tuple[int, int]]) -> None:
    """Set the switch for a version that it was checked with; what the user has set stays.

    A process inherits the choice of the one that started it, which may have another grpcio: an unchecked version
    drops it again.
    """
    if version in CHECKED_VERSIONS:
        os.environ.setdefault(VARIABLE, OLDER_POLLING)
    elif os.environ.get(VARIABLE) == OLDER_POLLING:
        del os.environ[VARIABLE]


choose_polling(grpc_version())
