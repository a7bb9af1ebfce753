"""A bundle whose image is played again and probed in the sandbox, as a leaderboard does with a stranger's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.conformance.run_checks import check_plugin
from harness.conformance.target import find_target
from harness.leaderboard import admission, signing
from harness.leaderboard.probing import CHECKS, found_by
from harness.leaderboard.submitting import Submission, examine, submit
from harness.running import runs
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.runtimes.docker_engine import Engine
from tests.conformance.toy_places import toy_places
from tests.docker import small_image
from tests.worldmodels.hub_folder import checkpoint

pytest.importorskip("numba")
pytest.importorskip("securesystemslib")

MODELS = '''
import os, time
import numpy as np
from dataclasses import replace
from harness.contracts.rollouts import Rollout
from harness.wire.sdk import WorldModel

class Honest(WorldModel):
    def imagine(self, request):
        return self.moved(request, 1 + int(sum(action.magnitude for action in request.candidate.actions)))
    def moved(self, request, by):
        frames = [np.roll(request.view, by * index, axis=1) for index in request.frames]
        return Rollout(request.id, np.stack(frames), request.camera)

class Drawing(Honest):
    def __init__(self, manifest):
        super().__init__(manifest)
        self.own = 1 + os.urandom(1)[0] % 100
    def imagine(self, request):
        return self.moved(request, self.own)

class Clocked(Honest):
    def imagine(self, request):
        return self.moved(request, 1 + int(time.time()) % 2)

class Writing(Honest):
    """Keeps what it was asked in the one place that it can write to."""
    def imagine(self, request):
        with open("/tmp/asked", "a") as file:
            file.write("x")
        return self.moved(request, 1 + os.path.getsize("/tmp/asked"))
'''
CHEATS = {"drawing": "probe-restart", "clocked": "probe-clock", "writing": "probe-call-order"}
FAMILY = '[family]\nname = "verified"\nlicence = "Apache-2.0"\n' + "".join(
    f'[[model]]\nname = "{name}"\nentry_point = "models:{name.title()}"\nconditioning = "numbers"\nmax_batch = 64\n'
    for name in ("honest", *CHEATS)
)
TEXT = "drand 5230141 8c1f5a0e"


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of four models, named by its digest: it was built here, so that this is its id."""
    if missing := small_image.fitting(engine.client):
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("image")
    (folder / "models.py").write_text(MODELS)
    (folder / "plugin.toml").write_text(FAMILY)
    (folder / "Dockerfile").write_text(
        f"FROM {small_image.build(engine.client)}\nCOPY models.py plugin.toml /plugin/\n"
        "ENV PYTHONPATH=/plugin:/opt/source:/opt/libraries\nLABEL wiw.test=1\n"
    )
    name = f"wiw-test/verified-{uuid.uuid4().hex[:8]}"
    engine.client.images.build(path=str(folder), tag=f"{name}:1", rm=True)
    yield f"{name}@{engine.client.images.get(f'{name}:1').id}"
    engine.client.images.remove(f"{name}:1")


@pytest.mark.parametrize("model", ["honest", *CHEATS])
def test_a_cheating_image_is_refused_by_its_code(image: str, model: str) -> None:
    only = tuple(check for check in CHECKS if check not in ("start view", "seed", "batch", "order"))
    report = check_plugin(find_target(image, model), lambda done, total, doing: None, toy_places(), only=only)
    found, reasons = found_by(image, report.results)
    assert {name for name, error in found.failures.items() if error != "it was not run"} == set()
    codes = {reason.code for reason in reasons}
    assert codes == set() if model == "honest" else CHEATS[model] in codes


def test_a_bundle_is_played_again_in_the_sandbox(
    image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = RunOptions("honest", "ignav", tier="easy", split="test", episodes="1", wm_image=image)
    run = runs.start(make_plan(options), tmp_path / "runs", run_id="one").path
    monkeypatch.setattr(admission, "ALL", "1")
    monkeypatch.setattr(admission, "_of_code", lambda run: ())
    key, bundle = tmp_path / "key.pem", tmp_path / "bundle.zip"
    signing.new_key(key)
    asked = Submission((run,), image, checkpoint(tmp_path / "weights"))
    submit(asked, examine(asked), key, bundle)
    words = ["--replay", "1", "--replay-randomness", TEXT, "--image", image, "--out", str(tmp_path / "out")]
    assert main(["verify", str(bundle), *words, "--workers", "1", "--json"]) == 0
    replay = json.loads(capsys.readouterr().out)["replay"]
    assert (replay["equal"], replay["technical"], replay["as_process"]) == (1, {}, False)
    assert replay["pairs"][0]["exact"] is True
