"""The parts of NWM: the denoiser and the diffusion of the official code, and the VAE, published or random."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import torch
from diffusers import AutoencoderKL
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from official_code import OfficialCode
from safetensors.torch import load_file

from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, RANDOM, Checkpoint, ModelManifest, Setting
from harness.contracts.tensor_names import fitted, no_numbers, refuse_faults

CODE = OfficialCode(
    model="nwm",
    address="https://github.com/facebookresearch/nwm",
    revision="3f6cd8e70d6f2d1e2b9684acff510710135f0f41",
    licence="CC BY-NC 4.0, as the weights",
    landmarks=("models.py", "diffusion/__init__.py"),
    packages="torch diffusers timm",
)
LATENT_CHANNELS = 4
PIXELS_PER_LATENT = 8
RANDOM_SCALE = 0.02
EMA = "ema"
_RANDOM_VAE: Mapping[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": LATENT_CHANNELS,
    "sample_size": 256,
}
"""The architecture of ``stabilityai/sd-vae-ft-ema``, for random weights."""


@dataclass(frozen=True)
class Parts:
    """What imagines: predicts noise, says how it is taken away, and turns pixels into latents and back."""

    denoiser: Any
    diffusion: Any
    vae: Any


def load_parts(manifest: ModelManifest, settings: Mapping[str, Setting], device: torch.device) -> Parts:
    """Return the parts on ``device``; Refusal where code or weights are not there or do not fit."""
    folder = CODE.checkout(str(settings["code"]))
    diffusion, official = CODE.import_loose(folder, "diffusion", "models")
    models = official.CDiT_models
    name = str(settings["architecture"])
    if name not in models:
        raise Refusal(f"the code of 'nwm' has no architecture {name!r}.", f"Known: {', '.join(models)}.")
    latent_size = int(settings["image_size"]) // PIXELS_PER_LATENT
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        denoiser = models[name](
            input_size=latent_size, context_size=int(settings["context_size"]), in_channels=LATENT_CHANNELS
        )
    if manifest.weights == RANDOM:
        _fill(denoiser)
        vae = _random_vae()
    else:
        _load_denoiser(denoiser, _checkpoint_file(manifest, str(settings["checkpoint_file"])))
        vae = _load_vae(manifest.base_checkpoint)
    return Parts(
        denoiser.to(device).eval().requires_grad_(False),
        diffusion.create_diffusion(str(manifest.steps)),
        vae.to(device).eval().requires_grad_(False),
    )


def _fill(denoiser: Any) -> None:
    """Give every parameter that the official code begins with as 0 a random value: zeros would imagine nothing."""
    generator = torch.Generator().manual_seed(0)
    for parameter in denoiser.parameters():
        if not parameter.data.any():
            parameter.data = torch.randn(parameter.shape, generator=generator) * RANDOM_SCALE


def _random_vae() -> Any:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return AutoencoderKL(**_RANDOM_VAE)


def _load_denoiser(denoiser: Any, file: Path) -> None:
    """Load the averaged weights of a training checkpoint, or a safetensors file of them. Nothing in a file is run."""
    advice = "Give a checkpoint as the official code's training writes it, or its averaged weights as safetensors."
    try:
        if file.suffix == ".safetensors":
            weights = load_file(file)
        else:
            with torch.serialization.safe_globals([argparse.Namespace]):
                weights = torch.load(file, map_location="cpu", weights_only=True, mmap=True)[EMA]
        denoiser.load_state_dict(fitted(weights, denoiser.state_dict(), file, advice))
    except Refusal:
        raise
    except Exception as error:  # a damaged or foreign file may raise anything
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise Refusal(f"{file} is no checkpoint of NWM's denoiser: {first}", advice) from error


def _checkpoint_file(manifest: ModelManifest, name: str) -> Path:
    """Return the file of the denoiser's weights: a chosen file, or the one called ``name`` of a folder."""
    if manifest.weights not in ("", FROM_HUB):
        path = Path(manifest.weights)
    else:
        path = Path(_from_cache(manifest.checkpoint, name))
    if not path.is_dir():
        return path
    files = sorted((*path.rglob("*.pth.tar"), *path.rglob("*.safetensors")))
    named = [file for file in files if file.name == name] or (files if len(files) == 1 else [])
    if not named:
        found = ", ".join(file.name for file in files) or "none"
        raise Refusal(f"{path} has no checkpoint {name!r}; there: {found}.", "Name one: --set checkpoint_file=NAME.")
    return named[0]


def _from_cache(checkpoint: Checkpoint, name: str) -> str:
    """Return the file ``name`` of a repository in the hub's cache, or its folder where the name is another."""
    revision = checkpoint.revision or None
    try:
        return str(hf_hub_download(checkpoint.source, name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        pass
    try:
        return str(snapshot_download(checkpoint.source, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise _missing(checkpoint) from error


def _load_vae(checkpoint: Checkpoint) -> Any:
    try:
        vae, info = AutoencoderKL.from_pretrained(
            checkpoint.source,
            revision=checkpoint.revision or None,
            local_files_only=True,
            torch_dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError) as error:
        raise _missing(checkpoint) from error
    faults = {
        "are missing": info["missing_keys"],
        "are unknown": info["unexpected_keys"],
        "have another shape": [name for name, *_ in info["mismatched_keys"]],
        "hold NaN or infinity": no_numbers(vae.state_dict()),
    }
    advice = "Give the published VAE of 'nwm', or one of its architecture as save_pretrained writes it."
    refuse_faults(checkpoint.source, advice, faults, vae.state_dict().keys())
    return vae


def _missing(checkpoint: Checkpoint) -> Refusal:
    revision = f" --revision {checkpoint.revision}" if checkpoint.revision else ""
    return Refusal(
        f"the weights {checkpoint.source} of 'nwm' are not on this machine.",
        f"Run: hf download {checkpoint.source}{revision}",
    )
