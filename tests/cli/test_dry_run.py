"""What a dry run says of the weights that would be loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.running.dry_run import loaded
from tests.running import fake

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_what_is_loaded_of_the_hub_is_named_with_its_commit_and_whether_it_is_pinned() -> None:
    identity = replace(
        fake.plan(1).identity,
        wm_manifest={"checkpoint": {"source": "org/toy"}, "weights": "hub"},
        wm_digests={"code": "x", "checkpoint": f"commit {COMMIT}"},
    )
    assert loaded(identity) == [f"org/toy@{COMMIT}"]
    assert loaded(replace(identity, stamps=("unpinned",))) == [
        f"org/toy@{COMMIT} (not pinned: what the cache holds now)"
    ]


def test_a_folder_that_no_run_could_be_made_in_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    out = tmp_path / "file" / "runs"
    assert main(("--wm", "none", "--task", "ignav", "--dry-run", "--out", str(out))) == 2
    assert "not a folder that can be written" in capsys.readouterr().err
