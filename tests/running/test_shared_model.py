"""One world model for all workers: equal roots, its faults told to whom they concern, and a fresh start after them."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from harness.cli.app import main
from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import Camera
from harness.contracts.errors import ModelFault, ModelTimeout, Refusal, SpecMismatch
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.records.errors import RecordError
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.continuing import Continuation, plan_again
from harness.running.make_plan import make_plan
from harness.running.plan import Patience, RunPlan
from harness.running.run_options import BATCH_DEPENDENT, RunOptions
from harness.running.sameness import check_same
from harness.running.shared_model import SHARED, model_of_all
from harness.running.submitted_model import SubmittedModel, waiting_deadlines
from harness.runtimes.sockets import processes_naming
from harness.studies.shipped_references import shipped_references
from harness.wire.client import WorldModelClient
from harness.worldmodels.strangers import UNSANDBOXED
from tasks.suite import load_suite
from tests.running.batching_plugin import DIES, FAILS, HANGS

pytest.importorskip("numba")

WARP = RunOptions("warp", "ignav", tier="easy", episodes="4", workers=2, batch_episodes=5.0)
VIEW = np.full((4, 8, 3), 7, np.uint8)


def request(number: int, seed: int = 0) -> RolloutRequest:
    camera = Camera("pano", "equirect", 4, 8, 360.0, 1.25)
    return RolloutRequest(number, seed, VIEW, camera, Candidate((Primitive(FORWARD, 0.2),)), (1,))


@dataclass(frozen=True)
class Shared:
    """A run folder, the plan of its workers, and a way to ask as they do."""

    folder: RunFolder
    plan: RunPlan

    def ask(self, *seeds: int, patience_s: float = 60.0) -> list[Rollout]:
        manifest = from_plain(ModelManifest, dict(self.plan.identity.wm_manifest))
        deadlines = replace(waiting_deadlines(self.plan), imagine_s=patience_s)
        client = WorldModelClient(self.plan.model_sockets[0], deadlines, expected=manifest)
        try:
            return list(SubmittedModel(client).imagine_batch([request(n, seed) for n, seed in enumerate(seeds)]))
        finally:
            client.close()


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin, of which nobody promises that batches do not matter."""
    folder = tmp_path_factory.mktemp("batching") / "copier"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("batching_plugin.py"), folder)
    (folder / "plugin.toml").write_text(
        '[family]\nname = "copier"\nentry_point = "batching_plugin:Copier"\n[[model]]\nname = "copier"\nmax_batch = 4\n'
    )
    return folder


@pytest.fixture(scope="module")
def shared(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """The service of a run that two workers share; calls end after 2 s."""
    options = replace(WARP, wm="copier", plugins=(plugin,), batch_episodes=60_000.0, patience=Patience(timeout_s=2.0))
    plan = make_plan(options)
    folder = runs.create(plan, tmp_path_factory.mktemp("runs"))
    with model_of_all(folder, plan) as told:
        yield Shared(folder, told)
    assert not processes_naming(Path(told.model_sockets[0]).parent)


def together(shared: Shared, *calls: tuple[int, ...]) -> list[list[Rollout] | Exception]:
    """Return what two callers get that ask at the same time."""

    def answer(seeds: tuple[int, ...]) -> list[Rollout] | Exception:
        try:
            return shared.ask(*seeds)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(answer, calls))


def test_two_workers_are_asked_for_in_one_batch_and_a_bad_rollout_is_ones_own(shared: Shared) -> None:
    bad, good = together(shared, (FAILS, 0), (1, 2))
    assert isinstance(bad, list) and isinstance(good, list)
    assert sorted(rollout.error for rollout in bad) == ["", "no such view."]
    assert [rollout.timings["batch"] for rollout in good] == [4.0, 4.0]
    assert all((rollout.rgb == VIEW).all() for rollout in good)


def test_a_worker_that_goes_away_keeps_nobody_waiting(shared: Shared) -> None:
    with pytest.raises(ModelTimeout):
        shared.ask(1, 2, patience_s=0.2)
    assert len(shared.ask(3)) == 1, "what it left behind is another caller: nobody else can come"


