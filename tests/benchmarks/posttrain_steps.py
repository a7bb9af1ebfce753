"""What a step of post-training costs, by recipe, at the real size with random weights; prints one JSON line a recipe.

    python -m tests.benchmarks.posttrain_steps --limit 150
    python -m tests.benchmarks.posttrain_steps --recipes FTltx FTwan22 --batch 2 --steps 30

Clips of noise are prepared by the trainee itself (texts have random embeddings), then one batch is trained on for
``--steps`` steps with the same noise, so that its loss has to fall. ``step_s`` is the median of forward pass, backward
pass and update of one batch, the first two steps apart; ``hours`` are those of the recipe's clips at that speed. The
learning rate rises to the recipe's over these steps, since random weights bear less than trained ones. Each recipe
runs in a process of its own, so that one that fails or takes too long ends alone; the next one's imports its packages
meanwhile. Recipes whose weights and moments need several GPUs (`SHARDED`) run only where they are named.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import platform
import queue
import statistics
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts.actions import Action, Primitive, navigation_space
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.manifests import ModelManifest
from harness.contracts.training import LOSS, ActionUse, TrainingClip
from harness.posttraining.recipe import BF16, Recipe, read_recipe, recipe_files
from harness.posttraining.sources import trainee_class
from harness.worldmodels.catalog import CatalogEntry, load_catalog
from harness.worldmodels.conditioning import conditioning_of

SHARDED = ("FTwan21-full", "FTwan22-14B-full")
PUBLISHED = {
    "FTsvd": {"peak_gb": 84, "h100_hours": 29},
    "FTltx": {"peak_gb": 61, "h100_hours": 5},
    "FTcosmos": {"peak_gb": 71, "h100_hours": 15},
    "FTwan21": {"peak_gb": 57, "h100_hours": 74},
}
"""What the study of arXiv 2510.18135 reports of its trainers for about 40,000 clips at the same sizes."""
PACKAGES = ("torch", "diffusers", "transformers", "peft")
NOT_COUNTED = 2
"""First steps: kernels are chosen and memory is taken in them."""


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="*", default=[], help="names; all of the video families if left out")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=1, help="clips of a batch (0: as many as the recipe says)")
    parser.add_argument("--limit", type=float, default=150.0, help="seconds a recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="tiny networks on the processor, to try this script")
    return parser.parse_args(arguments)


def recipes() -> dict[str, tuple[Recipe, CatalogEntry]]:
    """Return the video families' recipes by name, with the entry of the model that comes out."""
    catalog = load_catalog()
    known = {name: read_recipe(file)[0] for name, (file, _) in recipe_files(catalog).items()}
    entries = {name: catalog.find(recipe.model) for name, recipe in known.items()}
    return {n: (known[n], entry) for n, entry in entries.items() if "pipeline" in entry.manifest.settings}


def clip(manifest: ModelManifest, number: int, height: int, width: int) -> TrainingClip:
    """Return a clip of noise: a walk with a turn after every third step, and its prompt."""
    forward, left, *_ = navigation_space().primitives
    actions: tuple[Action, ...] = tuple(_turned(left, number) if i % 3 == 2 else forward for i in range(13))
    frames = np.random.default_rng(number).integers(0, 256, (14, height, width, 3), dtype=np.uint8)
    prompt = conditioning_of(manifest).prompt(actions, navigation_space())
    camera = Camera("pano", EQUIRECT, height, width, 360.0, 1.25)
    return TrainingClip(f"noise {number}", frames, camera, actions, prompt=prompt)


def _turned(left: Primitive, number: int) -> Primitive:
    return left if number % 2 == 0 else Primitive("turn_right", left.magnitude)


def trainee(entry: CatalogEntry, recipe: Recipe, device: Any, choices: argparse.Namespace) -> Any:
    """Return the recipe's trainee with random weights of the real size, or on a tiny pipeline."""
    from harness.posttraining.optimizing import adapt

    cls = trainee_class(recipe, entry)
    manifest, weights = entry.manifest, None
    if choices.tiny:
        tiny, weights = tiny_pipeline(manifest.name)
        manifest = replace(tiny, dtype=manifest.dtype)
    made = cls(manifest, recipe.settings, weights, device, choices.seed)
    adapt(made, recipe)
    return made


@lru_cache
def tiny_pipeline(name: str) -> tuple[ModelManifest, Any]:
    """Save a tiny pipeline of the model's family; return its manifest and its folder."""
    import tests.wm_plugins.diffusers.conftest  # noqa: F401 - puts the families' folders on the path
    from tests.wm_plugins.diffusers.saving import SavedPipelines
    from tests.wm_plugins.diffusers.zoo import tiny_manifest

    saved = SavedPipelines(Path(tempfile.mkdtemp())).published(name)
    return tiny_manifest(name, saved), saved.base


