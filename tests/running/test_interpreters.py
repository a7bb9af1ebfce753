"""The interpreters of both services are looked at before anything starts."""

from __future__ import annotations

import venv

import pytest

from harness.cli.app import main


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("a bare one")
    venv.create(folder, with_pip=False)
    return str(folder / "bin" / "python")


@pytest.mark.parametrize("option", ["--env-python", "--wm-python"])
def test_what_it_lacks_is_one_message_with_one_command(
    option: str, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--wm", "warp", "--task", "ignav", "--suite", "embedded", "--dry-run")
    assert main((*words, option, bare)) == 2
    said = capsys.readouterr().err
    assert bare in said and said.count("pip install") == 1 and "Traceback" not in said
    for package in ("numpy", "grpcio", "protobuf"):
        assert package in said


@pytest.mark.parametrize("option", ["--env-python", "--wm-python"])
def test_what_is_no_python_is_told_as_that(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("--wm", "warp", "--task", "ignav", "--suite", "embedded", "--dry-run", option, "/bin/sh")) == 2
    assert f"{option} /bin/sh does not work as a Python interpreter" in capsys.readouterr().err


def test_habitat_asks_the_interpreter_first(bare: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("--wm", "warp", "--task", "ignav", "--suite", "wiw", "--env-python", bare, "--dry-run")) == 2
    assert f"--env-python {bare} (Python 3." in capsys.readouterr().err
    assert main(("--wm", "warp", "--task", "ignav", "--suite", "wiw", "--env-python", "/bin/sh", "--dry-run")) == 2
    assert "/bin/sh does not work as a Python" in capsys.readouterr().err
