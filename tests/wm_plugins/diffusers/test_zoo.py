"""Every model of the zoo, end to end on the CPU: a tiny random pipeline, saved and loaded as a real one is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from harness.contracts.rollouts import Rollout

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("transformers", reason="the zoo needs transformers (the extra 'models')")

from tests.wm_plugins.diffusers.saving import Saved, SavedPipelines
from tests.wm_plugins.diffusers.zoo import (
    HEIGHT,
    MODELS,
    WIDTH,
    bare_frames,
    bare_pipeline,
    entry,
    request,
    tiny_manifest,
    view,
    world_model,
)

TOLERANCE = 2
"""Levels of 255 by which a rollout in a batch may differ from the same one alone: sums in another order."""

BASES = tuple(name for name in MODELS if not entry(name).manifest.base)
QUICK = ("ltx", "cosmos20", "wan22", "svd")
"""One model of each kind; the others are marked slow."""


@dataclass(frozen=True)
class Played:
    """What one model answered."""

    name: str
    saved: Saved
    model: Any
    batch: list[Rollout]
    single: Rollout


@pytest.fixture(
    scope="module", params=[name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in BASES]
)
def played(request: pytest.FixtureRequest, pipelines: SavedPipelines) -> Played:
    """Load one model and ask for three rollouts at once and one alone."""
    return play(request.param, pipelines.published(request.param))


def play(name: str, saved: Saved) -> Played:
    model = world_model(tiny_manifest(name, saved))
    asked = [request(0, 1), request(1, 2, frames=(0, 3)), request(2, 3, scene=1, prompt="turn left")]
    return Played(name, saved, model, list(model.imagine_batch(asked)), model.imagine(request(7, 2, frames=(0, 3))))


def by_id(rollouts: list[Rollout]) -> dict[int, Rollout]:
    return {rollout.id: rollout for rollout in rollouts}


def test_answers_what_was_asked(played: Played) -> None:
    answers = by_id(played.batch)
    assert sorted(answers) == [0, 1, 2]
    assert answers[0].rgb.shape == (3, HEIGHT, WIDTH, 3) and answers[1].rgb.shape == (2, HEIGHT, WIDTH, 3)
    assert all(rollout.rgb.dtype == np.uint8 for rollout in answers.values())
    assert {"prompt", "denoise", "encode", "decode"} <= set(answers[0].timings)


def test_frame_0_is_the_conditioning_view(played: Played) -> None:
    assert np.array_equal(by_id(played.batch)[1].rgb[0], view(0))


def test_rollout_depends_on_its_seed_not_on_its_batch(played: Played) -> None:
    answers = by_id(played.batch)
    in_batch, alone = answers[1].rgb.astype(int), played.single.rgb.astype(int)
    assert np.abs(in_batch - alone).max() <= TOLERANCE
    assert np.abs(answers[0].rgb[2].astype(int) - in_batch[1]).max() > 2 * TOLERANCE  # another seed


def test_same_request_gives_the_same_bytes_again(played: Played) -> None:
    again = played.model.imagine(request(9, 2, frames=(0, 3)))
    assert np.array_equal(again.rgb, played.single.rgb)


def test_prompts_are_embedded_once_and_views_encoded_once(played: Played) -> None:
    if played.model.prompt_outputs:
        assert played.model.prompts.computed == 2
        before = played.model.encoder.encoded
        list(played.model.imagine_batch([request(0, 5), request(1, 6)]))
        assert played.model.prompts.computed == 2
        assert played.model.encoder.encoded == before


def test_is_the_bare_pipeline_for_one_request(played: Played) -> None:
    """Bit for bit as the pipeline guides; in one pass sums have another order."""
    asked = request(0, 11)
    model = played.model
    frames = bare_frames(bare_pipeline(model, played.saved), model, asked)[[1, 2, 3]]
    in_one_pass = model.imagine(asked).rgb
    one_pass, model.settings = model.settings, replace(model.settings, one_pass_guidance=False)
    as_published = model.imagine(asked).rgb
    model.settings = one_pass
    assert np.array_equal(as_published, frames)
    assert np.abs(in_one_pass.astype(int) - frames).max() <= TOLERANCE


@pytest.mark.parametrize(("name", "decoded"), [("wan22", [2, 3]), ("ltx", [3, 3])])
def test_only_wanted_frames_are_decoded_where_the_decoder_allows(
    name: str, decoded: list[int], pipelines: SavedPipelines
) -> None:
    """Three actions spread over 9 frames of 3 latents: the first ends in the second latent, the last in the third."""
    model = world_model(replace(tiny_manifest(name, pipelines.published(name), plan_actions=0), frames=8))
    lengths, decode = [], model.pipeline.vae.decode

    def spy(latents: Any, *arguments: Any, **options: Any) -> Any:
        lengths.append(latents.shape[2])
        return decode(latents, *arguments, **options)

    model.pipeline.vae.decode = spy
    first = model.imagine(request(0, 5, frames=(1,))).rgb
    every = model.imagine(request(0, 5, frames=(1, 2, 3))).rgb
    assert lengths == decoded
    assert np.array_equal(first[0], every[0])
