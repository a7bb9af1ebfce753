"""Bytecode that somebody left in the checkout is never run."""

from __future__ import annotations

import importlib.util
import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.contracts.from_source import CHECKOUT

PROGRAM = "import harness.asked, importlib; print(harness.asked.WORD, importlib.import_module('outside').WORD)"


def poison(source: Path) -> None:
    """Write bytecode that fits the source by date and size, as Python checks it, and says another word."""
    target = Path(importlib.util.cache_from_source(str(source)))
    target.parent.mkdir(exist_ok=True)
    status = source.stat()
    head = importlib.util.MAGIC_NUMBER + bytes(4)
    head += int(status.st_mtime).to_bytes(4, "little") + status.st_size.to_bytes(4, "little")
    target.write_bytes(head + marshal.dumps(compile("WORD = 'poisoned'", str(source), "exec")))


def checkout(folder: Path) -> Path:
    """Make a small checkout with a module of its own and, beside it, one that belongs to nobody here."""
    contracts = folder / "harness" / "contracts"
    contracts.mkdir(parents=True)
    for package in (folder / "harness", contracts):
        (package / "__init__.py").touch()
    shutil.copy(CHECKOUT / "harness" / "contracts" / "from_source.py", contracts)
    (folder / "harness" / "asked.py").write_text("WORD = 'honest'\n")
    (folder / "harness" / "program.py").write_text(PROGRAM)
    poison(folder / "harness" / "asked.py")
    (folder / "packages").mkdir()
    (folder / "packages" / "outside.py").write_text("WORD = 'honest'\n")
    poison(folder / "packages" / "outside.py")
    return folder


def said(folder: Path, *command: str) -> str:
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "packages")])}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_only_sources_of_the_checkout_run(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    script = str(folder / "harness" / "contracts" / "from_source.py")
    assert said(folder, "-c", PROGRAM) == "poisoned poisoned"  # what Python does by itself
    assert said(folder, script, "harness.program") == "honest poisoned"


def test_the_command_line_runs_from_its_sources(tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    for part in ("harness/contracts", "harness/cli"):
        (folder / part).mkdir(parents=True)
    shutil.copy(CHECKOUT / "harness" / "contracts" / "from_source.py", folder / "harness" / "contracts")
    shutil.copy(CHECKOUT / "benchmark.py", folder)
    app = folder / "harness" / "cli" / "app.py"
    app.write_text("def main(arguments):\n    print('honest')\n    return 0\n")
    poison(app)
    assert said(folder, str(folder / "benchmark.py")) == "honest"
