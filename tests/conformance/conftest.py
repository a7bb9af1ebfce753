"""Real views for the kit, collected once a test process."""

from __future__ import annotations

import pytest

from harness.conformance.real_views import collect_places
from harness.worldmodels.probe import Place


@pytest.fixture(scope="session")
def places() -> tuple[Place, ...]:
    pytest.importorskip("numba", reason="the embedded homes need numba")
    return collect_places(large=False)
