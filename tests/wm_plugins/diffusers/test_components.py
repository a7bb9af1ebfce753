"""Full checkpoints: all weights of a component come from its files, whatever a trainer wrapped around their names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import torch
from diffusers import CosmosTransformer3DModel
from safetensors.torch import load_file, save_file
from video_diffusion.components import load_component

from harness.contracts.errors import Refusal
from tests.wm_plugins.diffusers.saving import (
    FILE,
    Saved,
    SavedPipelines,
    one_too_many,
    prefixed,
    rewritten,
    without_one,
)
from tests.wm_plugins.diffusers.zoo import tiny_manifest, world_model

INDEX = f"{FILE}.index.json"
FIRST_PART, SECOND_PART = (f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2))


Edit = Callable[[Path], Any]


def weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Edit:
    """Return an edit of the tensors of a component's file."""
    return lambda folder: rewritten(folder, change)


def each(change: Callable[[torch.Tensor], torch.Tensor]) -> Edit:
    return weights(lambda state: {name: change(tensor).contiguous() for name, tensor in state.items()})


def one(change: Callable[[torch.Tensor], torch.Tensor]) -> Edit:
    """Return an edit of a single weight."""
    return weights(lambda state: state | {WEIGHT: change(state[WEIGHT]).contiguous()})


def split(folder: Path, **entries: Any) -> None:
    """Split a component's file in two with an index, as large checkpoints are saved."""
    state = load_file(folder / FILE)
    parts = {name: FIRST_PART if number % 2 else SECOND_PART for number, name in enumerate(sorted(state))}
    for part in (FIRST_PART, SECOND_PART):
        save_file({name: tensor for name, tensor in state.items() if parts[name] == part}, folder / part)
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": parts, **entries}))
    (folder / FILE).unlink()


def split_and(edit: Edit) -> Edit:
    def both(folder: Path) -> None:
        split(folder)
        edit(folder)

    return both


def first(edit: Edit, then: Edit) -> Edit:
    def both(folder: Path) -> None:
        edit(folder)
        then(folder)

    return both


def configured(**entries: Any) -> Edit:
    def edit(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | entries))

    return edit


@pytest.fixture(scope="module")
def good(pipelines: SavedPipelines) -> Path:
    """Return the folder of a tiny trained transformer."""
    return pipelines.post_trained("FTcosmos").weights


