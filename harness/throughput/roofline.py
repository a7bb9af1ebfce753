"""The share of a card that a decision uses: FLOP by the shapes of its tensors over the most that this card can do.

The model runs in its service, whose operations nobody counts. So a process of the service's own interpreter loads it
once more, after the service has stopped, counts the operations of one decision (uncompiled: a compiled kernel shows no
shapes), and measures what a product of large matrices reaches there. What is counted is not computed: shapes tell its
cost, and zeros stand for its result, so that counting takes less time than the decision did.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.runtimes.interpreters import module_command
from harness.runtimes.service import ServiceSpec
from harness.throughput.decisions import Decision, Decisions, Purpose, Situation, space_of
from harness.throughput.measuring import Findings
from harness.throughput.results import Roofline
from harness.throughput.scenarios import Settings
from harness.wire.codec.messages import parse
from harness.wire.codec.rollouts import read_batch, write_batch
from harness.worldmodels.imaginer import PluginImaginer

COUNT_S = 1800.0
COMPILE = "compile"
"""The setting by which families of the project compile."""

SIDE = 8192
REPEATS = 10


def roofline_of(
    plan: ServiceSpec, manifest: ModelManifest, situations: Sequence[Situation], settings: Settings, found: Findings
) -> Roofline:
    """Return the share of its card that a measured model used; where there is none, why."""
    if not settings.roofline:
        return Roofline(reason="not asked for (--no-roofline)")
    if not found.resources.gpus:
        return Roofline(reason=found.resources.reasons.get("gpu_bytes", "no GPU is used"))
    if plan.container is not None:
        return Roofline(reason="the operations of a model in a container are not counted")
    if found.replicas > len(found.resources.gpus):
        return Roofline(reason="several replicas share a GPU, so that a decision's seconds are not its alone")
    decision = Decisions(manifest, situations, settings.seed, settings.candidates)(Purpose.MEASURE, 0)
    counted = count_apart(plan, manifest, decision)
    decision_s = sum(found.split_s.values())
    if "reason" in counted or not decision_s:
        return Roofline(reason=str(counted.get("reason", "nothing was answered")))
    flop, peak = float(counted["flop"]), float(counted["peak"])
    return Roofline(flop, peak, flop / decision_s / peak)


def count_apart(plan: ServiceSpec, manifest: ModelManifest, decision: Decision) -> dict[str, Any]:
    """Return ``flop`` of a decision and ``peak`` FLOP/s of the card, counted in another process, or a ``reason``."""
    batches = requests_of(manifest, decision)
    eager = {**plan.manifest, "settings": {**plan.manifest["settings"]}}
    if COMPILE in eager["settings"]:
        eager["settings"][COMPILE] = False
    with tempfile.TemporaryDirectory(prefix="wiw-count-") as folder:
        spec = {"entry_point": plan.entry_point, "path": list(plan.path), "manifest": eager, "batches": len(batches)}
        (Path(folder) / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        for number, batch in enumerate(batches):
            (Path(folder) / f"{number}.bin").write_bytes(write_batch(batch).serialized())
        command = [*module_command(plan.python or sys.executable, __name__), folder]
        variables = {**os.environ, **plan.environment_variables}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COUNT_S, env=variables)
        except subprocess.TimeoutExpired:
            return {"reason": f"counting operations took more than {COUNT_S:g} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"reason": f"operations could not be counted: {last}"}
    counted: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return counted


def requests_of(manifest: ModelManifest, decision: Decision) -> list[list[RolloutRequest]]:
    """Return the batches of requests that a decision is asked with."""
    seen = _Noting()
    PluginImaginer(seen, manifest, space_of(manifest)).imagine(
        decision.view, decision.candidates, decision.frames, decision.seeds, earlier=decision.earlier
    )
    return seen.batches


class _Noting:
    """A model that notes what it is asked and answers with the view."""

    def __init__(self) -> None:
        self.batches: list[list[RolloutRequest]] = []

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.batches.append(list(requests))
        for request in requests:
            yield Rollout(request.id, request.view[None].repeat(len(request.frames), 0), request.camera)


def flop_of(model: Any, batches: Sequence[Sequence[RolloutRequest]]) -> int:
    """Return the floating-point operations of all batches by their shapes, a multiplication and an addition being 2."""
    with counting() as counted:
        for batch in batches:
            for rollout in model.imagine_batch(batch):
                if rollout.error:
                    raise SystemExit(rollout.error)
    return sum(counted)


@contextmanager
def counting() -> Iterator[list[int]]:
    """Note the floating-point operations of each product, attention and convolution inside, and leave it out."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_map_only
    from torch.utils.flop_counter import flop_registry

    counted: list[int] = []

    class Counting(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            named = kwargs or {}
            formula = flop_registry.get(func._overloadpacket)
            if formula is None:
                return func(*args, **named)
            first = next(each for each in args if isinstance(each, torch.Tensor))
            shapes = tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), (args, named))
            try:
                result = func(*shapes[0], **shapes[1])
            except NotImplementedError:
                result = func(*args, **named)
            counted.append(int(formula(*args, **named, out_val=result)))
            return tree_map_only(torch.Tensor, lambda tensor: torch.zeros_like(tensor, device=first.device), result)

    with Counting():
        yield counted


def peak_flop_per_s(dtype: str) -> float:
    """Return the most FLOP/s that products of large square matrices of ``dtype`` reached on the GPU."""
    import torch

    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(dtype, torch.float32)
    one, other = (torch.randn(SIDE, SIDE, device="cuda").to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(REPEATS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        one @ other
        end.record()
        torch.cuda.synchronize()
        best = min(best, begin.elapsed_time(end) / 1000.0)
    return float(2 * SIDE**3 / best)


def main(folder: Path) -> None:
    """Count what `count_apart` has written into ``folder``, and print it."""
    from harness.contracts.from_plain import from_plain
    from harness.wire.host import load_class

    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    manifest: ModelManifest = from_plain(ModelManifest, spec["manifest"])
    files = (folder / f"{number}.bin" for number in range(spec["batches"]))
    batches = [read_batch(parse("WorldModelImagineRequest", file.read_bytes())) for file in files]
    model = load_class(spec["entry_point"], spec["path"])(manifest)
    flop = flop_of(model, batches) if "torch" in sys.modules else 0
    if not flop:
        print(json.dumps({"reason": "the model computes with other libraries than torch"}))
        return
    print(json.dumps({"flop": flop, "peak": peak_flop_per_s(manifest.dtype)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
