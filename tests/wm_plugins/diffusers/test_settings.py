"""What a manifest may say, what is refused, and the messages about weights that are not here."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomllib

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import torch

from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, RANDOM, Checkpoint
from tests.wm_plugins.diffusers.saving import Saved, SavedPipelines
from tests.wm_plugins.diffusers.zoo import (
    CATALOG,
    MODELS,
    bare_frames,
    bare_pipeline,
    request,
    tiny_manifest,
    world_model,
)

NOWHERE = Saved(Path("/nowhere/base"), Path("/nowhere/weights"))


@pytest.fixture(scope="module")
def ltx(pipelines: SavedPipelines) -> Saved:
    return pipelines.published("ltx")


def test_unknown_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(Refusal, match=r"negative_promt.*negative_prompt"):
        world_model(tiny_manifest("ltx", NOWHERE, negative_promt="blur"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compile": "yes"}, "compile"),
        ({"part": "vae"}, "part"),
        ({"noise_device": "disk"}, "noise_device"),
        ({"generation_height": 64}, "generation_height and generation_width"),
        ({"pipeline": "NoSuchPipeline"}, "NoSuchPipeline"),
        ({"dtype.vae": "fp8"}, "fp8"),
        ({"device": "toaster"}, "toaster"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        world_model(tiny_manifest("ltx", NOWHERE, **settings))


def test_unknown_argument_of_the_pipeline_is_refused(ltx: Saved) -> None:
    with pytest.raises(Refusal, match="no_such_argument"):
        world_model(tiny_manifest("ltx", ltx, **{"call.no_such_argument": 1}))


def test_unknown_attention_backend_is_refused(ltx: Saved) -> None:
    with pytest.raises(Refusal, match="no_such_backend"):
        world_model(tiny_manifest("ltx", ltx, attention="no_such_backend"))


def test_missing_folder_is_named() -> None:
    with pytest.raises(Refusal, match="/nowhere/weights"):
        world_model(tiny_manifest("ltx", NOWHERE))


def test_missing_hub_weights_say_what_where_from_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    manifest = replace(tiny_manifest("svd", NOWHERE), weights=FROM_HUB, download_gb=9.0, base_checkpoint=Checkpoint())
    with pytest.raises(Refusal) as refused:
        world_model(manifest)
    for part in ("'svd'", "stable-video-diffusion-img2vid", "9 GB", "Stability AI", "hf download", "9cf024d5"):
        assert part in str(refused.value)


def test_post_trained_model_without_published_weights_says_so() -> None:
    manifest = replace(CATALOG.find("FTcosmos").manifest, weights=FROM_HUB)
    manifest = replace(manifest, settings={**manifest.settings, "guardrail": False, "device": "cpu"})
    with pytest.raises(Refusal, match="no weights of 'FTcosmos' are published"):
        world_model(manifest)


def test_cosmos_asks_for_its_guardrail() -> None:
    if importlib.util.find_spec("cosmos_guardrail") is not None:
        pytest.skip("cosmos_guardrail is installed")
    manifest = tiny_manifest("cosmos20", NOWHERE)
    with pytest.raises(Refusal, match=r"cosmos_guardrail.*guardrail=false"):
        world_model(replace(manifest, settings={**manifest.settings, "guardrail": True}))


def test_noise_in_the_decoder_is_that_of_the_pipeline(ltx: Saved) -> None:
    noisy = world_model(tiny_manifest("ltx", ltx, decode_timestep=0.05, decode_noise_scale=0.025))
    pipeline = bare_pipeline(noisy, ltx)
    asked = request(0, 5)
    expected = bare_frames(pipeline, noisy, asked, decode_timestep=0.05, decode_noise_scale=0.025)
    assert np.array_equal(noisy.imagine(asked).rgb, expected[[1, 2, 3]])


def test_size_of_generation_is_not_that_of_the_view(ltx: Saved) -> None:
    larger = world_model(tiny_manifest("ltx", ltx, generation_height=64, generation_width=64))
    assert larger.imagine(request(0, 5)).rgb.shape == (3, 32, 64, 3)


def test_length_follows_the_candidate_where_it_is_free(ltx: Saved) -> None:
    free = world_model(replace(tiny_manifest("ltx", ltx, frame_multiple=4), frames=8))
    lengths = []
    run = free.pipeline.__class__.__call__

    def spy(pipeline: Any, **arguments: Any) -> Any:
        lengths.append(arguments["num_frames"])
        return run(pipeline, **arguments)

    free.pipeline.__class__ = type("Spied", (free.pipeline.__class__,), {"__call__": spy})
    free.imagine(request(0, 5))
    assert lengths == [5]


def test_every_model_that_names_shapes_can_be_built_from_them() -> None:
    from video_diffusion.loading import pipeline_class

    for name in MODELS:
        entry = CATALOG.find(name)
        shapes = tomllib.loads((entry.folder / str(entry.manifest.settings["shapes"])).read_text())
        cls = pipeline_class(str(entry.manifest.settings["pipeline"]))
        required, optional = cls._get_signature_types(), cls._optional_components
        given = {*shapes["components"], *shapes.get("absent", []), *shapes.get("pipeline", {})}
        missing = set(required) - given - set(optional) - {"self"}
        assert not {part for part in missing if part not in ("expand_timesteps", "boundary_ratio")}, (name, missing)


def test_random_weights_need_no_download_and_repeat(tmp_path: Path) -> None:
    """The tiny architecture stands for the real one, which is the same code with other numbers."""
    from ltx_model import Ltx

    shapes = """
