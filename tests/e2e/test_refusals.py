"""A wrong word costs one helpful sentence, exit code 2, and nothing else.

Most words are tried inside this process, for a process of their own would only cost time; the last test starts some.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.app import main
from tasks import requirements
from tests.e2e.conftest import Command

PLAY = ("--wm", "gtsim", "--task", "ignav")


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (("--wm", "gtsmi", "--task", "ignav"), ("'gtsmi'", "Did you mean 'gtsim'?")),
        (("--wm", "gtsim", "--task", "ignv"), ("'ignv'", "'ignav'")),
        ((*PLAY, "--tier", "esay"), ("'esay'", "'easy'")),
        ((*PLAY, "--split", "tset"), ("'tset'", "'test'")),
        ((*PLAY, "--suite", "embeded"), ("'embeded'", "embedded")),
        ((*PLAY, "--suite", "wiw"), ("cannot run here", "--suite embedded")),
        ((*PLAY, "--stop", "oracl"), ("'oracl'", "self, oracle")),
        ((*PLAY, "--episodes", "0"), ("not in 1..100",)),
        ((*PLAY, "--episodes", "many"), ("'many'", "a number, mini, or all")),
        ((*PLAY, "--seeds", "4-1"), ("'4-1'", "0-4")),
        ((*PLAY, "--seed", "-1"), ("'-1'",)),
        ((*PLAY, "--seed", "1", "--seeds", "0-4"), ("exclude each other",)),
        ((*PLAY, "--workers", "0"), ("--workers 0",)),
        ((*PLAY, "--wm-python", "/no/such/python"), ("/no/such/python",)),
        ((*PLAY, "--plugins", "/no/such/folder"), ("/no/such/folder", "plugin.toml")),
        ((*PLAY, "--runtime", "dcker"), ("'dcker'", "Did you mean 'docker'?")),
        ((*PLAY, "--runtime", "docker", "--env-python", "python3"), ("--env-python", "--runtime process")),
        (("--wm-image", "a/b", "--task", "ignav", "--wm-python", "python3"), ("--wm-python", "runs in a container")),
        ((*PLAY, "--wm-gpu", "97"), ("97",)),
        (("--wm-image", "a/b"), ("--task missing",)),
        (("--wm", "warp", "--task", "ignav", "--set", "dept_m=2"), ("'dept_m'", "Did you mean 'depth_m'?")),
        (("--wm", "warp", "--task", "ignav", "--set", "depth_m"), ("'depth_m'", "key=value")),
        (("--wm", "warp", "--task", "ignav", "--weights", "random"), ("'warp' loads no weights", "--weights")),
        (("--resume", "x", "--wm-image", "a/b"), ("as it was planned", "--wm-image")),
        (("--resume", "x", "--set", "steps=3"), ("as it was planned", "--set")),
        (("runs", "claen"), ("'claen'", "clean")),
        ((*PLAY, "--out", "/proc/runs"), ("cannot write to /proc/runs", "--out")),
        (("--task", "ignav"), ("--wm missing", "--wm gtsim --task ignav")),
        ((), ("--wm and --task missing",)),
        (("--wn", "x"), ("--wn", "--wm")),
        (("lst", "wms"), ("'lst'", "'list'")),
        (("list", "wm"), ("'wm'", "wms")),
        (("cite", "--wm", "svd"), ("--wm. Known: --help, --json, --suite, --task.", "benchmark.py cite --help lists")),
        (("collect", "--clip", "4"), ("--clip",)),
        (("plugin", "check", "x", "--plugin", "y"), ("--plugins", "benchmark.py plugin check --help")),
        (("report", "/no/such/run"), ("/no/such/run is not a run folder",)),
        (("--resume", "/no/such/run"), ("/no/such/run is not a run folder",)),
        (("watch", "/no/such/run"), ("/no/such/run is not a run folder",)),
    ],
)
def test_a_wrong_word_gets_one_sentence(
    arguments: tuple[str, ...],
    sentences: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert_one_sentence(capsys.readouterr().err, sentences)
    assert not list(tmp_path.rglob("run.json"))


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("--help",)) == 0
    printed = capsys.readouterr().out
    options = ("--wm", "--task", "--resume", "--references", "--dry-run")
    for word in (*options, "list", "runs", "report", "watch", "doctor"):
        assert word in printed


@pytest.mark.parametrize("group", ["plugin", "images"])
def test_a_group_without_a_command_shows_its_help_and_no_error(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main((group,)) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"Usage: benchmark.py {group} ") and "error" not in said


def test_a_run_without_the_extra_is_not_sent_to_where_it_lacks_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    for suite in ((), ("--suite", "wiw")):
        assert main((*PLAY, *suite)) == 2
        said = capsys.readouterr().err
        assert "missing" in said and "Without all that" not in said and "runs here" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "sentences"),
    [
        (("--help",), 0, ()),
        (("--wm", "gtsmi", "--task", "ignav"), 2, ("'gtsmi'", "Did you mean 'gtsim'?")),
        ((*PLAY, "--suite", "wiw"), 2, ("cannot run here", "--suite embedded")),
    ],
)
def test_refusals_and_help_load_nothing_heavy(
    benchmark_py: Command, tmp_path: Path, arguments: tuple[str, ...], code: int, sentences: tuple[str, ...]
) -> None:
    """Under a second needs an import time without the packages that take seconds together."""
    done = benchmark_py(*arguments, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == code
    lines = done.stderr.splitlines()
    imports = [line for line in lines if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip() for line in imports}
    assert "typer" in loaded
    assert not loaded & {"scipy", "numba", "av", "pyarrow", "torch", "docker", "skimage", "trimesh"}
    assert_one_sentence("\n".join(line for line in lines if line not in imports), sentences)
    assert not list(tmp_path.rglob("run.json"))


def assert_one_sentence(printed: str, sentences: tuple[str, ...]) -> None:
    """Assert that a refusal is short but for its list of what is missing, and says what it should."""
    assert "Traceback" not in printed
    assert len([line for line in printed.strip().splitlines() if not line.lstrip().startswith("- ")]) <= 3
    for sentence in sentences:
        assert sentence in printed
