"""Trained parts in place of those of a pipeline: one or two experts, by any names, and nothing that is passed over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import diffusers
import torch
from safetensors.torch import load_file, save_file
from video_diffusion.adapter_names import LayerNames

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

EXPERTS = ("transformer", "transformer_2")


def higher(by: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {name: tensor + by for name, tensor in state.items()}


@pytest.mark.parametrize("folders", [EXPERTS, ("high_noise_model", "low_noise_model")])
def test_both_experts_are_replaced(folders: tuple[str, str], pipelines: SavedPipelines, tmp_path: Path) -> None:
    base = pipelines.published("FTwan22-14B").base
    for number, (expert, folder) in enumerate(zip(EXPERTS, folders, strict=True), start=1):
        shutil.copytree(base / expert, tmp_path / folder)
        rewritten(tmp_path / folder, higher(number))
    model = world_model(tiny_manifest("FTwan22-14B", Saved(base, tmp_path), part="transformer"))
    for number, expert in enumerate(EXPERTS, start=1):
        found = getattr(model.pipeline, expert).state_dict()
        was = load_file(base / expert / FILE)
        assert all(torch.equal(found[name], tensor + number) for name, tensor in was.items())


@pytest.mark.parametrize(
    ("name", "folders", "reason"),
    [
        ("FTwan22-14B", ("transformer",), "has no folder of transformer_2"),
        ("FTwan22-14B", ("low_noise",), "has no folder of transformer"),
        ("FTwan22-14B", ("",), "has no folder of transformer"),
        (
            "FTwan22-14B",
            ("transformer", "high_noise", "transformer_2"),
            r"in place of .*: (high_noise|transformer)/diff",
        ),
        ("FTwan22", ("transformer", "transformer_2"), "in place of the transformer: transformer_2/diffusion"),
        ("FTwan22", ("transformer", "vae"), "in place of the transformer: vae/diffusion"),
        ("FTwan22", ("", "transformer"), "in place of the transformer: diffusion"),
        ("FTwan22", ("", "checkpoint-500"), "in place of the transformer: checkpoint-500/diffusion"),
    ],
)
def test_parts_that_would_be_passed_over_are_refused(
    name: str, folders: tuple[str, ...], reason: str, pipelines: SavedPipelines, tmp_path: Path
) -> None:
    base = pipelines.published(name).base
    for folder in folders:
        shutil.copytree(base / "transformer", tmp_path / "part" / folder, dirs_exist_ok=True)
    with pytest.raises(Refusal, match=reason):
        world_model(tiny_manifest(name, Saved(base, tmp_path / "part"), part="transformer"))


@pytest.mark.parametrize("file", ["ema.safetensors", "diffusion_pytorch_model.fp16.safetensors", "lora.safetensors"])
def test_other_weights_beside_those_of_a_part_are_refused(file: str, pipelines: SavedPipelines, tmp_path: Path) -> None:
    folder = shutil.copytree(pipelines.post_trained("FTcosmos").weights, tmp_path / "part")
    shutil.copy(folder / FILE, folder / file)
    with pytest.raises(Refusal, match=f"not loaded in place of the transformer: {file}"):
        world_model(tiny_manifest("FTcosmos", Saved(pipelines.published("FTcosmos").base, folder)))


def test_a_pipeline_of_another_model_is_refused(pipelines: SavedPipelines) -> None:
    other = pipelines.published("wan22")
    with pytest.raises(Refusal, match="is a WanTransformer3DModel, and LTXImageToVideoPipeline takes a LTXVideo"):
        world_model(tiny_manifest("ltx", other))


def test_an_index_of_a_pipeline_that_is_none_is_refused(pipelines: SavedPipelines, tmp_path: Path) -> None:
    base = shutil.copytree(pipelines.published("ltx").base, tmp_path / "base")
    (base / "model_index.json").write_text("[1]")
    with pytest.raises(Refusal, match="lists no components"):
        world_model(tiny_manifest("ltx", Saved(base, base)))


@pytest.mark.parametrize("as_file", [False, True])
def test_an_adapter_in_place_of_a_part_says_how_it_is_loaded(as_file: bool, pipelines: SavedPipelines) -> None:
    base, place = pipelines.published("FTcosmos").base, pipelines.post_trained("FTwan22").weights
    file = place / "pytorch_lora_weights.safetensors"
    with pytest.raises(Refusal, match=r"are missing.*--set part=lora"):
        world_model(tiny_manifest("FTcosmos", Saved(base, file if as_file else place)))


ALSO = {
    "FTwan22": {"attn1": "self_attn", "attn2": "cross_attn", "norm2": "norm3", "scale_shift_table": "modulation"},
    "FTltx": {"norm_q": "q_norm", "norm_k": "k_norm"},
    "FTcosmos": {
        "transformer_blocks": "blocks",
        "attn1": "self_attn",
        "attn2": "cross_attn",
        "norm_q": "q_norm",
        "norm_k": "k_norm",
        "time_embed.norm": "t_embedding_norm",
    },
}
"""What the authors' code of each model calls parts that are no layers (those: test_adapters.py)."""


