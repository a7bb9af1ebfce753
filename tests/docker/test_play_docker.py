"""Real episodes in containers: the same outcome as processes give, and nothing left behind.

Each needs an engine and the images of this version (`images build embedded example_plugin`), and skips without them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes.docker_engine import RUN, Engine, image_id
from harness.runtimes.images.declared import own_reference

pytest.importorskip("numba")

ROOT = Path(__file__).parents[2]
EMBEDDED = own_reference("wiw-bench/embedded")
PLUGIN = own_reference("wiw-bench/example_plugin")
TWO = ("--task", "ignav", "--episodes", "2", "--json")
LONGEST_S = 900.0
"""The first container of an image compiles the renderer."""


@pytest.fixture(autouse=True)
def ids(engine: Engine) -> dict[str, str]:
    """The ids of the images that a test plays with, by reference."""
    try:
        return {reference: image_id(engine, reference) for reference in (EMBEDDED, PLUGIN)}
    except Refusal as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Homes and compiled code, shared by the tests of this module."""
    named = os.environ.get("WIW_TEST_CACHE")
    return Path(named) if named else tmp_path_factory.mktemp("homes")


class Bench:
    """Runs `benchmark.py` in a folder of its own, and knows which containers belong to it."""

    def __init__(self, folder: Path, cache: Path, engine: Engine) -> None:
        self.folder = folder
        self._engine = engine
        self._environment = {**os.environ, "WIW_CACHE": str(cache), "COLUMNS": "200"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        command = [sys.executable, str(ROOT / "benchmark.py"), *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command to its end; return what it printed, or its errors where ``code`` is not 0."""
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=LONGEST_S)
        assert process.returncode == code, errors
        return errors if code else out

    def results(self, *arguments: str) -> dict[str, Any]:
        """Run a command with `--json`; return what it printed."""
        found: dict[str, Any] = json.loads(self.run(*arguments))
        return found

    def last_run(self) -> Path:
        """Return the run folder that was made last."""
        return max((self.folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime)

    def record(self) -> dict[str, Any]:
        """Return the `run.json` of the last run."""
        found: dict[str, Any] = json.loads((self.last_run() / "run.json").read_text())
        return found

    def containers(self) -> list[str]:
        """Return the containers of this folder's runs, in whatever state."""
        found = self._engine.client.api.containers(all=True, filters={"label": RUN})
        return [each["Id"] for each in found if each["Labels"][RUN].startswith(str(self.folder))]


@pytest.fixture
def bench(tmp_path: Path, cache: Path, engine: Engine) -> Iterator[Bench]:
    """A bench that leaves no container, or its test fails."""
    made = Bench(tmp_path, cache, engine)
    yield made
    assert made.containers() == []


@pytest.mark.parametrize("wm", ["none", "copy", "warp", "gtsim"])
def test_containers_give_the_same_outcome_as_processes(bench: Bench, ids: dict[str, str], wm: str) -> None:
    process = bench.results("--wm", wm, *TWO)
    assert bench.record()["provenance"]["images"] == {}
    docker = bench.results("--wm", wm, *TWO, "--runtime", "docker", "--workers", "2")
    assert docker["trajectory_root"] == process["trajectory_root"]
    assert docker["metrics"] == process["metrics"]
    images = bench.record()["provenance"]["images"]
    kinds = {"environment", "world_model"} if wm in ("copy", "warp") else {"environment"}
    assert set(images) == kinds
    assert all(image["id"] == ids[EMBEDDED] and image["reference"] == EMBEDDED for image in images.values())
    assert bench.record()["identity"]["wm_image"] is None


def test_a_plugin_image_plays_beside_a_process_or_a_container(bench: Bench, ids: dict[str, str]) -> None:
    mixed = bench.results("--wm-image", PLUGIN, *TWO)
    record = bench.record()
    assert set(record["provenance"]["images"]) == {"world_model"}
    assert record["execution"]["environment"]["container"] is None
    assert record["identity"]["wm_image"] == {"reference": PLUGIN, "id": ids[PLUGIN], "repo_digest": ""}
    assert (mixed["wm"], mixed["episodes"]["error"]) == ("zoom", 0)
    both = bench.results("--wm-image", PLUGIN, "--wm", "zoom", *TWO, "--runtime", "docker")
    assert both["trajectory_root"] == mixed["trajectory_root"]
    assert set(bench.record()["provenance"]["images"]) == {"environment", "world_model"}
    folder = ("--plugins", str(ROOT / "images" / "example_plugin" / "plugin"))
    assert bench.results("--wm", "zoom", *TWO, *folder)["trajectory_root"] == mixed["trajectory_root"]


def test_a_preflight_plays_unscored_episodes_of_an_image(bench: Bench, ids: dict[str, str]) -> None:
    asked = ("submit", "--preflight", "--image", PLUGIN, "--wm", "zoom", "--task", "ignav")
    found = bench.results(*asked, "--json")
    assert found["passed"] and found["cause"] == "" and found["hours"] > 0.0
    assert len(found["episodes"]) == 3 and not any(each["cause"] for each in found["episodes"])
    assert "success" not in json.dumps(found)
    assert "no world model 'other'" in bench.run(*asked, "--wm", "other", code=2)


def test_dry_run_shows_the_ids_and_starts_nothing(bench: Bench, ids: dict[str, str]) -> None:
    facts = bench.results("--wm-image", PLUGIN, *TWO, "--dry-run")
    assert facts["services"]["environment"] == {"runtime": "process"}
    assert (facts["services"]["world_model"]["id"], facts["services"]["world_model"]["runtime"]) == (
        ids[PLUGIN],
        "docker",
    )
    text = bench.run("--wm", "gtsim", "--task", "ignav", "--runtime", "docker", "--dry-run")
    assert f"{EMBEDDED}  {ids[EMBEDDED]}" in text
    assert not (bench.folder / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (("--wm-image", "wiw-bench/exmaple_plugin"), ("no image 'wiw-bench/exmaple_plugin'", "Did you mean")),
        (("--wm-image", PLUGIN, "--wm", "zom"), ("'zom'", "'zoom'")),
        (("--wm-image", EMBEDDED), ("no /plugin/plugin.toml",)),
        (("--wm-image", PLUGIN, "--tier", "esay"), ("'esay'", "'easy'")),
    ],
)
def test_a_wrong_image_or_word_is_refused(bench: Bench, arguments: tuple[str, ...], sentences: tuple[str, ...]) -> None:
    errors = bench.run(*arguments, "--task", "ignav", code=2)
    for sentence in sentences:
        assert sentence in errors
    assert not list(bench.folder.rglob("run.json"))


def test_a_run_is_not_continued_with_another_image(bench: Bench, engine: Engine, ids: dict[str, str]) -> None:
    name = f"wiw-test/moving-{uuid.uuid4().hex[:8]}"
    try:
        engine.client.images.get(PLUGIN).tag(name, "1")
        process = bench.start("--wm-image", f"{name}:1", *TWO)
        kill_when(bench, process, 1)
        engine.client.images.get(EMBEDDED).tag(name, "1")
        errors = bench.run("--resume", str(bench.last_run()), code=1)
        assert ids[PLUGIN] in errors and ids[EMBEDDED] in errors
        engine.client.images.get(PLUGIN).tag(name, "1")
        assert bench.results("--resume", str(bench.last_run()), "--json")["episodes"]["error"] == 0
    finally:
        engine.client.images.remove(f"{name}:1", noprune=True)


def test_a_killed_run_leaves_no_container_and_resumes_to_the_same_root(bench: Bench) -> None:
    whole = bench.results("--wm", "copy", *TWO)
    process = bench.start("--wm", "copy", *TWO, "--runtime", "docker", "--workers", "1")
    kill_when(bench, process, 2)
    assert bench.results("--resume", str(bench.last_run()), "--json")["trajectory_root"] == whole["trajectory_root"]


def kill_when(bench: Bench, process: subprocess.Popen[str], containers: int) -> None:
    """Kill a run with SIGKILL once it has so many containers; wait until nothing is left of them."""
    deadline = time.monotonic() + LONGEST_S
    while len(bench.containers()) < containers:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    while bench.containers():
        assert time.monotonic() < deadline, "a killed run's containers were not removed"
        time.sleep(0.1)
