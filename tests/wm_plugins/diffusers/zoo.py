"""Loads any model of the zoo on a tiny saved pipeline, by the entry point that the service uses, and runs it bare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.rollouts import RolloutRequest
from harness.wire.host import load_class
from harness.worldmodels.catalog import CatalogEntry, load_catalog
from tests.wm_plugins.diffusers.saving import Saved

CATALOG = load_catalog()
MODELS = tuple(name for name in CATALOG.names() if "pipeline" in CATALOG.find(name).manifest.settings)
SHORT = {"ltx": 8, "cosmos": 4, "wan": 4, "svd": 4, "hunyuan": 4, "diffusers": 4}
"""Frames after the conditioning view in a test: one or two latents after the first."""
FORWARDS = (FORWARD, FORWARD, FORWARD)
HEIGHT, WIDTH = 32, 64
_ACTIONS = {
    FORWARD: Primitive(FORWARD, 0.2),
    TURN_LEFT: Primitive(TURN_LEFT, 22.5),
    TURN_RIGHT: Primitive(TURN_RIGHT, 22.5),
}
_OF_THE_REAL_SIZE = ("generation_height", "generation_width")


def view(number: int) -> RGB:
    """Return a random view."""
    return np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def request(
    id: int = 0,
    seed: int = 1,
    scene: int = 0,
    prompt: str = "move the camera forward",
    frames: tuple[int, ...] = (1, 2, 3),
    actions: tuple[str, ...] = FORWARDS,
) -> RolloutRequest:
    """Return a request for the rollout of ``actions`` from view ``scene``."""
    camera = Camera("pano", EQUIRECT, HEIGHT, WIDTH, 360.0, 1.25)
    candidate = Candidate(tuple(_ACTIONS[name] for name in actions))
    return RolloutRequest(id, seed, view(scene), camera, candidate, frames, prompt=prompt)


def tiny_manifest(name: str, saved: Saved, **settings: Any) -> ModelManifest:
    """Return the manifest of model ``name`` on tiny weights: fewer frames and steps, single precision, any size."""
    manifest = CATALOG.find(name).manifest
    kept = {key: value for key, value in manifest.settings.items() if key not in _OF_THE_REAL_SIZE}
    kept = {key: value for key, value in kept.items() if not key.startswith("dtype.")}
    if manifest.family == "cosmos":
        kept["guardrail"] = False
    return replace(
        manifest,
        height=0,
        width=0,
        steps=2,
        frames=SHORT[manifest.family],
        dtype="fp32",
        weights=str(saved.weights),
        base_checkpoint=Checkpoint(str(saved.base)),
        settings={**kept, "device": "cpu", **settings},
    )


def entry(name: str) -> CatalogEntry:
    """Return the catalog's entry of model ``name``."""
    return CATALOG.find(name)


def world_model(manifest: ModelManifest) -> Any:
    """Return the world model of ``manifest``, made as the service makes it."""
    return load_class(manifest.entry_point, ())(manifest)


def bare_pipeline(model: Any, saved: Saved) -> Any:
    """Return the pipeline of ``model`` again, by its own class alone."""
    cls = type(model.pipeline)
    options = {"safety_checker": model.pipeline.safety_checker} if hasattr(model.pipeline, "safety_checker") else {}
    pipeline = cls.from_pretrained(saved.base, **options)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def bare_frames(pipeline: Any, model: Any, asked: RolloutRequest, **options: Any) -> RGB:
    """Return all frames that the pipeline itself generates for ``asked``, as uint8 [T, H, W, 3]."""
    from video_diffusion.batching import Batch

    batch = Batch((asked,), model.manifest.frames + 1)
    arguments = model.call_arguments(batch, [])
    if isinstance(arguments.get("image"), list):
        arguments["image"] = arguments["image"][0]
    if model.prompt_outputs:
        arguments["prompt"] = asked.prompt
        if model.guided:
            arguments["negative_prompt"] = model.settings.negative_prompt
    torch.manual_seed(asked.seed)
    arguments.update(generator=torch.Generator().manual_seed(asked.seed), output_type="np", **options)
    video = pipeline(**arguments).frames[0]
    frames: RGB = (np.asarray(video) * 255).round().astype(np.uint8)
    return frames
