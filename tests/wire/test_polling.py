"""gRPC is told how to poll before it is loaded, and only where that was checked."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Dict, Optional, Tuple

import pytest

from harness import wire
from tests.wire.hosting import ROOT, hosted

LOOK = """
import os, sys
import harness.wire
print("grpc" in sys.modules, os.environ.get("GRPC_EXPERIMENTS"))
import harness.wire.client
import grpc
grpc.insecure_channel("unix:/nowhere").close()
"""


def _look(**variables: str) -> Tuple[str, str]:
    """Return what a fresh process says about the switch, and what gRPC says about it on stderr."""
    inherited = {name: value for name, value in os.environ.items() if name != wire.VARIABLE}
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(command, cwd=ROOT, env={**inherited, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


@pytest.mark.skipif(
    wire.grpc_version() not in wire.CHECKED_VERSIONS, reason="the switch was not checked with this grpcio"
)
def test_the_switch_is_set_before_grpc_loads_and_grpc_knows_it() -> None:
    said, logged = _look()
    assert said == f"False {wire.OLDER_POLLING}"
    assert "xperiment" not in logged


def test_what_the_user_set_stays() -> None:
    said, _ = _look(GRPC_EXPERIMENTS="")
    assert said == "False"


@pytest.mark.parametrize("version", [None, (1, 61), (1, 84), (1, 86), (2, 85)])
@pytest.mark.parametrize(
    ("before", "after"), [(None, None), ("mine", "mine"), (wire.OLDER_POLLING, None)], ids=["none", "own", "inherited"]
)
def test_other_versions_run_as_they_come(
    monkeypatch: pytest.MonkeyPatch,
    version: Optional[Tuple[int, int]],
    before: Optional[str],
    after: Optional[str],
) -> None:
    variables: Dict[str, str] = {} if before is None else {wire.VARIABLE: before}
    monkeypatch.setattr(os, "environ", variables)
    wire.choose_polling(version)
    assert variables.get(wire.VARIABLE) == after


def test_the_version_is_that_of_the_installed_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    import grpc

    assert wire.grpc_version() == tuple(int(part) for part in grpc.__version__.split(".")[:2])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert wire.grpc_version() is None


def test_a_grpc_without_its_version_file_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("json")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert wire.grpc_version() is None


def test_a_service_says_nothing_about_the_switch() -> None:
    with hosted("environment", "GridEnvironment") as host:
        assert "xperiment" not in host.log.read_text(encoding="utf-8")
