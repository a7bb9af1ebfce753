"""Full checkpoints: all weights of a component come from the file, whatever a trainer wrapped around their names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import torch
from safetensors.torch import load_file, save_file

from harness.contracts.errors import Refusal
from tests.wm_plugins.diffusers.saving import Saved, SavedPipelines
from tests.wm_plugins.diffusers.zoo import tiny_manifest, world_model

FILE = "diffusion_pytorch_model.safetensors"


def rewritten(folder: Path, change: Any) -> None:
    state = load_file(folder / FILE)
    save_file(change(state), folder / FILE)


def prefixed(prefix: str) -> Any:
    return lambda state: {prefix + name: value for name, value in state.items()}


def without_one(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != sorted(state)[0]}


def one_too_many(state: dict[str, Any]) -> dict[str, Any]:
    return state | {"of_another_model.weight": torch.zeros(2)}


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.model.", "transformer."])
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


@pytest.mark.parametrize("change", [without_one, one_too_many])
def test_an_action_embedding_with_other_weights_is_refused(
    change: Any, pipelines: SavedPipelines, tmp_path: Path
) -> None:
    good = pipelines.post_trained("FTsvd")
    part = shutil.copytree(good.weights, tmp_path / "part")
    file = part / "unet" / "action_embedding.safetensors"
    save_file(change(load_file(file)), file)
    with pytest.raises(Refusal, match=r"action_embedding\.safetensors.*(are missing|are unknown) \("):
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
