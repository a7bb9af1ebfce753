"""Places without a simulator: noise, for tests that never look at what is seen."""

from __future__ import annotations

import numpy as np

from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.observations import View
from harness.worldmodels.probe import Place, RealView

PANO = Camera("pano", EQUIRECT, 128, 256, 360.0, 1.25)


def toy_places() -> tuple[Place, ...]:
    generator = np.random.default_rng(0)
    views = [generator.integers(0, 256, (128, 256, 3), dtype=np.uint8) for _ in range(2)]
    return tuple(Place(f"noise {n}", View(PANO, rgb), None, (RealView(0.0, 0.0, rgb),)) for n, rgb in enumerate(views))
