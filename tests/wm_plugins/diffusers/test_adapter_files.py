"""Which file of an adapter applies, to which of two experts, and what its header says for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import torch
from safetensors.torch import load_file
from video_diffusion.adapter_files import expert_of
from video_diffusion.adapters import merge_adapters

from harness.contracts.errors import Refusal
from tests.wm_plugins.diffusers.adapters import Pipeline, Trained, saved, state_of, trained

FIRST, SECOND = "transformer", "transformer_2"
KEY = "transformer.{name}.lora_{half}.weight"
HIGH, LOW = trained("wan22", seed=1), trained("wan22", seed=2)


def check_experts(place: Path, factor: float = 1.0) -> None:
    """Merge into two experts, and compare the weights of each with the arithmetic of its own adapter."""
    pipeline = Pipeline(experts=2)
    before = {part: pipeline.weights(part) for part in (FIRST, SECOND)}
    merge_adapters(pipeline, place, 1.0, "toy")
    for part, pairs in ((FIRST, HIGH), (SECOND, LOW)):
        for pair in pairs:
            for name, change in pair.changes(getattr(pipeline, part), factor).items():
                added = pipeline.weights(part)[name] - before[part][name]
                torch.testing.assert_close(added, change.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "names",
    [
        ("x_HIGH.safetensors", "x_LOW.safetensors"),
        ("high_noise/a.safetensors", "low_noise/a.safetensors"),
        ("transformer/a.safetensors", "transformer_2/a.safetensors"),
        ("WanHighNoise.safetensors", "WanLowNoise.safetensors"),
        ("Wan2.2-I2V-A14B_high_noise_lora/epoch-4.safetensors", "Wan2.2-I2V-A14B_low_noise_lora/epoch-4.safetensors"),
    ],
)
@pytest.mark.parametrize("key", [KEY, "{name}.lora_{half}.default.weight"])
def test_each_expert_gets_its_own(key: str, names: tuple[str, str], tmp_path: Path) -> None:
    for name, pairs in zip(names, (HIGH, LOW), strict=True):
        saved(tmp_path / name, state_of(pairs, key))
    check_experts(tmp_path)


@pytest.mark.parametrize("second", ["transformer_2.", "module.transformer_2._orig_mod.", "pipe.dit2."])
def test_one_file_may_hold_both_experts(second: str, tmp_path: Path) -> None:
    both = state_of(HIGH, KEY) | state_of(LOW, second + "{name}.lora_{half}.weight")
    check_experts(saved(tmp_path / "both.safetensors", both))


def test_each_expert_of_a_pair_has_the_strength_of_its_own_header(tmp_path: Path) -> None:
    for folder, pairs in (("high_noise", HIGH), ("low_noise", LOW)):
        said = {"r": 2, "lora_alpha": 8, "target_modules": [pair.name for pair in pairs]}
        header = json.dumps({f"transformer.{entry}": value for entry, value in said.items()})
        saved(tmp_path / folder / "x.safetensors", state_of(pairs, KEY), lora_adapter_metadata=header)
    check_experts(tmp_path, 4.0)


@pytest.mark.parametrize("name", ["transformer.", "diffusion_model.", ""])
def test_the_strength_in_a_header_holds_whatever_the_component_is_called(tmp_path: Path, name: str) -> None:
    said = {"r": 2, "lora_alpha": 8, "target_modules": [pair.name for pair in HIGH]}
    header = json.dumps({f"{name}{entry}": value for entry, value in said.items()})
    file = saved(tmp_path / "x.safetensors", state_of(HIGH, KEY), lora_adapter_metadata=header)
    pipeline = Pipeline()
    before, pair = pipeline.weights(), HIGH[0]
    merge_adapters(pipeline, file, 1.0, "toy")
    ((weight, change),) = pair.changes(pipeline.transformer, 4.0).items()
    torch.testing.assert_close(pipeline.weights()[weight] - before[weight], change.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("alpha", [4, 8])
def test_a_header_and_the_file_beside_have_to_agree(alpha: int, tmp_path: Path) -> None:
    said = {"r": 2, "lora_alpha": 8, "target_modules": [pair.name for pair in HIGH]}
    header = json.dumps({f"transformer.{entry}": value for entry, value in said.items()})
    beside = {**said, "lora_alpha": alpha, "rank_pattern": {}}
    file = saved(tmp_path / "x.safetensors", state_of(HIGH, KEY), beside, lora_adapter_metadata=header)
    if alpha == 8:
        merge_adapters(Pipeline(), file, 1.0, "toy")
    else:
        with pytest.raises(Refusal, match=r"says lora_alpha 8, and adapter_config\.json beside it 4"):
            merge_adapters(Pipeline(), file, 1.0, "toy")


def empty(pairs: list[Trained]) -> list[Trained]:
    return [Trained(pair.name, pair.layers, pair.a, torch.zeros_like(pair.b)) for pair in pairs]


WRONG: dict[str, tuple[dict[str, tuple[list[Trained], str]], str]] = {
    "the first expert alone": ({"HIGH": (HIGH, KEY)}, "no adapter for the transformer_2"),
    "one that names none": ({"one": (HIGH, KEY)}, "no adapter for the transformer_2"),
    "two that name none": ({"one": (HIGH, KEY), "two": (LOW, KEY)}, "both for the transformer"),
    "the first twice": ({"HIGH": (HIGH, KEY), "also_high": (LOW, KEY)}, "both for the transformer"),
    "both in one name": ({"high_low": (HIGH, KEY)}, "names both experts"),
    "three": ({"HIGH": (HIGH, KEY), "LOW": (LOW, KEY), "more": (LOW, KEY)}, "holds 3 adapters"),
    "keys of the other": (
        {"HIGH": (HIGH, KEY.replace("transformer", SECOND)), "LOW": (LOW, KEY)},
        "land nowhere",
    ),
    "one that changes nothing": ({"HIGH": (HIGH, KEY), "LOW": (empty(LOW), KEY)}, r"LOW\.safetensors changes nothing"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_two_experts_need_one_adapter_each(kind: str, tmp_path: Path) -> None:
    files, reason = WRONG[kind]
    for name, (pairs, key) in files.items():
        saved(tmp_path / f"{name}.safetensors", state_of(pairs, key))
    with pytest.raises(Refusal, match=reason):
        merge_adapters(Pipeline(experts=2), tmp_path, 1.0, "toy")


@pytest.mark.parametrize(
    ("file", "key"), [("low_noise.safetensors", KEY), ("a.safetensors", KEY.replace("transformer", SECOND))]
)
def test_a_model_of_one_denoiser_takes_no_second_expert(file: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"low noise|land nowhere"):
        merge_adapters(Pipeline(), saved(tmp_path / file, state_of(LOW, key)), 1.0, "toy")


def test_two_files_for_one_denoiser_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "a.safetensors", state_of(HIGH))
    saved(tmp_path / "checkpoint-100" / "a.safetensors", state_of(LOW))
    with pytest.raises(Refusal, match=r"2 adapters.*checkpoint-100"):
        merge_adapters(Pipeline(), tmp_path, 1.0, "toy")


@pytest.mark.parametrize(
    ("path", "expert"),
    [
        ("slow_flow.safetensors", ""),
        ("low_rank.safetensors", ""),
        ("high-quality.safetensors", ""),
        ("wan2.2_i2v_A14b_low_noise_lora_rank64.safetensors", SECOND),
        ("W22-HIGH-r16.safetensors", FIRST),
    ],
)
def test_which_expert_a_path_names(path: str, expert: str) -> None:
    assert expert_of(path) == expert


def test_a_file_is_left_as_it_was(tmp_path: Path) -> None:
    state: dict[str, Any] = state_of(HIGH)
    file = saved(tmp_path / "a.safetensors", state)
    merge_adapters(Pipeline(), file, 1.0, "toy")
    assert {name: tensor.tolist() for name, tensor in load_file(file).items()} == {
        n: t.tolist() for n, t in state.items()
    }


def test_a_pickled_adapter_beside_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "x.safetensors", state_of(HIGH))
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")
    with pytest.raises(Refusal, match=r"adapter_model\.bin"):
        merge_adapters(Pipeline(), tmp_path, 1.0, "toy")
