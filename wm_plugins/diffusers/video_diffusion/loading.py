"""Pipelines from the hub or a folder, with the post-trained part in place. Safetensors only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import diffusers
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, Checkpoint, ModelManifest
from harness.contracts.tensor_names import shown
from video_diffusion.adapter_files import CONFIG as ADAPTER
from video_diffusion.adapter_files import expert_of
from video_diffusion.adapters import merge_adapters
from video_diffusion.components import (
    PARTS,
    STEM,
    class_of,
    first_line,
    folder_of,
    load_component,
    load_components,
    load_file,
)
from video_diffusion.devices import FIRST, SECOND, dtypes_of
from video_diffusion.settings import LORA, PipelineSettings
from video_diffusion.stored import files_of

NETWORK = "config.json"
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
    manifest: ModelManifest,
    settings: PipelineSettings,
    component_class: Callable[[str], Any],
    beside: Collection[str] = (),
    **components: Any,
) -> Any:
    """Return the pipeline of ``manifest`` on the CPU.

    ``component_class(name)`` gives the class of a replaced component ("" leaves it to diffusers); ``components`` are
    used as they are; ``beside`` names the files of a part's folder that the family loads itself. Weights that are not
    here raise Refusal with what, where from, size, licence and the command.
    """
    base = base_of(manifest, settings.part)
    part = part_of(manifest, settings.part)
    if part is not None:
        settings = replace(settings, part=held_part(settings.part, Path(_source(part, manifest))))
    cls = pipeline_class(settings.pipeline)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    options: dict[str, Any] = {"use_safetensors": True, **_where(base, settings)}
    if settings.variant:
        options["variant"] = settings.variant
    dtypes = dtypes_of(manifest.dtype, settings.component_dtypes)
    source = _source(base, manifest)
    try:
        index = diffusers.DiffusionPipeline.load_config(source, **_where(base, settings))
        if not isinstance(index, dict):
            raise ValueError(f"its {MODEL_INDEX} lists no components")
        if part is not None and settings.part != LORA:
            components |= _load_part(manifest, settings, part, index, component_class, beside)
        components |= load_components(source, index, dtypes, options, components)
        _check_classes(cls, components, source)
        pipeline = cls.from_pretrained(source, torch_dtype=dtypes, **options, **components)
    except (OSError, HFValidationError, ValueError) as error:
        raise _missing(manifest, base, error) from error
    if part is not None and settings.part == LORA:
        _load_lora(pipeline, manifest, settings, part)
    return pipeline


def held_part(declared: str, place: Path) -> str:
    """Return what a post-trained part in ``place`` is: an adapter, or the network in its place, as ``declared``.

    Where a configuration beside the weights says the other, that is what it is: a model that is trained either way
    takes what comes out of both.
    """
    folders = [place / name for name in ("", FIRST, SECOND)] if place.is_absolute() and place.is_dir() else []
    network, adapter = (any((each / name).is_file() for each in folders) for name in (NETWORK, ADAPTER))
    if declared in (FIRST, LORA) and network != adapter:
        return LORA if adapter else FIRST
    return declared


def _check_classes(pipeline: Any, components: Mapping[str, Any], source: str) -> None:
    """Raise Refusal where a network is of another class than the pipeline works with: diffusers only warns."""
    hints = get_type_hints(pipeline.__init__)
    for name in (name for name in PARTS if components.get(name) is not None and name in hints):
        takes = [kind for kind in (*get_args(hints[name]), hints[name]) if isinstance(kind, type)]
        if takes and not isinstance(components[name], tuple(takes)):
            raise Refusal(
                f"the {name} of {source} is a {type(components[name]).__name__}, and {pipeline.__name__} takes a "
                f"{takes[0].__name__}.",
                "Give the weights of this very model.",
            )


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


def _load_part(
    manifest: ModelManifest,
    settings: PipelineSettings,
    part: Checkpoint,
    index: Mapping[str, Any],
    component_class: Callable[[str], Any],
    beside: Collection[str],
) -> dict[str, Any]:
    """Return the post-trained component by its name, or both of two experts."""
    source, base = _source(part, manifest), base_of(manifest, settings.part)
    dtypes = dtypes_of(manifest.dtype, settings.component_dtypes)
    options = {"use_safetensors": True, **_where(part, settings)}
    loaded = {}
    folders = _part_folders(source, settings.part, index)
    for name, subfolder in folders.items():
        cls = component_class(name) or class_of(index.get(name))
        if cls is None:
            raise Refusal(f"{settings.pipeline} has no {name} to replace.", "Fix the setting part.")
        dtype, alone = dtypes.get(name, dtypes["default"]), _lone_file(Path(source) / subfolder, beside)
        try:
            if alone is None:
                loaded[name] = load_component(cls, source, dtype, subfolder, options)
            else:
                loaded[name] = load_file(cls, alone, folder_of(base.source, name, _where(base, settings)), dtype)
        except (OSError, HFValidationError, ValueError) as error:
            raise _missing(manifest, part, error) from error
    _refuse_unused(Path(source), folders, beside)
    return loaded


def _part_folders(source: str, name: str, index: Mapping[str, Any]) -> dict[str, str]:
    """Return the subfolder of each component that a post-trained part replaces; "" is the part's own folder.

    A pipeline of two experts needs both, called ``transformer`` and ``transformer_2`` or ``high_noise`` and
    ``low_noise``.
    """
    experts = [name, SECOND] if name == FIRST and class_of(index.get(SECOND)) is not None else [name]
    place = Path(source)
    if not place.is_absolute():
        return {expert: expert if len(experts) > 1 else "" for expert in experts}
    folders: dict[str, str] = {}
    for child in sorted(path.name for path in place.glob("*") if path.is_dir()):
        found = child if child in experts or len(experts) == 1 else expert_of(child)
        if found in experts:
            folders.setdefault(found, child)
    if len(experts) > 1 and len(folders) < len(experts):
        raise Refusal(
            f"{source} has no folder of {next(expert for expert in experts if expert not in folders)}.",
            f"A model of two experts needs both: folders called {' and '.join(experts)}, or high_noise and low_noise.",
        )
    return folders or {name: ""}


def _lone_file(place: Path, beside: Collection[str]) -> Path | None:
    """Return the one file of weights without a configuration, as trainers of the authors' code leave it, or None."""
    if place.is_file() or (place / "config.json").is_file():
        return place if place.is_file() else None
    files = [file for file in place.glob("*.safetensors") if file.name not in beside]
    return files[0] if len(files) == 1 else None