def measured(name: str, choices: argparse.Namespace) -> dict[str, Any]:
    """Return what some steps of recipe ``name`` cost."""
    import torch

    recipe, entry = recipes()[name]
    device = torch.device("cuda" if torch.cuda.is_available() and not choices.tiny else "cpu")
    made = trainee(entry, recipe, device, choices)
    height, width = (32, 64) if choices.tiny else (made.manifest.height, made.manifest.width)
    count = choices.batch or recipe.training.batch_size
    began = time.perf_counter()
    prepared = [made.prepare(clip(made.manifest, number, height, width)) for number in range(count)]
    prepare_s = (time.perf_counter() - began) / count
    prepare_gb = peak_gb(device)
    batch = {key: torch.stack([each[key] for each in prepared]).to(device) for key in prepared[0]}
    del prepared
    times, losses = steps(made, recipe, batch, device, choices)
    step_s = statistics.median(times[NOT_COUNTED:] or times)
    clips = recipe.training.steps * recipe.training.batch_size * recipe.training.accumulate
    return {
        "recipe": name,
        "batch": count,
        "step_s": round(step_s, 4),
        "hours": round(clips * step_s / count / 3600.0, 1),
        "clips": clips,
        "peak_gb": round(peak_gb(device), 2),
        "published": PUBLISHED.get(name),
        "loss": [round(losses[0], 5), round(losses[-1], 5)],
        "lowest": round(min(losses), 5),
        "fell": losses[-1] < losses[0],
        "steps": len(losses),
        "trained": sum(p.numel() for p in made.module().parameters() if p.requires_grad),
        "parameters": sum(p.numel() for p in made.module().parameters()),
        "prepare_s": round(prepare_s, 3),
        "prepare_gb": round(prepare_gb, 2),
        "kept_mb": round(sum(v.numel() * v.element_size() for v in batch.values()) / count / 2**20, 2),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "versions": {package: version(package) for package in PACKAGES},
    }


def steps(
    made: Any, recipe: Recipe, batch: dict[str, Any], device: Any, choices: argparse.Namespace
) -> tuple[list[float], list[float]]:
    """Train on ``batch``; return the seconds and the loss of each step."""
    import torch

    from harness.posttraining.optimizing import arrange, make_optimizer

    arrange(made, recipe)
    training = recipe.training
    trained = [p for p in made.module().parameters() if p.requires_grad]
    optimizer = make_optimizer(trained, training, device.type == "cuda")
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times, losses = [], []
    for step in range(choices.steps):
        began = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * (step + 1) / choices.steps
        draws = torch.Generator(device).manual_seed(choices.seed)
        with torch.autocast(device.type, torch.bfloat16, enabled=training.precision == BF16):
            loss = made.loss(batch, ActionUse.CORRECT, draws)[LOSS]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, training.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))  # waits for the device
        times.append(time.perf_counter() - began)
    return times, losses


def peak_gb(device: Any) -> float:
    """Return the most memory of the GPU that was in use since it was last asked to forget; 0 for a CPU."""
    import torch

    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0


class Measuring:
    """A process that measures one recipe when it is let go, and is ended after the limit."""

    def __init__(self, name: str, choices: argparse.Namespace) -> None:
        context = multiprocessing.get_context("spawn")  # a process that parts from this one may not use the GPU
        self._name, self._limit = name, choices.limit
        self._go, self._answers = context.Event(), context.Queue()
        self._process = context.Process(target=_measure, args=(name, choices, self._go, self._answers), daemon=True)
        self._process.start()

    def answer(self) -> dict[str, Any]:
        """Let the process go; return what it measured, or why there is nothing."""
        began = time.perf_counter()
        self._go.set()
        found: dict[str, Any] = {"recipe": self._name, "error": f"not done within {self._limit:g} s"}
        while time.perf_counter() - began < self._limit:
            ended = not self._process.is_alive()
            try:
                found = self._answers.get(timeout=0.5)
                break
            except queue.Empty:
                if ended:
                    found["error"] = f"the process ended with code {self._process.exitcode}"
                    break
        self._process.join(5)
        self._process.kill()
        self._process.join()
        return {**found, "took_s": round(time.perf_counter() - began, 1)}


def _measure(name: str, choices: argparse.Namespace, go: Any, answers: Any) -> None:
    try:
        for package in PACKAGES:
            importlib.import_module(package)
        go.wait()
        answers.put(measured(name, choices))
    except BaseException as error:  # whatever it is, the next recipe has its turn
        traceback.print_exc(file=sys.stderr)
        answers.put({"recipe": name, "error": f"{type(error).__name__}: {str(error)[:400]}"})


def main() -> None:
    """Measure what the command line asks for, one recipe after the other."""
    choices = parsed()
    known = recipes()
    names = choices.recipes or [name for name in known if name not in SHARDED]
    wrong = sorted(set(names) - set(known))
    if wrong:
        sys.exit(f"there is no recipe {wrong[0]!r}; known: {', '.join(known)}")
    coming = [Measuring(name, choices) for name in names[:1]]
    for number in range(len(names)):
        coming += [Measuring(name, choices) for name in names[number + 1 : number + 2]]
        print(json.dumps(coming[number].answer()), flush=True)


if __name__ == "__main__":
    main()
