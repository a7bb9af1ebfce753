"""NWM on a stand-in of the official code: the same import paths and calls, a denoiser of a few weights."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="nwm needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="nwm needs diffusers (the extra 'models')")

import huggingface_hub
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from harness.contracts.action_numbers import motions, normalised_deltas
from harness.contracts.actions import Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera, Pose
from harness.contracts.errors import Refusal
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.rollouts import ContextView, RolloutRequest
from harness.runtimes.process import start_process
from harness.runtimes.service import ServiceLimits
from harness.wire.client import WorldModelClient
from harness.wire.host import load_class
from harness.worldmodels.catalog import CatalogEntry, load_catalog
from harness.worldmodels.weights import choose_weights, lacks
from tests.wm_plugins.authors_code import says_where_from
from tests.worldmodels.hub_folder import cached

STANDIN = Path(__file__).parent / "standin"
ENTRY = load_catalog().find("nwm")
CAMERA = Camera("front", PINHOLE, 24, 24, 90.0, 1.25)
AHEAD, LEFT, RIGHT = Primitive("forward", 0.2), Primitive("turn_left", 22.5), Primitive("turn_right", 22.5)
HERE = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
TOLERANCE = 2


def view(number: int) -> RGB:
    return np.random.default_rng(number).integers(0, 256, (24, 24, 3), dtype=np.uint8)


def ask(*actions: Primitive, id: int = 0, seed: int = 5, **more: Any) -> RolloutRequest:
    more.setdefault("frames", tuple(range(1, len(actions) + 1)))
    more.setdefault("camera", CAMERA)
    return RolloutRequest(id, seed, view(0), candidate=Candidate(actions), **more)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a training checkpoint as the official code writes it, and the folder of a tiny VAE."""
    folder = tmp_path_factory.mktemp("nwm")
    torch.manual_seed(2)
    sys.path.insert(0, str(STANDIN))
    models = importlib.import_module("models").CDiT_models

    sys.path.remove(str(STANDIN))
    weights = models["CDiT-S/2"](input_size=4, context_size=4, in_channels=4).state_dict()
    checkpoint = {"model": weights, "ema": weights, "args": argparse.Namespace(epochs=1), "epoch": 1}
    torch.save(checkpoint, folder / "0100000.pth.tar")
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        latent_channels=4,
        sample_size=32,
    )
    vae.save_pretrained(folder / "vae")
    return folder / "0100000.pth.tar", folder / "vae"


def tiny(saved: tuple[Path, Path], **settings: Any) -> ModelManifest:
    manifest = replace(
        ENTRY.manifest,
        steps=4,
        dtype="fp32",
        weights=str(saved[0]),
        base_checkpoint=Checkpoint(str(saved[1])),
        settings={**ENTRY.manifest.settings, "code": str(STANDIN), "image_size": 32, "device": "cpu", **settings},
    )
    return replace(manifest, height=CAMERA.height, width=CAMERA.width)


@pytest.fixture(scope="module")
def model(saved: tuple[Path, Path]) -> Any:
    return made(tiny(saved))


def made(manifest: ModelManifest) -> Any:
    return load_class(manifest.entry_point, ())(manifest)


def test_answers_what_was_asked_through_the_service(saved: tuple[Path, Path], model: Any, tmp_path: Path) -> None:
    manifest = tiny(saved)
    asked = [ask(AHEAD, LEFT, AHEAD), ask(AHEAD, id=1), ask(LEFT, AHEAD, id=2, frames=(2,))]
    spec = CatalogEntry(manifest, ENTRY.folder, ENTRY.shared).service_spec(sys.executable)
    with start_process(spec, ServiceLimits(start_s=120.0), tmp_path / "nwm.log") as service:
        client = WorldModelClient(service.socket, expected=manifest)
        answers = {rollout.id: rollout for rollout in client.imagine_batch(asked)}
        client.close()
    assert [answers[i].rgb.shape for i in range(3)] == [(3, 24, 24, 3), (1, 24, 24, 3), (1, 24, 24, 3)]
    for request in asked:
        assert np.abs(answers[request.id].rgb.astype(int) - model.imagine(request).rgb).max() <= TOLERANCE