def _refuse_unused(place: Path, folders: Mapping[str, str], beside: Collection[str]) -> None:
    """Raise Refusal for weights of a part's folder that nothing has loaded: which of them are meant is not known."""
    used = {file for folder in folders.values() for file in files_of(place / folder, STEM)}
    used |= {file for folder in folders.values() if (file := _lone_file(place / folder, beside)) is not None}
    used |= {place / folder / name for folder in folders.values() for name in beside}
    unused = sorted(str(file.relative_to(place)) for file in place.rglob("*.safetensors") if file not in used)
    if unused:
        raise Refusal(
            f"{place} holds weights that are not loaded in place of the {' and the '.join(folders)}: {shown(unused)}.",
            "Give a folder with those alone; a low-rank adapter is loaded with --set part=lora.",
        )


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
            f"{source} is not a checkpoint of {manifest.name!r}: {first_line(error)}",
            "Give the folder that save_pretrained wrote, with safetensors files; a low-rank adapter is loaded with "
            "--set part=lora.",
        )
    revision = f" --revision {checkpoint.revision}" if checkpoint.revision else ""
    size = f", {manifest.download_gb:g} GB" if manifest.download_gb else ""
    return Refusal(
        f"the weights of {manifest.name!r} ({source}{size}, licence {manifest.licence or 'unknown'}) are not on this "
        f"machine: {first_line(error)}",
        f"Run: hf download {source}{revision}",
    )