def by_authors(model: str, transformer: Path) -> dict[str, Any]:
    """Return weights one higher than those in ``transformer`` by the names of the authors' code."""
    cls = getattr(diffusers, json.loads((transformer / "config.json").read_text())["_class_name"])
    layers = {own: theirs for theirs, (own,) in LayerNames(cls.from_pretrained(transformer)).authors.items()}
    found = {}
    for name, tensor in load_file(transformer / FILE).items():
        layer, _, kind = name.rpartition(".")
        theirs = f"{layers[layer]}.{kind}" if layer in layers else name
        for ours, other in ALSO[model].items() if layer not in layers else ():
            theirs = theirs.replace(ours, other)
        found["head.modulation" if theirs == "modulation" else theirs] = tensor + 1
    return found


def check_one_higher(model: Any, base: Path, part: str = "transformer") -> None:
    found = getattr(model.pipeline, part).state_dict()
    assert all(torch.equal(found[name], tensor + 1) for name, tensor in load_file(base / part / FILE).items())


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("FTwan22", ""),
        ("FTwan22", "pipe.dit."),
        ("FTwan22", "module._orig_mod."),
        ("FTltx", "model.diffusion_model."),
        ("FTcosmos", "net."),
        ("FTcosmos", ""),
    ],
)
def test_all_weights_by_the_names_of_the_authors_code_are_loaded(
    name: str, prefix: str, pipelines: SavedPipelines, tmp_path: Path
) -> None:
    base, file = pipelines.published(name).base, tmp_path / "epoch-4.safetensors"
    save_file(prefixed(prefix)(by_authors(name, base / "transformer")), file)
    for place in (tmp_path, file):
        check_one_higher(world_model(tiny_manifest(name, Saved(base, place), part="transformer")), base)


def test_both_experts_by_the_names_of_the_authors_code_are_loaded(pipelines: SavedPipelines, tmp_path: Path) -> None:
    base = pipelines.published("FTwan22-14B").base
    for expert, noise in zip(EXPERTS, ("high", "low"), strict=True):
        folder = tmp_path / f"Wan2.2-I2V-A14B_{noise}_noise_full"
        folder.mkdir()
        save_file(by_authors("FTwan22", base / expert), folder / "epoch-1.safetensors")
    model = world_model(tiny_manifest("FTwan22-14B", Saved(base, tmp_path), part="transformer"))
    for expert in EXPERTS:
        check_one_higher(model, base, expert)


@pytest.mark.parametrize("change", [without_one, one_too_many])
def test_authors_weights_that_are_not_whole_are_refused(change: Any, pipelines: SavedPipelines, tmp_path: Path) -> None:
    base = pipelines.published("FTwan22").base
    save_file(change(by_authors("FTwan22", base / "transformer")), tmp_path / "epoch-4.safetensors")
    with pytest.raises(Refusal, match=r"epoch-4\.safetensors do not fit: 1 (are missing|are unknown) \("):
        world_model(tiny_manifest("FTwan22", Saved(base, tmp_path), part="transformer"))
