"""Pipelines from the hub or a folder, with the post-trained part in place. Safetensors only.

Every weight of a component comes from its files, and every tensor there is one: the libraries fill what a checkpoint
lacks with random numbers, pass over what they do not know, and warn. So what they report is looked at; names that a
trainer's wrappers put around a model's own are taken off (`harness.contracts.tensor_names`), and what then is missing,
unknown, of another shape, quantised, or no number is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from harness.contracts.errors import Refusal
from harness.contracts.json_limits import read_json
from harness.contracts.manifests import FROM_HUB, Checkpoint, ModelManifest
from video_diffusion.adapter_files import expert_of
from video_diffusion.adapters import merge_adapters
from video_diffusion.devices import FIRST, SECOND, default_dtype, dtypes_of, own_dtype
from video_diffusion.settings import PipelineSettings
from video_diffusion.stored import files_of, fitted, headers, no_numbers, quantised, read_tensors, refuse_faults

LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
PARTS = ("unet", FIRST, SECOND, "vae")
_CONFIG = "config.json"
_FAULTS = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, ImportError)
"""What the libraries raise for a configuration or an index that is not as they write it."""
_ADVICE = "Give the weights of this very architecture, as save_pretrained writes them."


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
            loaded[name] = load_component(cls, source, dtypes.get(name, dtypes["default"]), name, options)
    return loaded


def load_component(cls: Any, source: str, dtype: torch.dtype, subfolder: str, options: Mapping[str, Any]) -> Any:
    """Return a model of class ``cls`` from ``source`` ("" is no subfolder) whose every weight comes from there.

    Raises OSError or ValueError where there is no checkpoint, and Refusal with the names where its tensors are not
    those of the class.
    """
    folder = _folder(source, subfolder, options)
    options = _with_its_variant(folder, options)
    ours = issubclass(cls, diffusers.ModelMixin)
    files = files_of(folder, "diffusion_pytorch_model" if ours else "model", str(options.get("variant") or ""))
    _check_kinds(folder, files if ours else ())
    model = _by_its_library(cls, folder, dtype, options, named=ours and bool(files))
    if model is None:
        model = _by_names(cls, folder, files, dtype)
    advice = "Give the weights of a sound training, or a dtype that holds them (--set dtype=bf16)."
    refuse_faults(folder, advice, {f"hold NaN or infinity as {dtype}": no_numbers(model.state_dict())})
    return model


def _check_kinds(folder: Path, files: Collection[Path]) -> None:
    config = read_json(folder / _CONFIG) if (folder / _CONFIG).is_file() else {}
    if isinstance(config, dict) and config.get("quantization_config"):
        raise Refusal(f"the weights in {folder} are quantised.", "Give them as they were before.")
    few = quantised(headers(files))
    refuse_faults(folder, "Give them as they were before they were quantised.", {"are not in floating point": few})


def _by_its_library(cls: Any, folder: Path, dtype: torch.dtype, options: Mapping[str, Any], named: bool) -> Any:
    """Return the model as its library loads it; None where it may be found by its names, if it is ``named``."""
    try:
        model, info = cls.from_pretrained(str(folder), torch_dtype=dtype, output_loading_info=True, **options)
    except _FAULTS as error:
        if named:
            return None
        if isinstance(error, (OSError, ValueError)):
            raise
        raise Refusal(f"{folder} cannot be loaded as {cls.__name__}: {_first_line(error)}", _ADVICE) from error
    faults = {
        "are missing": _names(info.get("missing_keys")),
        "have another shape": _names(info.get("mismatched_keys")),
        "are unknown": _names(info.get("unexpected_keys")) if named else [],
    }
    if named and any(faults.values()):
        return None
    refuse_faults(folder, _ADVICE, faults)
    return model


def _by_names(cls: Any, folder: Path, files: Collection[Path], dtype: torch.dtype) -> Any:
    """Return the model with the weights of ``files`` under its own names, in the dtypes that its library gives them."""
    try:
        with default_dtype(dtype), init_empty_weights():
            model = cls.from_config(cls.load_config(folder))
    except _FAULTS as error:
        raise Refusal(f"{folder / _CONFIG} makes no {cls.__name__}: {_first_line(error)}", _ADVICE) from error
    stored = {name: tensor for file in files for name, tensor in read_tensors(file).items()}
    state = fitted(stored, model.state_dict(), folder, _ADVICE, PARTS)
    for name, tensor in state.items():
        state[name] = tensor.to(own_dtype(model, name, dtype)) if tensor.is_floating_point() else tensor
    model.load_state_dict(state, assign=True)
    return model.eval()


def _with_its_variant(folder: Path, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``options`` without the variant where the component in ``folder`` has none, as pipelines do it."""
    variant = options.get("variant")
    if not variant or any(folder.glob(f"*.{variant}*")):
        return options
    return {key: value for key, value in options.items() if key != "variant"}


