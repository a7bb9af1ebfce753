"""Which code ran is known without git too: an exported tree says the commit that it was made of."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.contracts.sources import CHECKOUT
from harness.records.provenance import EXPORTED, git_commit


def git(folder: Path, *words: str) -> str:
    person = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(("git", *person, *words), cwd=folder, capture_output=True, check=True, text=True)
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed on this machine")
def test_an_archive_says_its_commit_and_a_plain_copy_says_none(tmp_path: Path) -> None:
    checkout, exported = tmp_path / "checkout", tmp_path / "exported"
    (checkout / EXPORTED).parent.mkdir(parents=True)
    (checkout / EXPORTED).write_text("$Format:%H$\n")  # what is committed; the tests may run in an exported tree
    shutil.copy(CHECKOUT / ".gitattributes", checkout / ".gitattributes")
    assert git_commit(checkout) == ""
    git(checkout, "init", "-q")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "all")
    exported.mkdir()
    git(checkout, "archive", "-o", str(tmp_path / "all.tar"), "HEAD")
    shutil.unpack_archive(tmp_path / "all.tar", exported, filter="data")
    assert git_commit(exported) == git_commit(checkout) == git(checkout, "rev-parse", "HEAD")
