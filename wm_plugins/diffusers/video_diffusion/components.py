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
from huggingface_hub import snapshot_download

from harness.contracts.errors import Refusal
from harness.contracts.json_limits import read_json
from harness.contracts.tensor_names import fitted, no_numbers, refuse_faults
from video_diffusion.devices import FIRST, SECOND, default_dtype, own_dtype
from video_diffusion.stored import files_of, headers, quantised, read_tensors

STEM = "diffusion_pytorch_model"
"""What diffusers calls the file of a component's weights; transformers calls it ``model``."""
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
        cls = class_of(entry) if name not in given else None
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
    files = files_of(folder, STEM if ours else "model", str(options.get("variant") or ""))
    _check_kinds(folder, files)
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


def _by_names(cls: Any, folder: Path, files: Collection[Path], dtype: torch.dtype) -> Any:
    """Return the model with the weights of ``files`` under its own names, in the dtypes that its library gives them."""
    try:
        with default_dtype(dtype), init_empty_weights():
            model = cls.from_config(cls.load_config(folder))
    except _FAULTS as error:
        raise Refusal(f"{folder / _CONFIG} makes no {cls.__name__}: {first_line(error)}", _ADVICE) from error
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


def class_of(entry: Any) -> Any:
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


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, with its kind where the words alone may not tell."""
    line = (str(error).strip().splitlines() or [""])[0]
    return line if isinstance(error, (OSError, ValueError, RuntimeError)) else f"{type(error).__name__}: {line}"
