"""Packages that a model runs with are named in the first message, with the one command that gets them."""

from __future__ import annotations

import importlib.util
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.contracts.errors import Refusal
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.packages import OF_EVERY_SERVICE, missing_packages, package_lacks

EXTRA = "pip install -c constraints.txt -e '.[models]'"
ZOO = [entry for entry in load_catalog().entries if "pipeline" in entry.manifest.settings]


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make torch a package that is not installed."""
    real = importlib.util.find_spec

    def find(name: str, package: Any = None) -> Any:
        return None if name == "torch" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)


@pytest.mark.parametrize("entry", ZOO, ids=lambda entry: entry.manifest.name)
def test_every_video_model_says_that_it_runs_with_the_extra(entry: Any, without_torch: None) -> None:
    (lack,) = package_lacks(entry)
    assert "torch" in lack.what and lack.steps == (EXTRA,)


def test_the_first_message_holds_the_extra_and_what_its_advice_needs(
    without_torch: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for more in (
        (),
        ("--dry-run",),
        ("--suite", "embedded", "--weights", "random"),
        ("--weights", "random", "--dry-run"),
    ):
        assert main(("--wm", "FTcosmos", "--task", "ignav", *more)) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert EXTRA in told
        if "random" not in more:
            assert "With those packages and without the rest" in told and "--weights random" in told
    assert main(("plugin", "check", "FTcosmos", "--weights", "random")) == 2
    assert EXTRA in " ".join(capsys.readouterr().err.split())


def test_another_interpreter_is_asked_before_anything_starts(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = str(tmp_path / "bare" / "bin" / "python")
    assert set(missing_packages(("torch",), python)) == {*OF_EVERY_SERVICE.values(), "torch"}
    with pytest.raises(Refusal) as refused:
        make_plan(RunOptions("copy", "ignav", episodes="1", wm_python=python))
    assert f"{python} -m pip install numpy protobuf grpcio grpcio-health-checking" in refused.value.next_step


def test_this_interpreter_has_what_every_service_needs() -> None:
    assert missing_packages((), sys.executable) == ()


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false", "/bin/echo", "/no/such"])
def test_a_program_that_is_no_python_is_refused(program: str) -> None:
    with pytest.raises(Refusal, match="does not work as a Python interpreter"):
        missing_packages((), program)