def test_is_the_official_loop_for_one_request(model: Any) -> None:
    """The official order: encode, start, one draw a step, all from torch's global generator."""
    from nwm_sampling import LATENT_SCALE, pixels_of, rgb_of

    request = ask(AHEAD, seed=7)
    parts = model.parts
    torch.manual_seed(7)
    context = torch.stack([pixels_of(request.view, 32)] * 4)
    latents = parts.vae.encode(context).latent_dist.sample() * LATENT_SCALE
    start = torch.randn(1, 4, 4, 4)
    numbers = normalised_deltas(motions([AHEAD]), 0.25, (-2.5, -4.0), (5.0, 4.0))
    conditions = {"y": torch.tensor(numbers), "x_cond": latents[None], "rel_t": torch.ones(1) / 128.0}
    with torch.no_grad():
        sample = parts.diffusion.p_sample_loop(
            parts.denoiser.forward, (1, 4, 4, 4), start, clip_denoised=False, model_kwargs=conditions
        )
        pixels = parts.vae.decode(sample / LATENT_SCALE).sample.clip(-1.0, 1.0)[0]
    assert np.array_equal(model.imagine(request).rgb[0], rgb_of(pixels, CAMERA))


def test_forward_and_turns_are_scaled_as_the_weights_were_trained() -> None:
    ahead, left = normalised_deltas(motions([AHEAD, LEFT]), 0.25, (-2.5, -4.0), (5.0, 4.0))
    assert ahead == pytest.approx(((0.8 + 2.5) / 7.5 * 2 - 1, 0.0, 0.0))
    assert left == pytest.approx((-1.0 / 3.0, 0.0, np.pi / 8.0))


@pytest.mark.parametrize(("value", "level"), [(-1.0, 0), (-0.5, 64), (0.0, 128), (1.0, 255), (3.0, 255)])
def test_the_whole_range_of_a_frame_becomes_levels(value: float, level: int) -> None:
    from nwm_sampling import rgb_of

    rgb = rgb_of(torch.full((3, 32, 32), value), CAMERA)
    assert rgb.dtype == np.uint8 and rgb.shape == (24, 24, 3)
    assert np.all(rgb == level)


def test_a_frame_of_the_right_size_keeps_its_levels() -> None:
    from nwm_sampling import pixels_of, rgb_of

    assert np.array_equal(rgb_of(pixels_of(view(3), 24), CAMERA), view(3))


def test_a_rollout_depends_on_its_seed_and_actions_not_on_its_batch(model: Any) -> None:
    asked = [ask(AHEAD, AHEAD), ask(AHEAD, LEFT, id=1), ask(AHEAD, AHEAD, id=2, seed=6)]
    batch = {rollout.id: rollout.rgb for rollout in model.imagine_batch(asked)}
    for request in asked:
        assert np.abs(batch[request.id].astype(int) - model.imagine(request).rgb).max() <= TOLERANCE
    assert np.array_equal(model.imagine(asked[0]).rgb, model.imagine(asked[0]).rgb)
    assert not np.array_equal(batch[0], batch[2])
    assert np.abs(batch[0][0].astype(int) - batch[1][0]).max() <= TOLERANCE
    assert not np.array_equal(batch[0][1], batch[1][1])


def test_a_chosen_frame_is_the_one_among_all(model: Any) -> None:
    every = model.imagine(ask(AHEAD, RIGHT, AHEAD)).rgb
    chosen = model.imagine(ask(AHEAD, RIGHT, AHEAD, frames=(1, 3))).rgb
    assert np.array_equal(every[[0, 2]], chosen)


def test_earlier_views_are_used_and_the_oldest_stands_for_those_that_miss(model: Any) -> None:
    alone = model.imagine(ask(AHEAD)).rgb
    same = model.imagine(ask(AHEAD, context=(ContextView(view(0), HERE),))).rgb
    other = model.imagine(ask(AHEAD, context=(ContextView(view(1), HERE),))).rgb
    assert np.array_equal(alone, same)
    assert not np.array_equal(alone, other)


def test_what_it_does_not_know_fails_alone(model: Any) -> None:
    pano = Camera("pano", EQUIRECT, 24, 24, 360.0, 1.25)
    asked = [ask(Primitive("fly", 1.0)), ask(AHEAD, id=1), ask(AHEAD, id=2, camera=pano)]
    answers = {rollout.id: rollout for rollout in model.imagine_batch(asked)}
    assert "fly" in answers[0].error and "perspective" in answers[2].error
    assert not answers[1].error and len(answers[1].rgb) == 1


def test_missing_code_is_one_message() -> None:
    for folder in ("", "/nowhere/nwm"):
        with pytest.raises(Refusal) as refused:
            made(replace(ENTRY.manifest, settings={**ENTRY.manifest.settings, "code": folder, "device": "cpu"}))
        for part in ("'nwm'", "git clone https://github.com/facebookresearch/nwm", "CC BY-NC 4.0", "--set code="):
            assert part in str(refused.value)


def test_the_harness_says_the_same_of_the_code(model: Any) -> None:
    says_where_from(ENTRY, sys.modules["nwm_parts"].CODE)


