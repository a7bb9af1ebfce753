"""Where things are on this machine. None of it is in the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping


@dataclass(frozen=True)
class Machine:
    """The folder of baked homes; other simulators' interpreter or image; Habitat's scenes, GPU and walkable area.

    ``image`` is the reference that a container's image was found by, ``image_id`` what is started ("" for a process).
    Without ``navmesh`` the environment's own description of the walkable area holds, which evaluation has as well.
    """

    cache_dir: str
    python: str = ""
    scenes_dir: str = ""
    gpu: str = ""
    navmesh: Mapping[str, Any] = field(default_factory=dict)
    image: str = ""
    image_id: str = ""
