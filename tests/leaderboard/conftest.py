"""A finished run with a plugin image on a small suite, its card and a key: all that a bundle is made of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.leaderboard import admission, signing
from harness.leaderboard.submitting import Submission, examine, submit
from harness.records.folder import RECORD
from harness.records.identity import ImageRecord
from tasks.suite import Suite
from tests.studies.small_suite import small_suite, solved_by, write_small_run
from tests.worldmodels.hub_folder import checkpoint

DIGEST = f"sha256:{'5e' * 32}"
IMAGE = f"registry.example/sized@{DIGEST}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = 12
"""Episodes of a run here: as many as a test can afford, called the whole split."""


@dataclass(frozen=True)
class Ready:
    """A submission that is accepted as it stands, and the key that signs it."""

    asked: Submission
    key: Path
    suite: Suite

    @property
    def run(self) -> Path:
        return self.asked.runs[0]

    def bundle(self, out: Path) -> Path:
        submit(self.asked, examine(self.asked), self.key, out)
        return out

    def having(self, *runs: Path) -> Ready:
        return replace(self, asked=replace(self.asked, runs=runs))


def write_run(root: Path, suite: Suite, name: str, wm: str = "warp", played: int = ROWS, **changes: Any) -> Path:
    """Write a run that was played with the image; ``changes`` are other facts of its identity."""
    told = {"wm_image": ImageRecord("sized:latest", DIGEST), "episodes_subset": "all", **changes}
    folder = write_small_run(
        root, suite, wm, solved_by(0.6), kept=ROWS, played=played, run_id=name, changes=told, files=True
    ).path
    for number, episode in enumerate(sorted((folder / "episodes").iterdir())):
        (episode / "video.mp4").write_bytes(b"moving pictures %d" % number)
    at_commit(folder, COMMIT)
    return folder


def at_commit(folder: Path, commit: str) -> None:
    """Let a run say which commit of the harness played it."""
    record = json.loads((folder / RECORD).read_text())
    record["provenance"]["git_commit"] = commit
    (folder / RECORD).write_text(json.dumps(record))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """The honest submission, made once; tests look at it and change copies."""
    folder = tmp_path_factory.mktemp("submission")
    suite = small_suite(folder / "suite")
    key = folder / "key.pem"
    signing.new_key(key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "load_suite", lambda name, task: suite)
        run = write_run(folder / "runs", suite, "one")
        yield Ready(Submission((run,), IMAGE, checkpoint(folder / "weights")), key, suite)


@pytest.fixture
def ready(made: Ready, tmp_path: Path) -> Ready:
    """A copy of the honest submission."""
    run = shutil.copytree(made.run, tmp_path / "runs" / made.run.name)
    card = shutil.copytree(made.asked.card, tmp_path / "weights")
    return replace(made, asked=replace(made.asked, runs=(Path(run),), card=Path(card)))
