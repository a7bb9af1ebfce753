"""The commands of docs/posttraining.md, played as they stand with smaller numbers: from collected data to a run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.app import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "posttraining.md").read_text(encoding="utf-8")
SMALLER = {"--clips 40 --scenes 4": "--clips 4 --scenes 2 --clip-frames 14", "--episodes 24": "--episodes 1"}


def commands(place: Path) -> list[list[str]]:
    """Return the commands of the page's first block, in the folder ``place``."""
    block = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)[0]
    for long, short in SMALLER.items():
        block = block.replace(long, short)
    found = []
    for line in block.splitlines():
        parts = [re.sub(r"^(data|ckpt)/", f"{place}/\\1/", part) for part in shlex.split(line)]
        found.append([sys.executable if part == "python" else part for part in parts])
    return found


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)


def test_the_page_goes_from_data_to_a_run_and_names_every_option() -> None:
    said = [words[2] for words in commands(Path("/p"))]
    assert said == ["collect", "posttrain", "bank", "--wm"]
    import typer

    options = {name for option in typer.main.get_command(app).commands["posttrain"].params for name in option.opts}  # type: ignore[attr-defined]
    named = set(re.findall(r"--[a-z-]+", PAGE))
    assert {name for name in options if name.startswith("--")} - {"--help"} <= named


@pytest.mark.slow
def test_fresh_data_become_a_checkpoint_that_plays(tmp_path: Path) -> None:
    """Without the bank, which its own tests ask."""
    pytest.importorskip("torch")
    collect, train, _, play = commands(tmp_path)
    (tmp_path / "data").mkdir()
    done = run(collect)
    assert done.returncode == 0, done.stderr
    done = run([*train, "--no-bank"])
    assert done.returncode == 0, done.stderr
    assert "FTmini after 4 steps" in done.stdout and "on 2 held-out clips" in done.stdout
    done = run([*play, "--out", str(tmp_path / "runs"), "--json"])
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["wm"] == "FTmini" and "ignores-actions" in results["stamps"]
