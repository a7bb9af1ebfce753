"""How fast a world model of the zoo is, against its bare pipeline; prints JSON.

    python -m tests.benchmarks.zoo_speed --wm FTcosmos --weights random --candidates 3 --compare-bare --service

Random weights of the real size cost what real ones cost, text encoder apart. Every number is the median of
``--repeats`` runs after one that is not counted. ``bare`` calls the pipeline once a candidate, as its documentation
shows; ``plugin`` asks the world model for all candidates at once; ``service`` asks it through the wire. Seconds are for
one rollout: a decision's time divided by its candidates.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import View
from harness.contracts.rollouts import RolloutRequest
from harness.throughput.scenarios import OFFLINE, Settings
from harness.throughput.serving import serving
from harness.wire.host import load_class
from harness.worldmodels.catalog import CatalogEntry, load_catalog
from harness.worldmodels.preparing import override
from harness.worldmodels.probe import AHEAD, LEFT, Place, Probe, RealView

SHARED_VIEW = 0
PANO = Camera("pano", EQUIRECT, 576, 1024, 360.0, 1.25)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wm", required=True, help="name in the catalog")
    parser.add_argument("--weights", default="random", help="random, hub or an absolute path")
    parser.add_argument("--candidates", type=int, default=3)
    parser.add_argument("--actions", type=int, default=5, help="actions of a candidate")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--eager", action="store_true", help="leave the compiled runs out")
    parser.add_argument("--compare-bare", action="store_true")
    parser.add_argument("--bare-candidates", type=int, default=0, help="candidates of the bare runs (0: all)")
    parser.add_argument(
        "--kernels", action="store_true", help="milliseconds of a step and a decoding by kind of kernel"
    )
    parser.add_argument("--service", action="store_true", help="ask through the wire, not in this process")
    parser.add_argument("--two-pass", action="store_true", help="guidance as the pipeline does it, in two passes")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, or steps, frames")
    return parser.parse_args(arguments)


def manifest_for(entry: CatalogEntry, choices: argparse.Namespace, **settings: Any) -> ModelManifest:
    """Return the manifest with the choices of the command line; noise is drawn on the device, as in the bare run."""
    merged: dict[str, Any] = {**entry.manifest.settings, "noise_device": "device", **settings}
    if choices.two_pass:
        merged["one_pass_guidance"] = False
    manifest = replace(entry.manifest, weights=choices.weights, settings=merged, max_batch=choices.candidates)
    return override(manifest, choices.set)[0]


def requests_for(manifest: ModelManifest, choices: argparse.Namespace) -> list[RolloutRequest]:
    """Return one decision: candidates of one view, each with its own seed and text."""
    noise = np.random.default_rng(SHARED_VIEW).integers(0, 256, (PANO.height, PANO.width, 3)).astype(np.uint8)
    probe = Probe(manifest, [Place("noise", View(PANO, noise), None, (RealView(0.0, 0.0, noise),))])
    candidates = [[AHEAD] * choices.actions for _ in range(choices.candidates)]
    for index, actions in enumerate(candidates):
        actions[1 + index % (choices.actions - 1)] = LEFT
    return [probe.request(actions, seed=100 + index, id=index) for index, actions in enumerate(candidates)]


def median_run(run: Callable[[], dict[str, float]], repeats: int) -> dict[str, float]:
    """Return the medians of what ``run`` measures, after one run that is not counted."""
    run()
    runs = [run() for _ in range(repeats)]
    return {name: round(statistics.median(each[name] for each in runs), 4) for name in runs[0]}


def ask(model: Any, requests: list[RolloutRequest]) -> dict[str, float]:
    """Return seconds a rollout: by phase and in all."""
    begin = time.perf_counter()
    rollouts = list(model.imagine_batch(requests))
    seconds = (time.perf_counter() - begin) / len(requests)
    phases = dict.fromkeys(("prompt", "encode", "denoise", "decode"), 0.0)
    for rollout in rollouts:
        if rollout.error:
            raise SystemExit(rollout.error)
        for name in phases:
            phases[name] += rollout.timings.get(name, 0.0) / len(requests)
    return {"rollout": seconds, **phases}


def bare(model: Any, requests: list[RolloutRequest]) -> dict[str, float]:
    """Return seconds a rollout of the pipeline alone, called once a candidate with the embeddings that are at hand."""
    import torch
    from video_diffusion.batching import Batch, generators
    from video_diffusion.devices import tensors_to

    def wait() -> float:
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        return time.perf_counter()

    vae = model.pipeline.vae
    decode, spent = vae.decode, [0.0]

    def timed(*arguments: Any, **options: Any) -> Any:
        begin = wait()
        result = decode(*arguments, **options)
        spent[0] += wait() - begin
        return result

    vae.decode = timed
    begin = wait()
    for request in requests:
        batch = Batch((request,), model.manifest.frames + 1)
        noise = generators([request.seed], model.device)
        arguments = {**model.call_arguments(batch, noise), **tensors_to(model.embedding(request), model.device)}
        model.pipeline(**{**arguments, "generator": noise[0], "output_type": "pt"})
    seconds = (wait() - begin) / len(requests)
    del vae.decode
    return {"rollout": seconds, "decode": spent[0] / len(requests)}


def kernels(model: Any, requests: list[RolloutRequest]) -> dict[str, Any]:
    """Return where the time of one call of the denoiser for all requests goes, and that of decoding one of them."""
    import torch
    from video_diffusion.devices import denoisers

    from tests.benchmarks.kernels import breakdown

    denoiser, decode, steps = denoisers(model.pipeline)[0], model.decode, model.steps
    calls: list[dict[str, Any]] = []
    decodings: list[tuple[Any, ...]] = []

    def noted(*given: Any) -> Any:
        decodings.append(given)
        return decode(*given)

    hook = denoiser.register_forward_pre_hook(lambda _, __, named: calls.append(named), with_kwargs=True)
    model.decode, model.steps = noted, 2
    try:
        ask(model, requests)
    finally:
        hook.remove()
        del model.decode
        model.steps = steps
    with torch.no_grad():
        return {
            "step": breakdown(lambda: denoiser(**calls[-1])),
            "decode": breakdown(lambda: model.decode(*decodings[-1])),
        }


def in_process(
    manifest: ModelManifest, requests: list[RolloutRequest], choices: argparse.Namespace, kernels_too: bool
) -> dict[str, Any]:
    """Return what one model costs in this process, and let go of it."""
    import torch

    cuda = torch.cuda.is_available()
    begin = time.perf_counter()
    model = load_class(manifest.entry_point, ())(manifest)
    row: dict[str, Any] = {"steps": manifest.steps, "frames": manifest.frames + 1}
    row.update(load_s=round(time.perf_counter() - begin, 2), warm_up_s=round(model.warm_up_s, 2))
    if not choices.service:
        row["plugin"] = median_run(partial(ask, model, requests), choices.repeats)
    if choices.compare_bare:
        row["bare"] = median_run(partial(bare, model, requests[: choices.bare_candidates or None]), choices.repeats)
    if choices.kernels and cuda and kernels_too:
        row["kernels"] = kernels(model, requests)
    if cuda:
        row["peak_memory_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
        del model
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    print(manifest.name, row, file=sys.stderr, flush=True)
    return row


def through_service(entry: CatalogEntry, manifest: ModelManifest, requests: list[RolloutRequest], repeats: int) -> Any:
    """Return what the same model costs as a service of its own process."""
    plan = replace(entry, manifest=manifest).service_spec(sys.executable)
    patient = Settings(OFFLINE, deadline_s=1800.0, start_s=1800.0)
    with serving([plan], manifest, patient, Path(f"/tmp/zoo_speed-{manifest.name}.log")) as session:
        return median_run(lambda: ask(session.models[0], requests), repeats)


def main() -> None:
    """Measure what the command line asks for, and print it."""
    choices = parsed()
    entry = load_catalog().find(choices.wm)
    sys.path[:0] = [str(folder) for folder in (entry.folder, *entry.shared)]
    import diffusers
    import torch

    cuda = torch.cuda.is_available()
    result: dict[str, Any] = {
        "wm": choices.wm,
        "weights": choices.weights,
        "candidates": choices.candidates,
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
    }
    for mode in ("eager",) if choices.eager else ("eager", "compiled"):
        manifest = manifest_for(entry, choices, compile=mode == "compiled")
        requests = requests_for(manifest, choices)
        result[mode] = row = in_process(manifest, requests, choices, kernels_too=mode == "compiled" or choices.eager)
    if choices.service:
        result["service"] = through_service(entry, manifest, requests, choices.repeats)
        if choices.compare_bare:
            result["rate_over_bare"] = round(row["bare"]["rollout"] / result["service"]["rollout"], 3)
            first = result["eager"]["bare"]["rollout"]
            result["rate_over_first_bare"] = round(first / result["service"]["rollout"], 3)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