absent = ["text_encoder", "tokenizer"]
[components.transformer]
class = "LTXVideoTransformer3DModel"
[components.transformer.config]
in_channels = 8
out_channels = 8
num_attention_heads = 2
attention_head_dim = 8
cross_attention_dim = 16
num_layers = 1
caption_channels = 16
[components.vae]
class = "AutoencoderKLLTXVideo"
[components.vae.config]
latent_channels = 8
block_out_channels = [8, 8, 8, 8]
decoder_block_out_channels = [8, 8, 8, 8]
layers_per_block = [1, 1, 1, 1, 1]
decoder_layers_per_block = [1, 1, 1, 1, 1]
spatio_temporal_scaling = [true, true, false, false]
decoder_spatio_temporal_scaling = [true, true, false, false]
decoder_inject_noise = [false, false, false, false, false]
upsample_residual = [false, false, false, false]
upsample_factor = [1, 1, 1, 1]
patch_size = 1
[components.scheduler]
class = "FlowMatchEulerDiscreteScheduler"
config = { use_dynamic_shifting = true }
[embeddings.prompt_embeds]
shape = [12, 16]
[embeddings.prompt_attention_mask]
shape = [12]
mask = true
"""
    (tmp_path / "tiny.toml").write_text(shapes)
    manifest = replace(tiny_manifest("ltx", NOWHERE, shapes="tiny.toml"), weights=RANDOM)
    tiny = type("TinyLtx", (Ltx,), {"folder": tmp_path})
    first, second = tiny(manifest), tiny(manifest)
    assert np.array_equal(first.imagine(request(0, 5)).rgb, second.imagine(request(0, 5)).rgb)
    other = first.imagine(request(0, 5, prompt="turn left")).rgb
    assert not np.array_equal(other, first.imagine(request(0, 5)).rgb)


PARAMETERS = {
    "ltx": (1.9, 2.0),
    "cosmos20": (1.9, 2.1),
    "cosmos25": (1.9, 2.3),
    "svd": (1.4, 1.6),
    "FTsvd": (1.4, 1.6),
    "wan21": (16.0, 16.8),
    "wan22": (4.8, 5.2),
    "wan22-14B": (14.0, 14.6),
    "hunyuan": (12.5, 13.1),
    "cogvideox": (5.4, 5.8),
    "skyreels": (1.3, 1.8),
}
"""Thousands of millions of parameters of a denoiser, as published (Wan 2.1: 14 and what reads the picture)."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_random_weights_have_the_published_size(name: str) -> None:
    from video_diffusion.random_weights import build

    entry = CATALOG.find(name)
    shapes = tomllib.loads((entry.folder / str(entry.manifest.settings["shapes"])).read_text())
    components = shapes["components"]
    denoiser = build(components.get("transformer", components.get("unet")), torch.bfloat16, torch.device("meta"))
    low, high = PARAMETERS[name]
    assert low <= sum(parameter.numel() for parameter in denoiser.parameters()) / 1e9 <= high
    for part in set(components) - {"transformer", "transformer_2", "unet"}:
        build(components[part], torch.float32, torch.device("meta"))
