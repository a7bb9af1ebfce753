"""What the compiled LTX computes with fewer operations is what the library computes."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import diffusers
import lean
import torch
from lean import channels_last, compile_ltx_decoder, sample, streamline
from lean_blocks import Parts

from harness.contracts.errors import Refusal
from tests.wm_plugins.diffusers.saving import SavedPipelines
from tests.wm_plugins.diffusers.tiny_parts import TEXT_WIDTH, lively, ltx_vae
from tests.wm_plugins.diffusers.zoo import request, tiny_manifest, world_model

FRAMES, HEIGHT, WIDTH = 3, 2, 4
TOKENS = FRAMES * HEIGHT * WIDTH
CPU = torch.device("cpu")


def transformer(heads: int = 2, blocks: int = 3) -> Any:
    """Return a transformer whose width leaves a remainder by 6, as the real one's does: positions are padded."""
    torch.manual_seed(0)
    return lively(
        diffusers.LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=heads,
            attention_head_dim=8,
            cross_attention_dim=8 * heads,
            num_layers=blocks,
            caption_channels=TEXT_WIDTH,
        )
    )


def call(batch: int, lengths: tuple[int, ...], seed: int = 1, guided: bool = True) -> dict[str, Any]:
    """Return what the pipeline gives: texts padded to the longest, frame 0 without noise, both halves of guidance."""
    generator = torch.Generator().manual_seed(seed)
    rows = 2 * batch if guided else batch
    latents = torch.randn(batch, TOKENS, 8, generator=generator)
    clean = torch.zeros(rows, TOKENS)
    clean[:, : HEIGHT * WIDTH] = 1.0
    mask = torch.arange(12)[None] < torch.tensor(lengths).repeat(rows)[:rows, None]
    return {
        "hidden_states": torch.cat([latents, latents]) if guided else latents,
        "encoder_hidden_states": torch.randn(rows, 12, TEXT_WIDTH, generator=generator),
        "timestep": torch.tensor(830.0) * (1 - clean),
        "encoder_attention_mask": mask.to(torch.int64),
        "num_frames": FRAMES,
        "height": HEIGHT,
        "width": WIDTH,
        "rope_interpolation_scale": (8 / 25, 32, 32),
        "attention_kwargs": None,
        "return_dict": False,
    }


def difference(one: Any, other: Any, arguments: dict[str, Any]) -> float:
    with torch.no_grad():
        return float((one(**arguments)[0] - other(**arguments)[0]).abs().max())


CALLS = [
    call(1, (12,), guided=False),
    call(1, (4, 12)),
    call(3, (12,)),
    call(2, (1, 5, 12, 7)),
]


@pytest.mark.parametrize("arguments", CALLS)
@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.float64, 1e-5)])
def test_the_whole_is_the_library_to_rounding(arguments: dict[str, Any], dtype: Any, allowed: float) -> None:
    plain = transformer().to(dtype)
    fast = copy.deepcopy(plain)
    streamline(fast)
    for name in ("hidden_states", "encoder_hidden_states"):
        arguments = {**arguments, name: arguments[name].to(dtype)}
    for step in (900.0, 300.0):
        timed = {**arguments, "timestep": (arguments["timestep"] > 0) * step}
        assert difference(fast, plain, timed) <= allowed


@pytest.mark.parametrize("left_out", [field.name for field in fields(Parts)])
def test_each_part_can_be_left_out(left_out: str) -> None:
    plain = transformer(heads=3)
    fast = copy.deepcopy(plain)
    streamline(fast, Parts(**{left_out: False}))
    streamline(fast, Parts(**{left_out: False}))  # again, as a benchmark does
    for arguments in CALLS:
        assert difference(fast, plain, arguments) <= 1e-5


def test_text_and_positions_are_computed_once_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = transformer()
    streamline(fast)
    captions, positions, rows = [], [], []
    fast.caption_projection.register_forward_hook(lambda *_: captions.append(1))
    fast.rope.register_forward_hook(lambda *_: positions.append(1))
    fast.time_embed.register_forward_hook(lambda _, given, __: rows.append(given[0].shape[0]))
    first, second = call(2, (4,)), call(2, (9,), seed=2)
    with torch.no_grad():
        for arguments in (first, first, first, second, first):
            fast(**arguments)
    assert len(captions) == 3 and len(positions) == 1
    assert set(rows) == {4 * FRAMES}


def test_stacked_projections_share_the_weights_of_the_library() -> None:
    fast = transformer()
    before = sum(p.numel() for p in fast.parameters())
    streamline(fast)
    attention, stacked = fast.transformer_blocks[0].attn1, fast.lean_blocks[0].stacked
    assert attention.to_q.weight.data_ptr() == stacked.weight.data_ptr()
    storages = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in fast.parameters()}
    assert sum(storages.values()) == 4 * before


def test_another_formula_of_the_library_is_refused_and_nothing_changed() -> None:
    other = transformer()
    block = other.transformer_blocks[1]
    forward = block.forward
    block.forward = lambda *a, **k: forward(*a, **k) * 1.3
    with pytest.raises(Refusal, match="computes LTX in another way"):
        streamline(other)
    assert "forward" not in vars(other)
    assert torch.isfinite(other(**sample(other))[0]).all()


def test_tokens_of_a_frame_with_different_times_are_refused() -> None:
    fast = transformer()
    streamline(fast)
    arguments = call(1, (12,))
    arguments["timestep"] = arguments["timestep"] + torch.arange(TOKENS)
    with pytest.raises(Refusal, match="different time steps"):
        fast(**arguments)


def test_blocks_can_be_traced_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = transformer()
    traced = copy.deepcopy(plain)
    streamline(traced)
    for module in (*traced.lean_blocks, traced.lean_head):
        module.compile(dynamic=False, backend="eager", fullgraph=True)
    for arguments in CALLS:
        assert difference(traced, plain, arguments) <= 1e-5


def test_decoder_of_fused_blocks_draws_the_same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_ = torch.nn.Module.compile

    def traced(module: Any, dynamic: bool, options: dict[str, Any]) -> None:
        assert options == {"fallback_random": True} and not dynamic
        compiled.append(type(module).__name__)
        compile_(module, dynamic=dynamic, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    vae = ltx_vae()
    fused = copy.deepcopy(vae)
    assert compile_ltx_decoder(fused, CPU) == len(compiled) > 0
    for block in fused.decoder.modules():
        if type(block).__name__ == "LTXVideoResnetBlock3d":
            block.forward = channels_last(block.forward)
    latents, level = torch.randn(1, 8, 3, 2, 2), torch.tensor([0.05])
    frames = []
    for each in (vae, fused):
        torch.manual_seed(3)
        with torch.no_grad():
            frames.append(each.decode(latents, level).sample)
    assert torch.allclose(frames[0], frames[1], atol=1e-5)


def test_compiled_model_imagines_what_the_eager_one_does(
    pipelines: SavedPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler itself is left out: it is what the rewriting is for, not what is tested."""
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **options: None)
    saved = pipelines.published("ltx")
    eager, fast = world_model(tiny_manifest("ltx", saved)), world_model(tiny_manifest("ltx", saved, compile=True))
    assert isinstance(vars(fast.pipeline.transformer)["forward"].__self__, lean.LeanTransformer)
    asked = [request(0, 1), request(1, 2, prompt="turn left"), request(2, 3, scene=1)]
    for one, other in zip(eager.imagine_batch(asked), fast.imagine_batch(asked), strict=True):
        assert abs(one.rgb.astype(int) - other.rgb.astype(int)).max() <= 1
