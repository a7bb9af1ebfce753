"""A wrong word costs one helpful sentence, exit code 2, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

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
        ((*PLAY, "--episodes", "many"), ("'many'", "a number, or all")),
        ((*PLAY, "--seeds", "4-1"), ("'4-1'", "0-4")),
        ((*PLAY, "--seed", "-1"), ("'-1'",)),
        ((*PLAY, "--seed", "1", "--seeds", "0-4"), ("exclude each other",)),
        ((*PLAY, "--workers", "0"), ("--workers 0",)),
        ((*PLAY, "--wm-python", "/no/such/python"), ("/no/such/python",)),
        ((*PLAY, "--plugins", "/no/such/folder"), ("/no/such/folder", "plugin.toml")),
        ((*PLAY, "--out", "/proc/runs"), ("cannot write to /proc/runs", "--out")),
        (("--task", "ignav"), ("--wm missing", "--wm gtsim --task ignav")),
        ((), ("--wm and --task missing",)),
        (("--wn", "x"), ("--wn", "--wm")),
        (("lst", "wms"), ("'lst'", "'list'")),
        (("list", "wm"), ("'wm'", "wms")),
        (("report", "/no/such/run"), ("/no/such/run is not a run folder",)),
        (("--resume", "/no/such/run"), ("/no/such/run is not a run folder",)),
        (("watch", "/no/such/run"), ("/no/such/run is not a run folder",)),
    ],
)
def test_a_wrong_word_gets_one_sentence(
    benchmark_py: Command, tmp_path: Path, arguments: tuple[str, ...], sentences: tuple[str, ...]
) -> None:
    done = benchmark_py(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
    for sentence in sentences:
        assert sentence in done.stderr
    assert not list(tmp_path.rglob("run.json"))


def test_help_names_every_command(benchmark_py: Command) -> None:
    done = benchmark_py("--help")
    assert done.returncode == 0
    for word in (
        "--wm",
        "--task",
        "--resume",
        "--references",
        "--dry-run",
        "list",
        "runs",
        "report",
        "watch",
        "doctor",
    ):
        assert word in done.stdout


def test_refusals_and_help_load_nothing_heavy(benchmark_py: Command) -> None:
    """Under a second needs an import time without the packages that take seconds together."""
    for arguments in (("--help",), ("--wm", "gtsmi", "--task", "ignav"), (*PLAY, "--suite", "wiw")):
        done = benchmark_py(*arguments, PYTHONPROFILEIMPORTTIME="1")
        loaded = {
            line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")
        }
        assert "typer" in loaded
        assert not loaded & {"scipy", "statsmodels", "numba", "av", "pyarrow", "torch", "docker", "skimage", "trimesh"}
