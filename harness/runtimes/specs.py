"""What to start, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

ENVIRONMENT = "environment"
WORLD_MODEL = "world_model"


@dataclass(frozen=True)
class ServiceSpec:
    """One declared service.

    ``kind`` is ``environment`` or ``world_model``; ``name`` appears in messages. ``entry_point`` is
    ``module:Class``, found with the folders of ``path`` before everything else. ``python`` is the interpreter:
    it needs numpy, grpcio and protobuf, nothing of the harness's other libraries. ``options`` are the keyword
    arguments of an environment's class; ``manifest`` holds the fields of a world model's manifest.
    ``environment_variables`` are added to those of the harness.
    """

    kind: str
    name: str
    entry_point: str
    path: tuple[str, ...]
    python: str
    options: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    environment_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ServiceLimits:
    """Seconds that a service may take to become ready and to stop when asked.

    The time that each call may take is the client's (`harness.wire.client.Deadlines`), since only the caller can
    give a call up.
    """

    start_s: float = 60.0
    stop_s: float = 5.0