def _class(entry: Any) -> Any:
    """Return the class of a component with weights that an entry of ``model_index.json`` names, None for others."""
    library, name = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
    cls = getattr(LIBRARIES.get(library), str(name), None) if isinstance(library, str) else None
    models = (diffusers.ModelMixin, transformers.PreTrainedModel)
    return cls if isinstance(cls, type) and issubclass(cls, models) else None


def _folder(source: str, subfolder: str, options: Mapping[str, Any]) -> Path:
    """Return the folder of a component: of a folder, or of a snapshot of the hub."""
    if Path(source).is_dir():
        return Path(source) / subfolder
    here = {name: options[name] for name in ("revision", "local_files_only") if name in options}
    wanted = [f"{subfolder}/*"] if subfolder else None
    return Path(snapshot_download(source, allow_patterns=wanted, **here)) / subfolder


def _names(found: Any) -> list[str]:
    return sorted(str(name[0] if isinstance(name, tuple) else name) for name in found or ())


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
    if part is not None:
        _source(part, manifest)
    cls = pipeline_class(settings.pipeline)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    dtypes = dtypes_of(manifest.dtype, settings.component_dtypes)
    options: dict[str, Any] = {"use_safetensors": True, **_where(base, settings)}
    if settings.variant:
        options["variant"] = settings.variant
    try:
        source = _source(base, manifest)
        index = diffusers.DiffusionPipeline.load_config(source, **_where(base, settings))
    except (OSError, HFValidationError, ValueError) as error:
        raise _missing(manifest, base, error) from error
    if part is not None and settings.part != "lora":
        components |= _load_part(manifest, settings, part, index, component_class)
    try:
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


def _load_part(
    manifest: ModelManifest,
    settings: PipelineSettings,
    part: Checkpoint,
    index: Mapping[str, Any],
    component_class: Callable[[str], Any],
) -> dict[str, Any]:
    """Return the post-trained component by its name, or both of two experts."""
    source = _source(part, manifest)
    if Path(source).is_file():
        raise Refusal(
            f"{source} is a file, and a {settings.part} is loaded from its folder.",
            "Give the folder with its config.json; a low-rank adapter is loaded with --set part=lora.",
        )
    dtypes = dtypes_of(manifest.dtype, settings.component_dtypes)
    options = {"use_safetensors": True, **_where(part, settings)}
    loaded = {}
    for name, subfolder in _part_folders(source, settings.part, index).items():
        cls = component_class(name) or _class(index.get(name))
        if cls is None:
            raise Refusal(f"{settings.pipeline} has no {name} to replace.", "Fix the setting part.")
        try:
            loaded[name] = load_component(cls, source, dtypes.get(name, dtypes["default"]), subfolder, options)
        except (OSError, HFValidationError, ValueError) as error:
            raise _missing(manifest, part, error) from error
    return loaded


def _part_folders(source: str, name: str, index: Mapping[str, Any]) -> dict[str, str]:
    """Return the subfolder of each component that a post-trained part replaces; "" is the part's own folder.

    A pipeline of two experts needs both, called ``transformer`` and ``transformer_2`` or ``high_noise`` and
    ``low_noise``; a folder of another component beside them would be passed over, so it raises Refusal.
    """
    experts = [name, SECOND] if name == FIRST and _class(index.get(SECOND)) is not None else [name]
    place = Path(source)
    if not place.is_absolute():
        return {expert: expert if len(experts) > 1 else "" for expert in experts}
    folders: dict[str, str] = {}
    for child in sorted(place.iterdir()) if place.is_dir() else ():
        found = child.name if child.name in PARTS else expert_of(child.name)
        if not (found and child.is_dir() and any(child.glob("*.safetensors"))):
            continue
        if found not in experts or found in folders:
            raise Refusal(
                f"{source} holds {child.name}, and what is replaced is {' and '.join(experts)}, once.",
                "Give a folder with those alone.",
            )
        folders[found] = child.name
    if len(experts) > 1 and len(folders) < len(experts):
        raise Refusal(
            f"{source} has no folder of {next(expert for expert in experts if expert not in folders)}.",
            f"A model of two experts needs both: folders called {' and '.join(experts)}, or high_noise and low_noise.",
        )
    return folders or {name: ""}


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
            "Give the folder that save_pretrained wrote, with safetensors files; a low-rank adapter is loaded with "
            "--set part=lora.",
        )
    revision = f" --revision {checkpoint.revision}" if checkpoint.revision else ""
    size = f", {manifest.download_gb:g} GB" if manifest.download_gb else ""
    return Refusal(
        f"the weights of {manifest.name!r} ({source}{size}, licence {manifest.licence or 'unknown'}) are not on this "
        f"machine: {_first_line(error)}",
        f"Run: hf download {source}{revision}",
    )


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [""])[0]
    return line if isinstance(error, (OSError, ValueError, RuntimeError)) else f"{type(error).__name__}: {line}"
