"""The page docs/first_model.md, played as it stands: its files are written, its commands run, with smaller numbers."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first_model.md").read_text(encoding="utf-8")
SMALLER = {"--clips 120 --scenes 8": "--clips 4 --scenes 1", "first/walks": "first/walks 3"}


def commands(place: Path) -> list[list[str]]:
    """Return the page's commands in order, in the folder ``place``."""
    found = "".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)).splitlines()
    words = []
    for line in found:
        for long, short in SMALLER.items():
            line = line.replace(long, short)
        parts = [re.sub(r"^first/", f"{place}/", part) for part in shlex.split(line)]
        words.append([sys.executable if part == "python" else part for part in parts])
    return words


def files() -> dict[str, str]:
    return dict(re.findall(r"```python (\S+)\n(.*?)```", PAGE, re.DOTALL))


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)


def test_the_page_says_first_where_its_commands_are_given_and_what_they_need() -> None:
    before = PAGE[: PAGE.index("```bash")]
    assert "folder of the checkout" in before and "-e '.[embedded,models]'" in before


def test_the_page_names_every_step_and_is_short() -> None:
    said = [" ".join(words) for words in commands(Path("/p"))]
    steps = ["collect", "plugin new", "train.py", "plugin check", "bank", "--wm first"]
    assert all(step in text for step, text in zip(steps, said, strict=True))
    assert set(files()) == {"model.py", "train.py"}
    assert sum(len(text.splitlines()) for text in files().values()) <= 110
    for name, text in files().items():
        compile(text, name, "exec")


@pytest.mark.slow
def test_data_become_a_model_that_is_checked_and_measured(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    collect, new, train, check, bank, play = commands(tmp_path)
    assert run(collect).returncode == 0
    assert run(new).returncode == 0
    folder = tmp_path / "models" / "first"
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    trained = run(train)
    assert trained.returncode == 0, trained.stderr
    assert "forwards" in trained.stdout and (folder / "first.safetensors").stat().st_size > 10_000
    checked = run([*check, "--only", "shapes", "--only", "determinism", "--only", "batch", "--json"])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    measured = run([*bank, "--out", str(tmp_path / "runs"), "--json"])
    assert measured.returncode == 0, measured.stderr
    assert 0.0 <= json.loads(measured.stdout)["measures"]["top_1"]["value"] <= 1.0
    played = run([*play, "--episodes", "2", "--out", str(tmp_path / "runs")])
    assert played.returncode == 0, played.stderr
    assert "verdict " in played.stdout
