"""The components of a pipeline in training: what encodes clips and what is trained come and go apart.

Latents and embeddings of text are made once a clip, so the encoders need no memory while the denoiser is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import diffusers
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from safetensors.torch import load_file, save_file

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.contracts.names import nearest
from harness.contracts.training import Adapter
from video_diffusion.batching import LONGEST, Embedding, encode, longest_text
from video_diffusion.components import load_component, load_components
from video_diffusion.devices import DENOISERS, dtype_of, dtypes_of, own_dtype
from video_diffusion.loading import MODEL_INDEX, pipeline_class
from video_diffusion.random_weights import build, random_embedding, random_pipeline, read_shapes
from video_diffusion.settings import PipelineSettings

WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER = "default"
CONFIG = "config.json"
_PREFIX = "base_model.model."


@dataclass(frozen=True, eq=False)
class Parts:
    """Where the components come from.

    ``family`` is the folder of the plugin. ``weights`` is a folder that holds a whole pipeline, or one that a training
    has saved: networks that take the place of those of the model's base; None is random weights of the real size.
    """

    manifest: ModelManifest
    settings: PipelineSettings
    family: Path
    weights: Path | None
    device: torch.device

    @cached_property
    def source(self) -> Path | None:
        """The folder of the pipeline; Refusal where it is not here."""
        if self.weights is None or (self.weights / MODEL_INDEX).is_file():
            return self.weights
        if not any((self.weights / folder / CONFIG).is_file() for folder in ("", *DENOISERS)):
            raise Refusal(
                f"{self.weights} holds neither the pipeline that {self.manifest.name!r} is trained from "
                f"({MODEL_INDEX}) nor a network that was trained ({CONFIG}).",
                f"Give the folder of {self.manifest.base_checkpoint.source or self.manifest.base}, or random weights.",
            )
        return _here(self.manifest.base_checkpoint)

    @property
    def trained(self) -> Path | None:
        """The folder of the networks that training goes on from; None where they are those of the pipeline."""
        return self.weights if self.weights != self.source else None

    @cached_property
    def shapes(self) -> Mapping[str, Any]:
        """The file of shapes; read for random weights alone."""
        return read_shapes(self.family, self.settings)

    @cached_property
    def _index(self) -> Mapping[str, Any]:
        index: Mapping[str, Any] = diffusers.DiffusionPipeline.load_config(self.source)
        return index

    def config(self, name: str, default: Any = None) -> Any:
        """Return a setting of the pipeline itself, such as ``boundary_ratio``."""
        return (self.shapes.get("pipeline", {}) if self.source is None else self._index).get(name, default)

    def encoders(self, dtypes: Mapping[str, str], **components: Any) -> Any:
        """Return the pipeline without its denoisers, on the device; ``dtypes`` are those of some components."""
        own = {**self.settings.component_dtypes, **dtypes}
        if self.source is None:
            absent = {name: None for name in DENOISERS if name in self.shapes.get("components", {})}
            pipeline = random_pipeline(
                self.shapes,
                PipelineSettings(pipeline=self.settings.pipeline, component_dtypes=own),
                self.manifest.dtype,
                self.device,
                **absent,
                **components,
            )
        else:
            given: dict[str, Any] = {name: None for name in DENOISERS if name in self._index} | components
            by_name = dtypes_of(self.manifest.dtype, own)
            given |= load_components(str(self.source), self._index, by_name, _LOCAL, given)
            pipeline = pipeline_class(self.settings.pipeline).from_pretrained(
                self.source, torch_dtype=by_name, **_LOCAL, **given
            )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline.to(self.device)

    def embed(self, pipeline: Any, text: str, names: Sequence[str]) -> Embedding:
        """Return what the denoiser reads of ``text`` (each with a leading dimension of 1), as in use.

        ``names`` are all results of the pipeline's ``encode_prompt``; those for guidance are left out.
        """
        if self.source is None:
            own = [name for name in names if not name.startswith("negative_")]
            return random_embedding(self.shapes, text, own, dtype_of(self.manifest.dtype))
        self._check_length(pipeline, text)
        call = self.settings.call
        return encode(pipeline, names, call, prompt=text, do_classifier_free_guidance=False, device=self.device)

    def _check_length(self, pipeline: Any, text: str) -> None:
        """Raise Refusal where the end of ``text``, with the actions that stand there, would be cut off."""
        longest = longest_text(pipeline, self.settings.call)
        tokens = len(pipeline.tokenizer(text).input_ids)
        if longest is not None and tokens > longest:
            raise Refusal(
                f"the prompt has {tokens} tokens, and {self.manifest.name!r} reads {longest}: {text!r}.",
                f"Use a shorter template, or set call.{LONGEST} of the model.",
            )

    def denoiser(self, name: str, dtype: torch.dtype) -> Any:
        """Return one of the networks that are trained, on the device."""
        if self.source is None:
            return build(self.shapes["components"][name], dtype, self.device)
        cls = getattr(diffusers, self._index[name][1])
        place, subfolder = self.trained or self.source, name
        if self.trained is not None and not (self.trained / name).is_dir():
            subfolder = ""
        return load_component(cls, str(place), dtype, subfolder, _LOCAL).to(self.device)


_LOCAL: Mapping[str, Any] = {"use_safetensors": True, "local_files_only": True}


def _here(checkpoint: Checkpoint) -> Path:
    """Return the folder of a pipeline: itself, or its snapshot in the cache of the hub."""
    if Path(checkpoint.source).is_dir():
        return Path(checkpoint.source)
    try:
        return Path(snapshot_download(checkpoint.source, revision=checkpoint.revision or None, local_files_only=True))
    except (OSError, HFValidationError, ValueError) as error:
        raise Refusal(
            f"the pipeline {checkpoint.source} is not on this machine: {str(error).splitlines()[0]}",
            f"Run: hf download {checkpoint.source}",
        ) from error


def add_adapter(network: Any, adapter: Adapter) -> None:
    """Put low-rank additions into ``network``, in single precision; its own weights take no gradient any more."""
    from peft import LoraConfig

    names = [name for name, _ in network.named_modules()]
    ends = {".".join(name.split(".")[-parts:]) for name in names for parts in (1, 2, 3, 4)}
    for target in adapter.targets:
        if target not in ends:
            raise Refusal(
                f"{type(network).__name__} has no layer {target!r} for an adapter.", nearest(target, sorted(ends))
            )
    network.requires_grad_(False)
    config = LoraConfig(r=adapter.rank, lora_alpha=adapter.alpha, target_modules=list(adapter.targets))
    network.add_adapter(config, adapter_name=ADAPTER)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def save_adapter(network: Any, folder: Path) -> None:
    """Write the additions of ``network`` as peft does, with the configuration that says how strong they are."""
    from peft import get_peft_model_state_dict

    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(network, adapter_name=ADAPTER)
    tensors = {f"{_PREFIX}{name}": value.detach().cpu().contiguous() for name, value in state.items()}
    save_file(tensors, folder / ADAPTER_FILE, metadata={"format": "pt"})
    network.peft_config[ADAPTER].save_pretrained(folder)


def read_adapter(network: Any, folder: Path) -> None:
    """Give the additions of ``network`` the values that `save_adapter` wrote; Refusal unless each of them is there."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    file = folder / ADAPTER_FILE
    if not file.is_file():
        raise Refusal(f"{folder} holds no {ADAPTER_FILE}.", "Give the folder that posttrain wrote.")
    stored = {name.removeprefix(_PREFIX): value for name, value in load_file(file).items()}
    own = get_peft_model_state_dict(network, adapter_name=ADAPTER)
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (stored, own)]
    if shapes[0] != shapes[1]:
        odd = sorted(name for name in {*stored, *own} if shapes[0].get(name) != shapes[1].get(name))
        raise Refusal(f"{file} is no adapter of this network: {odd[0]} differs.", "Give the base it was trained on.")
    set_peft_model_state_dict(network, stored, adapter_name=ADAPTER)


def save_network(network: Any, folder: Path, dtype: torch.dtype) -> None:
    """Write all of ``network`` as ``save_pretrained`` does, in the dtypes in which it is used."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: value.detach().to(own_dtype(network, name, dtype) if value.is_floating_point() else value.dtype).cpu()
        for name, value in network.state_dict().items()
    }
    network.save_config(folder)
    save_file({name: value.contiguous() for name, value in state.items()}, folder / WEIGHTS_FILE, {"format": "pt"})
