"""A world model that answers like `copy` and keeps everything it can get hold of, for a test that searches it.

Copied into a plugin's folder by the test; it writes into ``seen`` beside that folder: its files are part of the model.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any, Callable

import numpy as np

from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel
from harness.wire.services import WorldModelMethods

SEEN = Path(__file__).resolve().parents[1] / "seen"
_numbers = itertools.count()


def keep(kind: str, data: bytes) -> None:
    """Write one thing that was received."""
    SEEN.mkdir(exist_ok=True)
    (SEEN / f"{kind}-{next(_numbers):05d}").write_bytes(data)


def keeping(kind: str, method: Callable[[WorldModelMethods, bytes], Any]) -> Callable[[WorldModelMethods, bytes], Any]:
    """Return a service method that keeps each request's bytes before it answers."""

    def kept(self: WorldModelMethods, data: bytes) -> Any:
        keep(kind, data)
        return method(self, data)

    return kept


class Recorder(WorldModel):
    """Keeps how it was started, and through the service's methods every message."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        keep("spec", Path(sys.argv[sys.argv.index("--spec") + 1]).read_bytes())
        keep("command", "\n".join(sys.argv).encode())
        keep("variables", "\n".join(f"{name}={value}" for name, value in os.environ.items()).encode())
        for kind, method in (("describe", "_describe"), ("imagine", "_imagine")):
            setattr(WorldModelMethods, method, keeping(kind, getattr(WorldModelMethods, method)))

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the conditioning view for every wanted frame."""
        return Rollout(request.id, np.repeat(request.view[None], len(request.frames), axis=0), request.camera)
