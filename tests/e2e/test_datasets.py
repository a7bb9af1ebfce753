"""`benchmark.py datasets` as a user runs it, against a local server of files in the published format."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.app import main
from tasks.datasets.catalog import find_datasets
from tests.e2e.conftest import ROOT, Command, results_of
from tests.tasks.file_server import FileServer, Served
from tests.tasks.official_files import ar_item, write_ar


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with FileServer() as running:
        path = write_ar(tmp_path / "written", [ar_item(n) for n in range(3)])
        (dataset,) = find_datasets(["ar"])
        running.files[dataset.files[0].url.replace("{hub}", "")] = Served(path.read_bytes())
        yield running


@pytest.fixture
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("nothing_here")
def test_without_a_name_every_dataset_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("datasets",)) == 0
    said = capsys.readouterr().out
    for word in ("ar", "ignav", "aeqa", "hm3d-val", "mp3d", "absent", "about 300 MB"):
        assert word in said


@pytest.mark.usefixtures("nothing_here")
def test_a_name_is_explained_with_place_licence_and_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("datasets", "hm3d-val", "--data", "/big/data")) == 0
    said = capsys.readouterr().out
    for word in ("academic use", "/big/data/scene_datasets/hm3d/val/*/*.basis.glb", "API token", "hm3d_val_v0.2"):
        assert word in said


def test_fetch_then_verify(benchmark_py: Command, server: FileServer, tmp_path: Path) -> None:
    done = benchmark_py("datasets", "verify", "ar")
    assert done.returncode == 1 and "missing" in done.stdout and "datasets fetch ar" in done.stdout
    done = benchmark_py("datasets", "fetch", "ar", HF_ENDPOINT=server.url)
    assert done.returncode == 0, done.stderr
    assert "recorded" in done.stdout and "3 episodes in 1 scenes" in done.stdout
    (tmp_path / "data/WIW_datasets/eval_datasets/AR/notes.txt").write_text("mine")
    done = benchmark_py("datasets", "verify", "ar")
    assert done.returncode == 0 and "not read: notes.txt" in done.stdout
    found = results_of(benchmark_py("datasets", "verify", "ar", "--json"))
    assert found["sound"] is True and found["datasets"]["ar"]["files"][0]["state"] == "ok"


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (("ignv",), ("'ignv'", "Did you mean 'ignav'?")),
        (("fetch",), ("which one?", "datasets fetch ignav")),
        (("fetch", "mp3d"), ("may not be passed on", "Terms of Use form")),
        (("verify", "hm3dval"), ("'hm3dval'", "'hm3d-val'")),
    ],
)
@pytest.mark.usefixtures("nothing_here")
def test_a_refusal_says_what_to_do(
    words: tuple[str, ...], sentences: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("datasets", *words)) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for sentence in sentences:
        assert sentence in said


def test_ctrl_c_keeps_what_has_arrived(server: FileServer, tmp_path: Path) -> None:
    """The server sends slowly (one part, then nothing), the command is interrupted, and the next one continues."""
    (dataset,) = find_datasets(["ar"])
    address = dataset.files[0].url.replace("{hub}", "")
    whole = server.files[address].content
    server.files[address].break_after = [40, 0, 0, 0, 0]
    part = tmp_path / "data" / (dataset.files[0].path + ".part")
    environment = {**os.environ, "HF_ENDPOINT": server.url}
    command = [sys.executable, str(ROOT / "benchmark.py"), "datasets", "fetch", "ar"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job would ignore it for good
    ) as running:
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size == 40):
            assert time.monotonic() < deadline and running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 3 and "it continues where it stopped" in said and "Traceback" not in said
    assert part.read_bytes() == whole[:40]
    server.files[address].break_after = []
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and server.ranges[-1] == "bytes=40-"
    lock = json.loads((tmp_path / "data" / "datasets.lock.json").read_text())
    assert lock[dataset.files[0].path]["size"] == len(whole)
