"""Pipelines from the hub or a folder, with the post-trained part in place. Safetensors only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, Checkpoint, ModelManifest
from video_diffusion.adapters import merge_adapters
from video_diffusion.components import load_component, load_components
from video_diffusion.devices import dtypes_of
from video_diffusion.settings import PipelineSettings

MODEL_INDEX = "model_index.json"


def pipeline_class(name: str) -> Any:
    """Return the diffusers pipeline called ``name``; raise Refusal where diffusers has none."""
    found = getattr(diffusers, name, None)
    if found is None or not hasattr(found, "from_pretrained"):
        raise Refusal(f"diffusers {diffusers.__version__} has no pipeline {name!r}.", "Fix the setting pipeline.")
    return found


def base_of(manifest: ModelManifest, part: str) -> Checkpoint:
    """Return where the pipeline comes from.

    A model as published is its checkpoint, or the folder that the weights were chosen to be. A post-trained one is a
    part, put into ``base_checkpoint``; a chosen folder may also hold the whole pipeline with the part in it.
    """
    chosen = manifest.weights if manifest.weights not in ("", FROM_HUB) else ""
    if chosen and (not part or (Path(chosen) / MODEL_INDEX).is_file()):
        return Checkpoint(chosen)
    return manifest.base_checkpoint if manifest.base_checkpoint.source else manifest.checkpoint


def part_of(manifest: ModelManifest, part: str) -> Checkpoint | None:
    """Return where the post-trained part comes from; None where the pipeline is complete without one."""
    if not part:
        return None
    if manifest.weights in ("", FROM_HUB):
        return manifest.checkpoint
    folder = Path(manifest.weights)
    return None if (folder / MODEL_INDEX).is_file() else Checkpoint(manifest.weights)


def load_pipeline(
    manifest: ModelManifest, settings: PipelineSettings, component_class: Callable[[str], Any], **components: Any
) -> Any:
    """Return the pipeline of ``manifest`` on the CPU.

    ``component_class(name)`` gives the class of a replaced component ("" leaves it to diffusers); ``components`` are
    used as they are. Weights that are not here raise Refusal with what, where from, size, licence and the command.
    """
    base = base_of(manifest, settings.part)
    part = part_of(manifest, settings.part)
    cls = pipeline_class(settings.pipeline)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    dtypes = dtypes_of(manifest.dtype, settings.component_dtypes)
    options: dict[str, Any] = {"use_safetensors": True, **_where(base, settings)}
    if settings.variant:
        options["variant"] = settings.variant
    if part is not None and settings.part != "lora":
        components[settings.part] = _load_component(manifest, settings, base, part, component_class, dtypes)
    try:
        source = _source(base, manifest)
        index = diffusers.DiffusionPipeline.load_config(source, **_where(base, settings))
        components |= load_components(source, index, dtypes, options, components)
        pipeline = cls.from_pretrained(source, torch_dtype=dtypes, **options, **components)
    except (OSError, HFValidationError, ValueError) as error:
        raise _missing(manifest, base, error) from error
    if part is not None and settings.part == "lora":
        _load_lora(pipeline, manifest, settings, part)
    return pipeline


def _source(checkpoint: Checkpoint, manifest: ModelManifest) -> str:
    if not checkpoint.source:
        raise Refusal(
            f"no weights of {manifest.name!r} are published.",
            f"Give a folder with --weights /path, or play with --weights random. {manifest.description}",
        )
    return checkpoint.source


def _where(checkpoint: Checkpoint, settings: PipelineSettings) -> dict[str, Any]:
    where: dict[str, Any] = {"local_files_only": not settings.download}
    if checkpoint.revision:
        where["revision"] = checkpoint.revision
    return where


def _load_component(
    manifest: ModelManifest,
    settings: PipelineSettings,
    base: Checkpoint,
    part: Checkpoint,
    component_class: Callable[[str], Any],
    dtypes: dict[str, Any],
) -> Any:
    """Return the post-trained component: from its own folder, or from the subfolder of its name."""
    name = settings.part
    cls = component_class(name)
    source = _source(part, manifest)
    nested = (Path(source) / name).is_dir() if Path(source).is_absolute() else False
    try:
        if not cls:
            index = diffusers.DiffusionPipeline.load_config(_source(base, manifest), **_where(base, settings))
            cls = getattr(diffusers, index[name][1])
        where = {"use_safetensors": True, **_where(part, settings)}
        return load_component(cls, source, dtypes.get(name, dtypes["default"]), name if nested else "", where)
    except (OSError, HFValidationError, ValueError) as error:
        raise _missing(manifest, part, error) from error


def _load_lora(pipeline: Any, manifest: ModelManifest, settings: PipelineSettings, part: Checkpoint) -> None:
    """Merge a low-rank adapter into the denoiser: a single safetensors file, or a folder that holds one."""
    source = _source(part, manifest)
    place = Path(source)
    if not place.is_absolute():
        try:
            place = Path(
                snapshot_download(source, allow_patterns=["*.safetensors", "*.json"], **_where(part, settings))
            )
        except (OSError, HFValidationError, ValueError) as error:
            raise _missing(manifest, part, error) from error
    merge_adapters(pipeline, place, settings.lora_scale, manifest.name)


def _missing(manifest: ModelManifest, checkpoint: Checkpoint, error: Exception) -> Refusal:
    source = checkpoint.source
    if Path(source).is_absolute():
        return Refusal(
            f"{source} is not a checkpoint of {manifest.name!r}: {_first_line(error)}",
            "Give the folder that save_pretrained wrote, with safetensors files.",
        )
    revision = f" --revision {checkpoint.revision}" if checkpoint.revision else ""
    size = f", {manifest.download_gb:g} GB" if manifest.download_gb else ""
    return Refusal(
        f"the weights of {manifest.name!r} ({source}{size}, licence {manifest.licence or 'unknown'}) are not on this "
        f"machine: {_first_line(error)}",
        f"Run: hf download {source}{revision}",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
