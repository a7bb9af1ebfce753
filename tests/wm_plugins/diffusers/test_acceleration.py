"""Modes that compute less: what they leave out, and that a rollout still depends on its own request alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import numpy as np
import torch
from video_diffusion.acceleration import compute_in_eight_bits, parse_modes
from video_diffusion.devices import denoisers

from harness.contracts.errors import Refusal
from tests.wm_plugins.diffusers.saving import SavedPipelines
from tests.wm_plugins.diffusers.zoo import request, tiny_manifest, world_model

STEPS = 10
COMPUTED = {2: 3 + 3, 4: 3 + 2}
"""Of ten steps by interval: the first three, then each interval-th from the fourth on."""


@pytest.mark.parametrize(
    ("text", "interval", "eight_bits"),
    [("", 0, False), ("taylorseer:3", 3, False), ("fp8", 0, True), ("fp8+taylorseer:2", 2, True)],
)
def test_modes_are_read(text: str, interval: int, eight_bits: bool) -> None:
    assert parse_modes(text) == (interval, eight_bits)


@pytest.mark.parametrize(
    "text", ["taylor", "taylorseer", "taylorseer:1", "taylorseer:99", "fp8:2", "fp8+fp8", "+", "fp4"]
)
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(Refusal, match=r"taylorseer:N|every .*th step|no meaning"):
        parse_modes(text)


def accelerated(pipelines: SavedPipelines, name: str, mode: str, **settings: Any) -> Any:
    manifest = tiny_manifest(name, pipelines.published(name), accelerate=mode, **settings)
    return world_model(replace(manifest, steps=STEPS, max_batch=4))


def blocks_run(model: Any, *requests: Any) -> tuple[int, list[Any]]:
    """Return how often the first block of the first denoiser computed, and the rollouts."""
    parts = dict(denoisers(model.pipeline)[0].named_modules())
    block = parts.get("transformer_blocks.0") or parts["blocks.0"]
    counted: list[int] = []
    layer = next(m for m in block.modules() if isinstance(m, torch.nn.Linear))
    handle = layer.register_forward_hook(lambda *_: counted.append(1))
    rollouts = list(model.imagine_batch(requests))
    handle.remove()
    return len(counted), rollouts


OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("wan21", "wan22", "cogvideox", "skyreels", "hunyuan")]


@pytest.mark.parametrize("name", ["FTcosmos", "FTltx", *OTHERS])
def test_blocks_run_in_some_steps_and_a_rollout_depends_on_its_request(pipelines: SavedPipelines, name: str) -> None:
    plain, _ = blocks_run(accelerated(pipelines, name, ""), request())
    model = accelerated(pipelines, name, "taylorseer:2")
    few, alone = blocks_run(model, request())
    assert few * STEPS == plain * COMPUTED[2], (few, plain)
    again = list(model.imagine_batch([request()]))
    assert np.array_equal(alone[0].rgb, again[0].rgb), "nothing is remembered between calls"
    if not model.one_view_a_call:
        both = list(model.imagine_batch([request(1, seed=9, scene=2), request()]))
        shared = next(each for each in both if each.id == 0)
        assert np.abs(shared.rgb.astype(int) - alone[0].rgb.astype(int)).mean() <= 2.0


def test_compiled_blocks_are_compiled_once_and_left_out_alike(
    pipelines: SavedPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = accelerated(pipelines, "FTcosmos", "taylorseer:3").imagine(request()).rgb
    graphs: list[Any] = []

    def noting(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    plain = torch.compile
    monkeypatch.setattr(torch, "compile", lambda call, **options: plain(call, backend=noting, **options))
    torch._dynamo.reset()
    model = accelerated(pipelines, "FTcosmos", "taylorseer:3", compile=True)
    assert model.compiled_blocks > 1
    assert np.abs(model.imagine(request()).rgb.astype(int) - expected).max() <= 2
    model.imagine(request())
    named = [getattr(node.target, "__name__", "") for graph in graphs for node in graph.graph.nodes]
    assert named.count("scaled_dot_product_attention") == 2, (
        "of one block, which stands for all: of itself and the text"
    )


def test_what_a_broken_call_left_is_forgotten(pipelines: SavedPipelines) -> None:
    model = accelerated(pipelines, "FTcosmos", "taylorseer:2")
    expected = model.imagine(request()).rgb
    calls = []

    def fail(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 5:
            raise RuntimeError("out of memory")

    handle = model.pipeline.transformer.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        model.imagine(request(scene=3))
    handle.remove()
    assert np.array_equal(model.imagine(request()).rgb, expected)


def test_a_mode_that_does_nothing_is_refused(pipelines: SavedPipelines) -> None:
    with pytest.raises(Refusal, match="no blocks and proj_out"):
        accelerated(pipelines, "svd", "taylorseer:2")
    with pytest.raises(Refusal, match="which of its two calls"):
        accelerated(pipelines, "FTcosmos", "taylorseer:2", one_pass_guidance=False)
    cache = accelerated(pipelines, "FTcosmos", "taylorseer:2").step_cache
    with pytest.raises(Refusal, match="saw no step"), cache.one_call():
        pass


def test_eight_bits_need_a_gpu() -> None:
    with pytest.raises(Refusal, match="cpu does not multiply in eight bits"):
        compute_in_eight_bits([torch.nn.Linear(16, 16)], torch.device("cpu"))
