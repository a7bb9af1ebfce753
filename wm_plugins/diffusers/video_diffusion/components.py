"""One component of a pipeline from its files: every weight of it comes from them, and every tensor there is one.

The libraries fill what a checkpoint lacks with random numbers, pass over what they do not know, and warn. So what they
report is looked at; names that a trainer's wrappers put around a model's own are taken off
(`harness.contracts.tensor_names`), and what then is missing, unknown, of another shape, quantised, or no number is
refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from diffusers.loaders import single_file_utils
from huggingface_hub import snapshot_download

from harness.contracts.errors import Refusal
from harness.contracts.json_limits import read_json
from harness.contracts.tensor_names import candidates, fitted, match_names, no_numbers, refuse_faults
from video_diffusion.adapter_names import PARTS as AROUND
from video_diffusion.devices import FIRST, SECOND, default_dtype, own_dtype
from video_diffusion.stored import files_of, headers, quantised, read_tensors

STEM = "diffusion_pytorch_model"
"""What diffusers calls the file of a component's weights; transformers calls it ``model``."""
LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
PARTS = ("unet", FIRST, SECOND, "vae")
_CONFIG = "config.json"
_FAULTS = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, ImportError)
"""What the libraries raise for a configuration or an index that is not as they write it."""
_CONVERTERS = {
    "WanTransformer3DModel": "convert_wan_transformer_to_diffusers",
    "CosmosTransformer3DModel": "convert_cosmos_transformer_checkpoint_to_diffusers",
    "LTXVideoTransformer3DModel": "convert_ltx_transformer_checkpoint_to_diffusers",
}
"""What in diffusers turns the names of a model's authors into its own."""
_ADVICE = (
    "Give the weights of this very architecture, as save_pretrained writes them; a low-rank adapter is loaded with "
    "--set part=lora."
)


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
        cls = class_of(entry) if name not in given else None
        if cls is not None:
            loaded[name] = load_component(cls, source, dtypes.get(name, dtypes["default"]), name, options)
    return loaded


def load_component(cls: Any, source: str, dtype: torch.dtype, subfolder: str, options: Mapping[str, Any]) -> Any:
    """Return a model of class ``cls`` from ``source`` ("" is no subfolder) whose every weight comes from there.

    Raises OSError or ValueError where there is no checkpoint, and Refusal with the names where its tensors are not
    those of the class.
    """
    folder = folder_of(source, subfolder, options)
    options = _with_its_variant(folder, options)
    ours = issubclass(cls, diffusers.ModelMixin)
    files = files_of(folder, STEM if ours else "model", str(options.get("variant") or ""))
    _check_kinds(folder, files)
    model = _by_its_library(cls, folder, dtype, options, named=ours and bool(files))
    if model is None:
        model = _by_names(cls, folder, files, dtype, folder)
    _check_numbers(model, folder, dtype)
    return model


def _check_kinds(where: Path, files: Collection[Path]) -> None:
    config = read_json(where / _CONFIG) if (where / _CONFIG).is_file() else {}
    if isinstance(config, dict) and config.get("quantization_config"):
        raise Refusal(f"the weights in {where} are quantised.", "Give them as they were before.")
    few = quantised(headers(files))
    refuse_faults(where, "Give them as they were before they were quantised.", {"are not in floating point": few})


def _by_its_library(cls: Any, folder: Path, dtype: torch.dtype, options: Mapping[str, Any], named: bool) -> Any:
    """Return the model as its library loads it; None where it may be found by its names, if it is ``named``."""
    told = {} if named else {"ignore_mismatched_sizes": True}  # told of those below
    try:
        model, info = cls.from_pretrained(str(folder), torch_dtype=dtype, output_loading_info=True, **told, **options)
    except _FAULTS as error:
        if named:
            return None
        if isinstance(error, (OSError, ValueError)):
            raise
        raise Refusal(f"{folder} cannot be loaded as {cls.__name__}: {first_line(error)}", _ADVICE) from error
    faults = {
        "are missing": _names(info.get("missing_keys")),
        "have another shape": _names(info.get("mismatched_keys")),
        "are unknown": _names(info.get("unexpected_keys")) if named else [],
    }
    if named and any(faults.values()):
        return None
    refuse_faults(folder, _ADVICE, faults)
    return model


