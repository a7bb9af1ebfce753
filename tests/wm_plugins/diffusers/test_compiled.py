"""What compiling rewrites computes the same: modulation once a frame, and a decoder with fused norms."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import torch
from cosmos_model import MODULATIONS, FramewiseModulation, modulate_framewise, supply_resize
from video_diffusion.devices import compile_decoder

from tests.wm_plugins.diffusers import tiny_pipelines
from tests.wm_plugins.diffusers.tiny_parts import wan_vae

CPU = torch.device("cpu")


def _call(transformer: Any, frames: int, batch: int, timestep: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(frames)
    with torch.no_grad():
        result: torch.Tensor = transformer(
            hidden_states=torch.randn(batch, 4, frames, 4, 6, generator=generator),
            timestep=timestep,
            encoder_hidden_states=torch.randn(batch, 512, 16, generator=generator),
            fps=16.0,
            condition_mask=torch.ones(batch, 1, frames, 4, 6),
            padding_mask=torch.zeros(1, 1, 32, 48),
            return_dict=False,
        )[0]
    return result


@pytest.mark.parametrize(("frames", "batch"), [(1, 2), (3, 1), (4, 2)])
def test_modulation_once_a_frame_is_that_of_every_token(frames: int, batch: int) -> None:
    supply_resize()
    plain = tiny_pipelines._cosmos_transformer()
    cosmos_model = copy.deepcopy(plain)
    modulate_framewise(cosmos_model)
    assert all(
        isinstance(getattr(b, n), FramewiseModulation) for b in cosmos_model.transformer_blocks for n in MODULATIONS
    )
    each_its_own = torch.rand(batch, 1, frames, 1, 1, generator=torch.Generator().manual_seed(1))
    shared = torch.full((batch,), 0.5)
    for timestep in (each_its_own, shared):
        expected = _call(plain, frames, batch, timestep)
        assert torch.allclose(_call(cosmos_model, frames, batch, timestep), expected, atol=1e-5)
    assert (
        not torch.allclose(_call(plain, frames, batch, each_its_own.flip(2)), _call(plain, frames, batch, each_its_own))
        or frames == 1
    )


def test_framewise_blocks_can_be_traced_whole() -> None:
    supply_resize()
    plain = tiny_pipelines._cosmos_transformer()
    traced = copy.deepcopy(plain)
    modulate_framewise(traced)
    for block in traced.transformer_blocks:
        block.compile(dynamic=False, backend="eager", fullgraph=True)
    for frames in (2, 4):
        timestep = torch.rand(1, 1, frames, 1, 1, generator=torch.Generator().manual_seed(frames))
        assert torch.allclose(_call(traced, frames, 1, timestep), _call(plain, frames, 1, timestep), atol=1e-5)


def test_decoder_with_fused_layers_decodes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **options: compiled.append(type(module).__name__))
    vae = wan_vae()
    assert compile_decoder(vae, CPU) == len(compiled) > 0
    assert set(compiled) <= {"WanRMS_norm", "WanUpsample"}
    assert compile_decoder(torch.nn.Linear(2, 2), CPU) == 0
