"""The seam of post-training loads without torch, and a trainee has to implement all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.contracts.training import Trainee


def test_the_contract_needs_no_torch() -> None:
    code = "import sys, harness.contracts.training; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_trainee_without_its_loss_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="loss"):
        Trainee(None, {}, None, "cpu", 0)  # type: ignore[abstract, arg-type]
