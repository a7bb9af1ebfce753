"""The parts of the shared base: which frames are meant, which requests share a call, what is cached, what is timed."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import torch
from video_diffusion.batching import PromptCache, batches, video_length
from video_diffusion.decoding import EncodeOnce, decoding_put_off, generated_frames, one_pass_guidance
from video_diffusion.devices import PhaseClock, compile_blocks, empty_requests
from video_diffusion.random_weights import random_mask

from tests.wm_plugins.diffusers.zoo import CATALOG, FORWARDS, request

CPU = torch.device("cpu")


def test_published_convention_spreads_a_plan_over_the_video() -> None:
    asked = request(frames=(1, 2, 3))
    assert generated_frames(asked, 33, 13, False) == [2, 4, 7]
    assert generated_frames(asked, 17, 13, False) == [1, 2, 3]
    assert generated_frames(asked, 13, 13, False) == [1, 2, 3]


def test_plan_of_its_own_length_ends_with_the_video() -> None:
    assert generated_frames(request(frames=(1, 3)), 33, 0, False) == [10, 32]


def test_free_length_makes_one_frame_an_action() -> None:
    asked = request(actions=FORWARDS * 5, frames=tuple(range(1, 16)))
    assert generated_frames(asked, 17, 13, True) == list(range(1, 16))


def test_last_action_of_a_short_video_repeats_its_last_frame() -> None:
    asked = request(actions=(*FORWARDS * 4, "forward"), frames=(12, 13))
    assert generated_frames(asked, 13, 13, False) == [12, 12]


def test_requests_share_a_call_up_to_the_largest_batch() -> None:
    manifest = replace(CATALOG.find("ltx").manifest, frames=8)
    asked = [request(i, scene=i % 2) for i in range(5)]
    many = batches(asked, manifest, 0, 4, one_view=False)
    assert [[r.id for r in batch.requests] for batch in many] == [[0, 1, 2, 3], [4]]
    by_view = batches(asked, manifest, 0, 4, one_view=True)
    assert [[r.id for r in batch.requests] for batch in by_view] == [[0, 2, 4], [1, 3]]


def test_length_depends_on_the_request_alone() -> None:
    manifest = replace(CATALOG.find("wan22").manifest, frames=12)
    assert video_length(request(), manifest, 0) == 13
    assert video_length(request(actions=FORWARDS[:1]), manifest, 4) == 5
    assert video_length(request(actions=FORWARDS * 2), manifest, 4) == 9
    assert video_length(request(actions=FORWARDS * 9), manifest, 4) == 13


def test_prompt_cache_drops_the_least_recently_used() -> None:
    cache = PromptCache(kept=2)
    for prompt in ("a", "b", "a", "c", "a", "b"):
        cache.get(prompt, lambda: {})
    assert cache.computed == 4  # a, b, c, and b again


def test_random_mask_hides_the_padding_where_the_pipeline_has_some() -> None:
    assert random_mask("move the camera forward", [10], padded=True).tolist() == [[1] * 7 + [0] * 3]
    assert random_mask("", [4], padded=True).tolist() == [[1, 0, 0, 0]]
    assert random_mask("a word", [4], padded=False).all() and random_mask("a " * 9, [4], padded=True).all()


class CountingVae:
    """Counts what it encodes, and refuses to decode."""

    dtype = torch.float32

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, pixels: Any, return_dict: bool = True) -> Any:
        self.encoded += 1
        return SimpleNamespace(mean=pixels.mean())

    def decode(self, latents: Any) -> Any:
        raise AssertionError("decoding was not put off")


def test_equal_views_are_encoded_once_and_methods_come_back() -> None:
    vae = CountingVae()
    encoder = EncodeOnce(vae)
    with encoder.active(PhaseClock(CPU)):
        first = vae.encode(torch.zeros(1, 3, 4, 4))
        assert vae.encode(torch.zeros(1, 3, 4, 4)) is first
        vae.encode(torch.ones(1, 3, 4, 4))
    assert vae.encoded == encoder.encoded == 2
    assert "encode" not in vars(vae)


def test_decoding_is_put_off_and_split_by_request() -> None:
    vae = CountingVae()
    latents = torch.arange(2 * 3).reshape(2, 1, 3, 1, 1).float()
    with decoding_put_off(vae) as put_off:
        assert vae.decode(latents, torch.tensor([0.1, 0.2]), return_dict=False)[0].shape[0] == 2  # type: ignore[call-arg]
    first, second = put_off.one_each(2)
    assert first.latents.flatten().tolist() == [0.0, 1.0, 2.0]
    assert second.latents.flatten().tolist() == [3.0, 4.0, 5.0]
    assert second.arguments[0].tolist() == pytest.approx([0.2])


def test_methods_come_back_after_an_error() -> None:
    vae = CountingVae()
    with pytest.raises(RuntimeError, match="stop"), decoding_put_off(vae):
        raise RuntimeError("stop")
    assert "decode" not in vars(vae)


def test_one_pass_guidance_answers_the_second_call_from_the_first() -> None:
    class Denoiser:
        calls = 0

        def forward(self, hidden_states: Any, encoder_hidden_states: Any, return_dict: bool) -> Any:
            self.calls += 1
            return (hidden_states * encoder_hidden_states.mean(dim=(1, 2))[:, None],)

    denoiser, latents = Denoiser(), torch.ones(2, 5)
    prompt, negative = torch.full((2, 3, 4), 2.0), torch.full((2, 3, 4), 5.0)
    with one_pass_guidance(denoiser, negative):
        for _ in range(2):
            with_prompt = denoiser.forward(hidden_states=latents, encoder_hidden_states=prompt, return_dict=False)[0]
            without = denoiser.forward(hidden_states=latents, encoder_hidden_states=negative, return_dict=False)[0]
            assert torch.equal(with_prompt, latents * 2) and torch.equal(without, latents * 5)
    assert denoiser.calls == 2
    assert "forward" not in vars(denoiser)


def test_phases_inside_phases_are_counted_once() -> None:
    clock = PhaseClock(CPU)
    begin = time.perf_counter()
    with clock.phase("denoise"):
        with clock.phase("encode"):
            time.sleep(0.05)
        time.sleep(0.01)
    assert clock.seconds["encode"] >= 0.05
    assert sum(clock.seconds.values()) <= time.perf_counter() - begin


def test_repeated_blocks_are_compiled_and_warmed_up_in_the_size_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []

    def compile_in_place(call: Any, **_: Any) -> None:
        compiled.append(call.__self__)

    monkeypatch.setattr(torch, "compile", compile_in_place)

    class Block(torch.nn.Module):  # type: ignore[misc,name-defined]
        def forward(self) -> None:
            """Compute nothing."""

    class Denoiser(torch.nn.Module):  # type: ignore[misc,name-defined]
        _repeated_blocks = ("Block",)

        def __init__(self) -> None:
            super().__init__()
            self.blocks = torch.nn.ModuleList([Block(), Block()])

    assert compile_blocks(SimpleNamespace(transformer=Denoiser())) == 2
    assert [type(module).__name__ for module in compiled] == ["Block", "Block"]
    manifest = CATALOG.find("FTcosmos").manifest
    empty = empty_requests(manifest, 3)
    assert len(empty) == 3 and empty[0].view.shape == (576, 1024, 3)