def loaded(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    options = {"use_safetensors": True, "local_files_only": True}
    return load_component(CosmosTransformer3DModel, str(folder), dtype, "", options).state_dict()


WEIGHT = "transformer_blocks.0.attn1.to_q.weight"
UNDERSTOOD: dict[str, Edit] = {
    "compiled": weights(prefixed("_orig_mod.")),
    "compiled within parallel training": weights(prefixed("module._orig_mod.")),
    "wrappers in any nesting": weights(prefixed("model.module._orig_mod.model.transformer.")),
    "blocks compiled one by one": weights(lambda s: {n.replace("s.0.", "s.0._orig_mod."): t for n, t in s.items()}),
    "split": split,
    "split and wrapped": first(weights(prefixed("module.")), split),
    "an index that counts no bytes": lambda folder: split(folder, metadata={}),
    "an index with nothing but names": split_and(
        lambda f: (f / INDEX).write_text(json.dumps({"weight_map": json.loads((f / INDEX).read_text())["weight_map"]}))
    ),
    "double precision": each(lambda tensor: tensor.double()),
}


@pytest.mark.parametrize("kind", UNDERSTOOD)
def test_what_trainers_and_wrappers_write_gives_the_same_weights(kind: str, good: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(good, tmp_path / "part")
    UNDERSTOOD[kind](folder)
    expected, found = load_file(good / FILE), loaded(folder)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dtypes_are_converted(dtype: torch.dtype, stored: torch.dtype, prefix: str, good: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(good, tmp_path / "part")
    first(each(lambda tensor: tensor.to(stored)), weights(prefixed(prefix)))(folder)
    found = loaded(folder, dtype)
    for name, tensor in load_file(good / FILE).items():
        assert found[name].dtype == dtype
        assert torch.equal(found[name], tensor.to(stored).to(dtype)), name


REFUSED: dict[str, tuple[Edit, str]] = {
    "a missing weight": (weights(lambda s: {n: t for n, t in s.items() if n != WEIGHT}), rf"1 are missing \({WEIGHT}"),
    "an unknown weight": (
        weights(lambda s: s | {"of_another.weight": s[WEIGHT].clone()}),
        r"1 are unknown \(of_another",
    ),
    "another name": (
        weights(lambda s: {n.replace("attn1", "atn1"): t for n, t in s.items()}),
        r"12 are missing .* 12 are unknown .*atn1\.norm_k\.weight \(nearest: .*attn1\.norm_k\.weight\)",
    ),
    "another prefix": (weights(prefixed("ema.")), "are missing.*are unknown"),
    "a weight under two names": (
        weights(lambda s: s | {f"module.{WEIGHT}": s[WEIGHT].clone()}),
        rf"unknown .*{WEIGHT}",
    ),
    "unmerged adapters": (
        weights(lambda s: {n.replace("to_q.w", "to_q.base_layer.w"): t for n, t in s.items()}),
        "are missing.*base_layer",
    ),
    "more layers in the configuration": (configured(num_layers=3), r"are missing .*transformer_blocks\.2"),
    "another shape": (one(lambda t: t[:, :-1]), rf"1 have another shape \({WEIGHT}"),
    "another shape, wrapped": (first(one(lambda t: t[1:]), weights(prefixed("module."))), "another shape"),
    "NaN": (one(lambda t: t * float("nan")), rf"1 hold NaN or infinity .*{WEIGHT}"),
    "infinity, wrapped": (first(one(lambda t: t / 0), weights(prefixed("module."))), "NaN or infinity"),
    "eight bits": (each(lambda t: (t * 10).to(torch.int8)), "are not in floating point"),
    "one weight in eight bits": (one(lambda t: (t * 10).to(torch.uint8)), rf"1 are not in floating point \({WEIGHT}"),
    "a quantised configuration": (configured(quantization_config={"quant_method": "bitsandbytes"}), "are quantised"),
    "a file cut short": (lambda f: (f / FILE).write_bytes((f / FILE).read_bytes()[:-9]), "no safetensors file"),
    "a split file without a part": (split_and(lambda f: (f / SECOND_PART).unlink()), "lacks 1 of the 2 files"),
    "a part cut short": (split_and(lambda f: (f / SECOND_PART).write_bytes(b"{}")), "no safetensors file"),
    "an index that is none": (split_and(lambda f: (f / INDEX).write_text("{")), "is no JSON"),
    "an index of another form": (split_and(lambda f: (f / INDEX).write_text('{"weight_map": [1]}')), "which files"),
    "an index that leads elsewhere": (lambda f: split(f, weight_map={WEIGHT: "../x.safetensors"}), "which files"),
    "parts that overlap": (split_and(lambda f: shutil.copy(f / FIRST_PART, f / SECOND_PART)), "in two of its files"),
    "an old file beside the split one": (
        split_and(lambda f: shutil.copy(f / FIRST_PART, f / FILE)),
        "Remove the old one",
    ),
    "a configuration that is none": (lambda f: (f / "config.json").write_text("{"), "is no JSON"),
    "a configuration of another kind": (configured(num_layers="two"), "makes no CosmosTransformer3DModel"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_the_model_is_refused_by_name(kind: str, good: Path, tmp_path: Path) -> None:
    edit, reason = REFUSED[kind]
    folder = shutil.copytree(good, tmp_path / "part")
    edit(folder)
    with pytest.raises(Refusal, match=f"(?s){reason}"):
        loaded(folder)


def test_weights_that_the_dtype_cannot_hold_are_refused(good: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(good, tmp_path / "part")
    one(lambda tensor: tensor * 1e9)(folder)
    with pytest.raises(Refusal, match=rf"NaN or infinity as torch\.float16 \({WEIGHT}"):
        loaded(folder, torch.float16)


OF_TEXT: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "NaN": (lambda tensor: tensor * float("nan"), "hold NaN or infinity"),
    "eight bits": (lambda tensor: (tensor * 10).to(torch.int8), "are not in floating point"),
    "another shape": (lambda tensor: tensor[:-1].clone(), "have another shape"),
}


@pytest.mark.parametrize("kind", OF_TEXT)
def test_a_text_encoder_that_does_not_fit_is_refused_by_name(
    kind: str, pipelines: SavedPipelines, tmp_path: Path
) -> None:
    change, reason = OF_TEXT[kind]
    base = shutil.copytree(pipelines.published("ltx").base, tmp_path / "base")
    file = base / "text_encoder" / "model.safetensors"
    state = load_file(file)
    name = next(name for name in state if name.endswith("q.weight"))
    save_file(state | {name: change(state[name])}, file, {"format": "pt"})
    with pytest.raises(Refusal, match=rf"1 {reason}.*{name}"):
        world_model(tiny_manifest("ltx", Saved(base, base)))


@pytest.mark.parametrize("prefix", ["module.model."])
@pytest.mark.parametrize("name", ["FTcosmos"])
def test_wrapped_names_of_a_trained_part_are_understood(
    name: str, prefix: str, pipelines: SavedPipelines, tmp_path: Path
) -> None:
    good = pipelines.post_trained(name)
    part = shutil.copytree(good.weights, tmp_path / "part")
    rewritten(part, prefixed(prefix))
    expected = world_model(tiny_manifest(name, good)).pipeline.transformer.state_dict()
    found = world_model(tiny_manifest(name, Saved(good.base, part))).pipeline.transformer.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("change", [without_one, one_too_many, prefixed("ema.")])
@pytest.mark.parametrize("component", ["transformer", "vae"])
def test_a_pipeline_with_other_weights_is_refused_with_their_names(
    change: Any, component: str, pipelines: SavedPipelines, tmp_path: Path
) -> None:
    base = shutil.copytree(pipelines.published("ltx").base, tmp_path / "base")
    rewritten(base / component, change)
    with pytest.raises(Refusal, match=r"(are missing|are unknown) \("):
        world_model(tiny_manifest("ltx", Saved(base, base)))


def without_numbers(state: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor * float("nan") for name, tensor in state.items()}


@pytest.mark.parametrize("change", [without_one, one_too_many, without_numbers])
def test_an_action_embedding_with_other_weights_is_refused(
    change: Any, pipelines: SavedPipelines, tmp_path: Path
) -> None:
    good = pipelines.post_trained("FTsvd")
    part = shutil.copytree(good.weights, tmp_path / "part")
    file = part / "unet" / "action_embedding.safetensors"
    save_file(change(load_file(file)), file)
    with pytest.raises(Refusal, match=r"action_embedding\.safetensors.*(are missing|are unknown|NaN or infinity) \("):
        world_model(tiny_manifest("FTsvd", Saved(good.base, part)))


def test_wrapped_names_of_unet_and_action_embedding_are_understood(pipelines: SavedPipelines, tmp_path: Path) -> None:
    good = pipelines.post_trained("FTsvd")
    part = shutil.copytree(good.weights, tmp_path / "part")
    rewritten(part / "unet", prefixed("module._orig_mod."))
    file = part / "unet" / "action_embedding.safetensors"
    save_file(prefixed("module.")(load_file(file)), file)
    expected, found = (world_model(tiny_manifest("FTsvd", s)) for s in (good, Saved(good.base, part)))
    assert torch.equal(expected.actions.project.weight, found.actions.project.weight)
    state = found.pipeline.unet.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in expected.pipeline.unet.state_dict().items())