def load_file(cls: Any, file: Path, config: Path, dtype: torch.dtype) -> Any:
    """Return a model of class ``cls`` with the weights of one file, as trainers of the authors' code save them.

    ``config`` is the folder of the model that was trained, whose architecture it has.
    """
    _check_kinds(file, [file])
    model = _by_names(cls, config, [file], dtype, file)
    _check_numbers(model, file, dtype)
    return model


def _check_numbers(model: Any, where: Path, dtype: torch.dtype) -> None:
    advice = "Give the weights of a sound training, or a dtype that holds them (--set dtype=bf16)."
    refuse_faults(where, advice, {f"hold NaN or infinity as {dtype}": no_numbers(model.state_dict())})


def _by_names(cls: Any, config: Path, files: Collection[Path], dtype: torch.dtype, where: Path) -> Any:
    """Return the model with the weights of ``files`` under its own names, in the dtypes that its library gives them."""
    try:
        with default_dtype(dtype), init_empty_weights():
            model = cls.from_config(cls.load_config(config))
    except _FAULTS as error:
        raise Refusal(f"{config / _CONFIG} makes no {cls.__name__}: {first_line(error)}", _ADVICE) from error
    stored = {name: tensor for file in files for name, tensor in read_tensors(file).items()}
    own = model.state_dict()
    state = fitted(_in_own_names(cls, stored, own), own, where, _ADVICE, PARTS)
    for name, tensor in state.items():
        state[name] = tensor.to(own_dtype(model, name, dtype)) if tensor.is_floating_point() else tensor
    model.load_state_dict(state, assign=True)
    return model.eval()


def _in_own_names(cls: Any, stored: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``stored`` as it is, unless it has the names of the authors' code: those are what diffusers converts."""
    converter = getattr(single_file_utils, _CONVERTERS.get(cls.__name__, ""), None)
    lost = match_names(stored, own.keys(), PARTS).missing
    if converter is None or not lost:
        return stored
    try:
        converted = converter({[*candidates(name, AROUND)][-1]: tensor for name, tensor in stored.items()})
    except _FAULTS:  # as for names that are not the authors' either
        return stored
    return converted if len(match_names(converted, own.keys()).missing) < len(lost) else stored


def _with_its_variant(folder: Path, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``options`` without the variant where the component in ``folder`` has none, as pipelines do it."""
    variant = options.get("variant")
    if not variant or any(folder.glob(f"*.{variant}*")):
        return options
    return {key: value for key, value in options.items() if key != "variant"}


def class_of(entry: Any) -> Any:
    """Return the class of a component with weights that an entry of ``model_index.json`` names, None for others."""
    library, name = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
    cls = getattr(LIBRARIES.get(library), str(name), None) if isinstance(library, str) else None
    models = (diffusers.ModelMixin, transformers.PreTrainedModel)
    return cls if isinstance(cls, type) and issubclass(cls, models) else None


def folder_of(source: str, subfolder: str, options: Mapping[str, Any]) -> Path:
    """Return the folder of a component: of a folder, or of a snapshot of the hub."""
    if Path(source).is_dir():
        return Path(source) / subfolder
    here = {name: options[name] for name in ("revision", "local_files_only") if name in options}
    wanted = [f"{subfolder}/*"] if subfolder else None
    return Path(snapshot_download(source, allow_patterns=wanted, **here)) / subfolder


def _names(found: Any) -> list[str]:
    return sorted(str(name[0] if isinstance(name, tuple) else name) for name in found or ())


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, with its kind where the words alone may not tell."""
    line = (str(error).strip().splitlines() or [""])[0]
    return line if isinstance(error, (OSError, ValueError, RuntimeError)) else f"{type(error).__name__}: {line}"
