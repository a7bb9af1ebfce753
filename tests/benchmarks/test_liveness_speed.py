"""What the liveness gate adds to a frame: a look at the sample, and one hash of all bytes."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.contracts.observations import RGB
from harness.running.frame_checks import check_frame, frame_digest


@pytest.mark.parametrize(("height", "width"), [(128, 128), (128, 256), (512, 512), (576, 1024)])
def test_looking_at_a_frame(benchmark: BenchmarkFixture, height: int, width: int) -> None:
    rgb: RGB = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)

    def look() -> bytes:
        check_frame("camera 'pano'", rgb, "here")
        return frame_digest(rgb)

    assert len(benchmark(look)) == 20
