"""How much faster several GPUs post-train than one: the real training loop on clips of noise with random weights.

    python -m tests.benchmarks.posttrain_gpus FTltx --clips 4
    accelerate launch --num_processes 2 --mixed_precision bf16 -m tests.benchmarks.posttrain_gpus FTltx --clips 4
    accelerate launch --num_processes 2 --use_fsdp --fsdp_version 2 -m tests.benchmarks.posttrain_gpus FTwan21-full

Each process trains on ``--clips`` clips a step, so two have twice the batch of one: ``clips_s`` of both over that of
one is the gain. ``step_s`` is the median of ``--rounds`` rounds of ``--steps`` steps, each after a step that warms up.
The main process prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.benchmarks.posttrain_steps import PACKAGES, clip, recipes, tiny_pipeline, trainee


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="name of a recipe of a video family")
    parser.add_argument("--clips", type=int, default=1, help="clips of a process in a step")
    parser.add_argument("--steps", type=int, default=10, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="tiny networks on the processor, to try this script")
    return parser.parse_args(arguments)


def measured(choices: argparse.Namespace) -> dict[str, Any]:
    """Return what a step costs in as many processes as were launched."""
    import platform
    from importlib.metadata import version

    import torch

    from harness.posttraining.optimizing import arrange
    from harness.posttraining.pipeline import make_accelerator
    from harness.posttraining.preparing import Prepared
    from harness.posttraining.training import Trainer, memory_gb

    recipe, entry = recipes()[choices.recipe]
    if choices.tiny:
        tiny_pipeline(entry.manifest.name)  # before processes know of each other: then only the first one saves
    accelerator = make_accelerator(SimpleNamespace(recipe=recipe))  # type: ignore[arg-type]
    processes, device = accelerator.num_processes, accelerator.device
    made = trainee(entry, recipe, device, choices)
    height, width = (32, 64) if choices.tiny else (made.manifest.height, made.manifest.width)
    count = choices.clips * processes
    noise = [made.prepare(clip(made.manifest, number, height, width)) for number in range(count)]
    clips = Prepared({key: torch.stack([each[key] for each in noise]).to(device) for key in noise[0]}, device)
    arrange(made, recipe)
    few = replace(recipe, training=replace(recipe.training, batch_size=count, accumulate=1))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(made, few, clips, choices.seed, accelerator, Path(folder))
        step_s = statistics.median(trainer.trial(choices.steps) for _ in range(choices.rounds))
    return {
        "recipe": choices.recipe,
        "processes": processes,
        "parallel": accelerator.distributed_type.value,
        "clips": choices.clips,
        "step_s": round(step_s, 4),
        "clips_s": round(count / step_s, 3),
        "peak_gb": round(memory_gb(device), 2),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "versions": {package: version(package) for package in (*PACKAGES, "accelerate")},
        "main": accelerator.is_main_process,
    }


def main() -> None:
    """Measure and print, once."""
    found = measured(parsed())
    if found.pop("main"):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