def test_missing_code_reaches_whoever_starts_the_service(tmp_path: Path) -> None:
    with (
        pytest.raises(Refusal, match=r"'nwm' refused to start: .*git clone .*facebookresearch/nwm"),
        start_process(ENTRY.service_spec(sys.executable), ServiceLimits(start_s=120.0), tmp_path / "nwm.log"),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 30}, "multiple of 8"),
        ({"architecture": "CDiT-XXL"}, "CDiT-XL/2"),
        ({"spacings": 1.0}, "spacing_m"),
        ({"device": "toaster"}, "toaster"),
        ({"context_size": 0}, "context_size"),
        ({"image_size": "224"}, "image_size"),
    ],
)
def test_impossible_settings_are_refused(saved: tuple[Path, Path], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        made(tiny(saved, **settings))


def test_foreign_weights_are_refused_and_not_run(saved: tuple[Path, Path], tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "was_run",))

    file = tmp_path / "trap.pth.tar"
    torch.save({"ema": Trap()}, file)
    with pytest.raises(Refusal, match="no checkpoint of NWM"):
        made(replace(tiny(saved), weights=str(file)))
    assert not (tmp_path / "was_run").exists()


UNFIT: dict[str, tuple[Callable[[str, Any], dict[str, Any]], str]] = {
    "another name": (lambda n, t: {f"ema.{n}": t}, r"are missing .*are unknown .*\(nearest: "),
    "no numbers": (lambda n, t: {n: t * float("nan")}, "hold NaN or infinity"),
    "eight bits": (lambda n, t: {n: (t * 10).to(torch.int8)}, "are not in floating point"),
    "another shape": (lambda n, t: {n: t[None].clone()}, "have another shape"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_weights_that_do_not_fit_are_refused_by_name(kind: str, saved: tuple[Path, Path], tmp_path: Path) -> None:
    change, reason = UNFIT[kind]
    state = torch.load(saved[0], weights_only=False)["ema"]
    file = tmp_path / "other.safetensors"
    save_file({name: t for n, tensor in state.items() for name, t in change(n, tensor).items()}, file)
    with pytest.raises(Refusal, match=rf"other\.safetensors do not fit: .*{reason}"):
        made(replace(tiny(saved), weights=str(file)))


def test_random_weights_need_no_download(saved: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import nwm_parts

    small = {**nwm_parts._RANDOM_VAE, "block_out_channels": (32, 32, 32, 32), "layers_per_block": 1}
    monkeypatch.setattr(nwm_parts, "_RANDOM_VAE", small)
    manifest = replace(tiny(saved), weights="random", base_checkpoint=Checkpoint())
    first, second = (made(manifest).imagine(ask(AHEAD)).rgb for _ in range(2))
    assert np.array_equal(first, second) and first.std() > 0


def test_the_manifest_says_what_the_model_is() -> None:
    manifest = ENTRY.manifest
    assert (manifest.view, manifest.conditioning, manifest.steps) == ("perspective", "numbers", 250)
    assert manifest.checkpoint.source == "facebook/nwm" and manifest.context_max == 3
    assert manifest.base_checkpoint.source == "stabilityai/sd-vae-ft-ema"


def test_both_weights_are_fetched_at_their_revision_and_each_part_has_its_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    readme = (ENTRY.folder / "README.md").read_text(encoding="utf-8")
    for lack, checkpoint, licence in zip(
        lacks(choose_weights(ENTRY.manifest, "hub")),
        (ENTRY.manifest.checkpoint, ENTRY.manifest.base_checkpoint),
        ("CC BY-NC 4.0", "MIT"),
        strict=True,
    ):
        assert re.fullmatch("[0-9a-f]{40}", checkpoint.revision)
        assert f"hf download {checkpoint.source} --revision {checkpoint.revision}" in lack.steps[0]
        assert licence in lack.what and f"{checkpoint.source})" in lack.what
        (row,) = [line for line in readme.splitlines() if checkpoint.revision in line]
        assert f"`{checkpoint.source}`" in row and f"| {licence} |" in row


def test_another_revision_is_not_taken_for_the_pinned_one(
    saved: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nwm_parts

    cached(tmp_path, "facebook/nwm", {"0100000.pth.tar": "x"})
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    any_revision = replace(tiny(saved), weights="hub", checkpoint=Checkpoint("facebook/nwm"))
    assert nwm_parts._checkpoint_file(any_revision, "0100000.pth.tar").read_text() == "x"
    pinned = ENTRY.manifest.checkpoint
    with pytest.raises(Refusal, match=f"hf download facebook/nwm --revision {pinned.revision}"):
        nwm_parts._checkpoint_file(replace(any_revision, checkpoint=pinned), "0100000.pth.tar")
