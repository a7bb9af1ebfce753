"""World models on several GPUs: workers take them in turn, a resume needs them again, roots do not depend on them."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import USAGE, main
from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import ModelManifest
from harness.records.folder import RunFolder
from harness.records.resuming import WM_GPU, needed
from harness.running import runs
from harness.running.continuing import Continuation, plan_again
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan, decode_plan, encode_plan
from harness.running.run_options import RunOptions
from harness.running.shared_model import SHARED, model_of_all, shared_logs
from harness.runtimes import gpus
from harness.runtimes.gpus import Gpu
from harness.runtimes.service import WORLD_MODEL, ContainerSpec, ServiceSpec
from harness.wire.client import Deadlines, WorldModelClient
from tests.running import fake
from tests.running.test_shared_model import request

A, B = "GPU-aaaa", "GPU-bbbb"
WARP = RunOptions("warp", "ignav", tier="easy", episodes="4", workers=3, wm_gpu="0,1")


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the driver of a machine with two GPUs; what computes on the CPU sees no difference."""
    monkeypatch.setattr(gpus, "list_gpus", lambda: (Gpu(0, A, "card"), Gpu(1, B, "card")))


def gpu_of(plan: RunPlan, worker: int) -> str:
    model = plan.of_worker(worker).world_model
    assert model is not None
    return model.container.gpu_uuid if model.container else model.environment_variables.get("CUDA_VISIBLE_DEVICES", "")


def test_workers_take_the_gpus_in_turn() -> None:
    plan = make_plan(WARP)
    assert decode_plan(encode_plan(plan)).model_gpus == (A, B)
    assert [gpu_of(plan, worker) for worker in range(3)] == [A, B, A]
    assert [gpu_of(make_plan(replace(WARP, wm_gpu="1")), worker) for worker in range(2)] == [B, B]
    assert gpu_of(make_plan(replace(WARP, wm_gpu="")), 0) == ""
    assert [gpu_of(make_plan(replace(WARP, wm_gpu=f"{B},0, 0")), worker) for worker in range(3)] == [B, A, A]
    boxed = ServiceSpec(WORLD_MODEL, "m", "a:B", container=ContainerSpec("i:1", "sha256:0"))
    in_boxes = replace(fake.plan(1, workers=2), world_model=boxed, model_gpus=(A, B))
    assert [gpu_of(in_boxes, worker) for worker in range(2)] == [A, B]


def test_gpus_change_nothing_that_a_run_asks() -> None:
    assert make_plan(WARP).identity == make_plan(replace(WARP, wm_gpu="")).identity


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"workers": 1}, "--wm-gpu names 2 GPUs, and --workers 1"),
        ({"wm_gpu": "0,2"}, "'2' names 0 GPUs"),
        ({"wm_gpu": "0,"}, "'' names"),
        ({"env_gpu": "0,1"}, "'0,1' names 0 GPUs"),
    ],
)
def test_what_cannot_be_spread_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(Refusal) as refused:
        make_plan(replace(WARP, **changes))  # type: ignore[arg-type]
    assert said in refused.value.what


def test_a_machine_without_them_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpus, "list_gpus", lambda: ())
    assert main(("--wm", "warp", "--task", "ignav", "--wm-gpu", "0,1")) == USAGE
    assert "this machine has none" in capsys.readouterr().err


def test_a_resume_needs_the_gpus_again_and_may_have_others(tmp_path: Path) -> None:
    plan = make_plan(WARP)
    assert f"{WM_GPU}={A},{B}" in plan.again
    folder = RunFolder.open(runs.create(plan, tmp_path).path)
    assert WM_GPU in needed(folder.record) and A not in (folder.path / "run.json").read_text()
    with pytest.raises(Refusal, match=WM_GPU):
        plan_again(folder, Continuation())
    continued = plan_again(folder, Continuation(wm_gpu=f"{A},{B}"))
    assert (continued.identity, continued.model_gpus, continued.again) == (plan.identity, (A, B), plan.again)
    assert plan_again(folder, Continuation(wm_gpu="1")).model_gpus == (B,)


def test_workers_that_share_a_model_share_that_of_their_gpu(tmp_path: Path) -> None:
    family = tmp_path / "copier"
    family.mkdir()
    shutil.copy(Path(__file__).with_name("batching_plugin.py"), family)
    (family / "plugin.toml").write_text(
        '[family]\nname = "copier"\nentry_point = "batching_plugin:Copier"\n[[model]]\nname = "copier"\nmax_batch = 2\n'
    )
    plan = make_plan(replace(WARP, wm="copier", plugins=(family,), batch_episodes=60_000.0))
    assert plan.sharers == 2
    folder = runs.create(plan, tmp_path / "runs")
    with model_of_all(folder, plan) as told:
        (of_a,), (of_b,), again = (told.of_worker(worker).model_sockets for worker in range(3))
        assert again == (of_a,) != (of_b,)

        def asked(socket: str) -> int:
            manifest = from_plain(ModelManifest, dict(plan.identity.wm_manifest))
            client = WorldModelClient(socket, Deadlines(imagine_s=60.0), expected=manifest)
            try:
                (rollout,) = client.imagine_batch([request(0)])
            finally:
                client.close()
            assert rollout.timings["batch"] == (2.0 if socket == of_a else 1.0), "who shares it is waited for, no other"
            return int(rollout.timings["pid"])

        with ThreadPoolExecutor(3) as threads:
            pids = list(threads.map(asked, (of_a, of_b, of_a)))
        assert pids[0] == pids[2] != pids[1]
        for pid, gpu in zip(pids, (A, B, A), strict=True):
            assert f"CUDA_VISIBLE_DEVICES={gpu}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert [shared_logs(folder, plan, worker).name for worker in range(3)] == [
        f"{SHARED}-0",
        f"{SHARED}-1",
        f"{SHARED}-0",
    ]
    assert all((shared_logs(folder, plan, worker) / "world_model.log").exists() for worker in range(3))


@pytest.mark.slow
def test_roots_do_not_depend_on_the_gpus(tmp_path: Path) -> None:
    words = ("--wm", "warp", "--task", "ignav", "--tier", "easy", "--episodes", "4", "--workers", "2", "--json")
    roots = set()
    for number, more in enumerate(((), ("--wm-gpu", "0,1"), ("--wm-gpu", "0,1", "--batch-episodes", "5"))):
        out = tmp_path / str(number)
        assert main((*words, *more, "--out", str(out))) == 0
        (path,) = (file.parent for file in out.glob("*/run.json"))
        folder = RunFolder.open(path)
        roots.add(frozenset((row.key.episode, row.result.trajectory_digest) for row in folder.rows()))
        assert len(folder.rows()) == 4
    assert len(roots) == 1