def test_a_model_that_dies_fails_who_waits_for_it_with_the_reason_and_is_started_again(shared: Shared) -> None:
    before = shared.ask(0, 0, 0, 0)[0].timings["pid"]
    answers = together(shared, (DIES, 0), (0, 0))
    assert all(isinstance(answer, ModelFault) and "SIGKILL" in str(answer) for answer in answers)
    assert shared.ask(0, 0, 0, 0)[0].timings["pid"] != before


def test_a_model_that_is_killed_while_idle_fails_one_batch(shared: Shared) -> None:
    pid = int(shared.ask(0, 0, 0, 0)[0].timings["pid"])
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ModelFault, match="SIGKILL"):
        shared.ask(0, 0, 0, 0)
    assert shared.ask(0, 0, 0, 0)[0].timings["pid"] != pid


def test_a_model_that_hangs_is_late_for_who_waits_and_stopped(shared: Shared) -> None:
    pid = int(shared.ask(0, 0, 0, 0)[0].timings["pid"])
    answers = together(shared, (HANGS, 0), (0, 0))
    assert all(isinstance(answer, ModelTimeout) and "--timeout" in str(answer) for answer in answers)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    log = (shared.folder.logs / SHARED / "world_model.log").read_text()
    assert "batching_plugin.py" in log, "where it hung is in its log"


def test_the_mode_is_part_of_the_identity_and_stamped_where_nothing_is_promised(plugin: Path, tmp_path: Path) -> None:
    plain = make_plan(replace(WARP, batch_episodes=None))
    merged = make_plan(WARP)
    assert (plain.identity.batch_wait_ms, merged.identity.batch_wait_ms) == (None, 5.0)
    assert plain.identity.stamps == () and merged.identity.stamps == (BATCH_DEPENDENT,)
    assert merged.episode_s() == 2 * plain.episode_s()
    assert (plain.sharers, merged.sharers) == (1, 2)
    promised = tmp_path / "promised"
    shutil.copytree(plugin, promised)
    with (promised / "plugin.toml").open("a") as file:
        file.write("batch_invariant = true\n")
    assert make_plan(replace(WARP, wm="copier", plugins=(promised,))).identity.stamps == (UNSANDBOXED,)
    folder = RunFolder.open(runs.create(merged, tmp_path).path)
    assert plan_again(folder, Continuation()).identity == folder.identity
    with pytest.raises(SpecMismatch, match=r"batch_wait_ms was 5\.0 and is None"):
        check_same(folder.identity, plain.identity)
    record = json.loads((folder.path / "run.json").read_text())
    record["identity"]["batch_wait_ms"] = -5.0
    (folder.path / "run.json").write_text(json.dumps(record))
    with pytest.raises(RecordError, match="damaged"):
        RunFolder.open(folder.path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch_episodes": -1.0}, "--batch-episodes -1 is not in 0..60000"),
        ({"batch_episodes": float("nan")}, "--batch-episodes nan"),
        ({"wm": "gtsim"}, "gtsim has no service"),
    ],
)
def test_what_cannot_be_batched_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(Refusal) as refused:
        make_plan(replace(WARP, **changes))  # type: ignore[arg-type]
    assert told in refused.value.what


@pytest.mark.slow
def test_every_episode_ends_as_without_the_mode(tmp_path: Path) -> None:
    words = ("--wm", "warp", "--task", "ignav", "--tier", "easy", "--episodes", "3", "--workers", "2")
    assert main((*words, "--batch-episodes", "5", "--out", str(tmp_path), "--json")) == 0
    (path,) = (file.parent for file in tmp_path.glob("*/run.json"))
    folder = RunFolder.open(path)
    results = json.loads((path / "results.json").read_text())
    assert results["batch_wait_ms"] == 5.0 and results["stamps"] == [BATCH_DEPENDENT]
    plain = make_plan(replace(WARP, batch_episodes=None)).identity
    shipped = {row.episode: row for row in shipped_references(load_suite("embedded-v1"), plain)["warp"].results}
    played = {row.result.episode: row.result for row in folder.rows()}
    assert len(played) == 3
    for name, result in played.items():
        assert result.trajectory_digest == shipped[name].trajectory_digest
    logs = list((folder.logs).rglob("world_model.log"))
    assert [log.parent.name for log in logs] == [SHARED], "one service for all workers"
