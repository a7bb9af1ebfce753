"""What the tests that simulate need; without it they are skipped, and say so."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

LACKING = [name for name in ("mujoco", "gymnasium_robotics") if find_spec(name) is None]

needs_the_arm = pytest.mark.skipif(
    bool(LACKING), reason=f"not installed: {', '.join(LACKING)} (pip install -c constraints.txt '.[tabletop]')"
)
