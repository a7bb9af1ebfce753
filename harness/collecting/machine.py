"""Where things are on this machine. None of it is in the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping


@dataclass(frozen=True)
class Machine:
    """The folder of baked homes; other simulators' interpreter; Habitat's scenes, GPU and walkable area."""

    cache_dir: str
    python: str = ""
    scenes_dir: str = ""
    gpu: str = ""
    navmesh: Mapping[str, Any] = field(default_factory=dict)
