"""From a plugin's folder to an image, a run on homes that were drawn for it, a bundle, and what others make of it.

The task is the toy of `tests/toy_task`, whose homes cost nothing; commands, image, sandbox and bundle are real. It is
played from a clean checkout of this tree, as a submission has to be, and verified from another one with a cache of its
own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes.docker_engine import Engine, image_id
from harness.runtimes.images.declared import own_reference
from tests.e2e.conftest import ROOT
from tests.records.test_provenance import git
from tests.worldmodels.hub_folder import checkpoint

pytest.importorskip("securesystemslib")
pytestmark = pytest.mark.slow

BASE = own_reference("wiw-bench/wm_base")
TEXT, TEXT2 = "round 5000000 of a beacon", "round 5000900 of a beacon"
MODEL = """
import numpy as np
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel


class Model(WorldModel):
    def imagine(self, request: RolloutRequest) -> Rollout:
        frames = np.repeat(request.view[None], len(request.frames), axis=0).copy()
        frames[:, :, :, 2] += 20 * np.asarray(request.frames, np.uint8)[:, None, None]
        return Rollout(request.id, frames, request.camera)
"""
"""Every step leads to the next lamp, it says: it finds those ahead."""
DRAWS = """

def draw_fresh(suite, tier, split, workers):
    from harness.contracts.digest import digest
    known = suite.episodes("near", "test")
    moved = [_replace(e, id=f"{split}-{e.id}", split=split, home=f"{split}-{e.home}") for e in known]
    order = sorted(moved, key=lambda e: digest(e.id))
    return order, {"corridor": digest("corridor")}

from dataclasses import replace as _replace
TASK = _replace(TASK, draw_fresh=draw_fresh)
"""
MAKE = """
from harness.contracts.cameras import Pose
from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from tasks.suite import load_suite
from tasks.suite_files import write_episodes, write_json

suite = load_suite("lamps", "lamps")
for split in ("validation", "test"):
    episodes = []
    for number in range(8):
        start, lamp = 2 + number, 2 + number + (number % 4 + 1) * (1 if number < 4 else -1)
        payload = {"lamp": lamp, "lamps_away": abs(lamp - start)}
        pose = Pose((0.0, 0.0, float(start)), (1.0, 0.0, 0.0, 0.0))
        steps = abs(lamp - start) + (lamp < start)
        home = f"h{number % 4}"
        episodes.append(Episode(f"e{number}", "lamps", "near", split, "corridor", home, pose, steps, payload))
    write_episodes(suite.episode_path("near", split), episodes)
write_json(suite.folder / "homes.json", {"corridor": digest("corridor")})
"""


class User:
    """Somebody with a checkout, a home and a cache of their own."""

    def __init__(self, folder: Path, tasks: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.checkout = folder / "checkout"
        commit = git(ROOT, "stash", "create") or git(ROOT, "rev-parse", "HEAD")
        git(folder, "clone", "-q", "--shared", str(ROOT), str(self.checkout))
        git(self.checkout, "checkout", "-q", "--detach", commit)
        self.variables = {
            **os.environ,
            "HOME": str(folder),
            "WIW_CACHE": str(folder / "cache"),
            "WIW_TASKS": str(tasks),
            "PYTHONPATH": f"{self.checkout}{os.pathsep}{tasks}",
            "COLUMNS": "200",
        }

    def python(self, *words: str, code: int = 0) -> str:
        """Run Python with this user's checkout; return what it printed."""
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=600)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def benchmark(self, *words: str, code: int = 0) -> str:
        """Run a command of the README."""
        return self.python(str(self.checkout / "benchmark.py"), *words, code=code)


def changed(file: Path, words: dict[str, str]) -> str:
    """Return a file's text with some words replaced, each of which is there."""
    text = file.read_text()
    for old, new in words.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy task with panoramas, a test split and fresh homes."""
    folder = tmp_path_factory.mktemp("tasks")
    shutil.copytree(ROOT / "tests" / "toy_task" / "lamps", folder / "lamps")
    code = folder / "lamps" / "task.py"
    code.write_text(
        changed(code, {'"pinhole", 32, 32, 90.0': '"equirect", 32, 64, 360.0', "0:32, 0:32": "0:32, 0:64"}) + DRAWS
    )
    split = "[tiers.near.splits.validation]\nhomes = 4\nepisodes = 8\n"
    panorama = {"pinhole": "equirect", "width = 32": "width = 64", "hfov_deg = 90.0": "hfov_deg = 360.0"}
    suite = folder / "lamps" / "suites" / "lamps-v1" / "suite.toml"
    suite.write_text(changed(suite, {**panorama, split: split + split.replace("validation", "test")}))
    variables = {**os.environ, "WIW_TASKS": str(folder), "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    subprocess.run([sys.executable, "-c", MAKE], env=variables, cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The plugin's folder, made by `plugin new`, as an image."""
    try:
        image_id(engine, BASE)
    except Refusal as error:
        pytest.skip(str(error))
    into = tmp_path_factory.mktemp("plugins")
    command = [sys.executable, str(ROOT / "benchmark.py"), "plugin", "new", "guess", "--into", str(into)]
    subprocess.run(command, check=True, capture_output=True)
    (into / "guess" / "model.py").write_text(MODEL)
    built, _ = engine.client.images.build(path=str(into / "guess"), buildargs={"WM_BASE": BASE}, tag="wiw-test/guess:1")
    return f"wiw-test/guess@{built.id}"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_from_a_folder_to_a_verified_submission(image: str, tasks: Path, tmp_path: Path) -> None:
    author, verifier = User(tmp_path / "author", tasks), User(tmp_path / "verifier", tasks)
    known = ("--wm", "guess", "--task", "lamps", "--suite", "lamps")
    tag = image.partition("@")[0] + ":1"

    trial = json.loads(author.benchmark("submit", "--preflight", "--image", tag, *known, "--json"))
    assert trial["passed"]

    drawing = ("verify", "--draw", "--image", image, "--task", "lamps", "--suite", "lamps", "--randomness", TEXT)
    (drawn,) = json.loads(verifier.benchmark(*drawing, "--json"))["drawn"]
    fresh = ("--split", "fresh", "--fresh-seed", drawn["fresh_seed"])
    played = ("--wm-image", tag, *known, "--episodes", "all", "--workers", "1")
    for split in (("--split", "test"), fresh):
        author.benchmark(*played, *split)
    runs = [str(run) for run in sorted((author.folder / "runs").iterdir())]

    key = author.benchmark("submit", "--new-key", "key.pem").split()[1]
    card = checkpoint(author.folder / "weights")
    submitting = ("submit", *runs, "--image", image, "--card", str(card), "--key", "key.pem", "--out", "made.zip")
    author.benchmark(*submitting)
    bundle = str(author.folder / "made.zip")

    checking = ("verify", bundle, "--signer", key, "--image", image, "--randomness", TEXT, "--json")
    found = json.loads(verifier.benchmark(*checking))
    assert found["holds"], found["reasons"]

    replaying = ("verify", bundle, "--randomness", TEXT, "--replay", "6", "--replay-randomness", TEXT2, "--json")
    again = json.loads(verifier.benchmark(*replaying))["replay"]
    assert (again["drawn"], again["equal"], again["of"], again["technical"]) == (6, 6, 16, {})
    assert all(pair["exact"] for pair in again["pairs"])

    verifier.benchmark("leaderboard", "build", bundle, "--out", "site")
    page = (verifier.folder / "site" / "index.html").read_text()
    assert "guess" in page and "lamps" in page
