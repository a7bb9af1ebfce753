"""Pipelines from the hub or a folder, with the post-trained part in place. Safetensors only.

A tensor of a component that is missing, or that nobody knows, is refused: the libraries fill what a checkpoint lacks
with random numbers and warn. So what they report is looked at; names that a trainer's wrappers put around a model's own
are taken off (`harness.contracts.tensor_names`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from safetensors.torch import load_file

from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, Checkpoint, ModelManifest
from harness.contracts.tensor_names import match_names, shown
from video_diffusion.adapters import merge_adapters
from video_diffusion.devices import dtypes_of
from video_diffusion.settings import PipelineSettings

LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
STEMS = ("diffusion_pytorch_model", "model")
PARTS = ("unet", "transformer", "transformer_2", "vae")


def load_components(
    source: str,
    index: Mapping[str, Any],
    dtypes: Mapping[str, torch.dtype],
    options: Mapping[str, Any],
    given: Collection[str],
) -> dict[str, Any]:
    """Return the components with weights that a pipeline's ``index`` lists, but for those that are ``given``."""
    loaded = {}
    for name, entry in index.items():
        cls = _class(entry) if name not in given else None
        if cls is not None:
            own = _with_its_variant(source, name, options)
            loaded[name] = load_component(cls, source, dtypes.get(name, dtypes["default"]), name, own)
    return loaded


def load_component(cls: Any, source: str, dtype: torch.dtype, subfolder: str, options: Mapping[str, Any]) -> Any:
    """Return a model of class ``cls`` from ``source`` ("" is no subfolder) whose every weight comes from there.

    Raises what ``from_pretrained`` does where there is no checkpoint, and Refusal with the names where its tensors are
    not those of the class.
    """
    place: dict[str, Any] = {"subfolder": subfolder} if subfolder else {}
    model, info = cls.from_pretrained(source, torch_dtype=dtype, output_loading_info=True, **options, **place)
    missing, mismatched = _names(info.get("missing_keys")), _names(info.get("mismatched_keys"))
    ours = issubclass(cls, diffusers.ModelMixin)
    unexpected = _names(info.get("unexpected_keys")) if ours else []
    if not (missing or mismatched or unexpected):
        return model
    if not mismatched and ours:
        state = _stored(_folder(source, options) / subfolder, str(options.get("variant") or ""))
        match = match_names(state, model.state_dict().keys(), PARTS)
        if match.whole:
            return _made_of({match.names[name]: tensor for name, tensor in state.items()}, model, dtype)
        missing, unexpected = list(match.missing), list(match.unexpected)
    raise Refusal(
        f"{Path(source) / subfolder if subfolder else source} does not hold the weights of {cls.__name__}: "
        f"{_counted(missing, 'are missing')}{_counted(unexpected, 'are unknown')}"
        f"{_counted(mismatched, 'have another shape')}",
        "Give the weights of this very architecture, as save_pretrained writes them.",
    )


def _made_of(state: Mapping[str, torch.Tensor], model: Any, dtype: torch.dtype) -> Any:
    """Return a model like ``model``, in its dtypes, with the weights of ``state``: its own may never have been made."""
    own = model.state_dict()
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # as from_pretrained does while it makes a model
    try:
        made = type(model).from_config(model.config)
    finally:
        torch.set_default_dtype(before)
    made.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in state.items()}, assign=True)
    return made.eval()


def checked_state(
    state: Mapping[str, torch.Tensor], model: torch.nn.Module, where: Path, advice: str
) -> dict[str, torch.Tensor]:
    """Return ``state`` under the names of ``model``; Refusal names what is missing, unknown or of another shape."""
    own = model.state_dict()
    match = match_names(state, own.keys())
    named = {match.names[name]: tensor for name, tensor in state.items() if name in match.names}
    shapes = [name for name, tensor in named.items() if tensor.shape != own[name].shape]
    if match.whole and not shapes:
        return named
    raise Refusal(
        f"{where} does not fit: {_counted(match.missing, 'are missing')}{_counted(match.unexpected, 'are unknown')}"
        f"{_counted(shapes, 'have another shape')}",
        advice,
    )


def _with_its_variant(source: str, name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``options`` without the variant where component ``name`` has none, as pipelines do it."""
    variant = options.get("variant")
    if not variant or any((_folder(source, options) / name).glob(f"*.{variant}*")):
        return options
    return {key: value for key, value in options.items() if key != "variant"}


def _class(entry: Any) -> Any:
    """Return the class of a component with weights that an entry of ``model_index.json`` names, None for others."""
    library, name = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
    cls = getattr(LIBRARIES.get(library), str(name), None) if isinstance(library, str) else None
    models = (diffusers.ModelMixin, transformers.PreTrainedModel)
    return cls if isinstance(cls, type) and issubclass(cls, models) else None


def _folder(source: str, options: Mapping[str, Any]) -> Path:
    """Return the folder of a checkpoint: itself, or the snapshot that was just read."""
    if Path(source).is_dir():
        return Path(source)
    return Path(snapshot_download(source, revision=options.get("revision"), local_files_only=True))


def _stored(folder: Path, variant: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a component's safetensors files, one or several with an index."""
    dot = f".{variant}" if variant else ""
    state: dict[str, torch.Tensor] = {}
    for stem in STEMS:
        index = folder / f"{stem}.safetensors.index{dot}.json"
        files = [f"{stem}{dot}.safetensors"]
        if index.is_file():
            files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        for file in files:
            if (folder / file).is_file():
                state |= load_file(folder / file)
    return state


def _names(found: Any) -> list[str]:
    return sorted(str(name[0] if isinstance(name, tuple) else name) for name in found or ())


def _counted(names: Collection[str], what: str) -> str:
    return f"{len(names)} {what} ({shown(sorted(names))}). " if names else ""


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
