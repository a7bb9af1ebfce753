"""Adapters: every tensor lands in the expert that it is for, as strong as it was trained, or nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("peft", reason="adapters need peft (the extra 'models')")

import torch
from safetensors.torch import load_file, save_file
from video_diffusion.adapter_files import expert_of
from video_diffusion.adapters import merge_adapters

from harness.contracts.errors import Refusal

A, B = "blocks.0.attn1.to_q.lora_A.weight", "blocks.0.attn1.to_q.lora_B.weight"
Q = "blocks.0.attn1.to_q.weight"


class Pipeline:
    """A pipeline with nothing but its experts: one, or two of the same shape."""

    def __init__(self, experts: int = 1) -> None:
        from diffusers import WanTransformer3DModel

        torch.manual_seed(3)
        sizes: dict[str, Any] = {"num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 16}
        sizes |= {"out_channels": 16, "text_dim": 32, "freq_dim": 256, "ffn_dim": 32, "num_layers": 2}
        sizes |= {"cross_attn_norm": True, "rope_max_seq_len": 32}
        self.transformer = WanTransformer3DModel(**sizes)
        self.transformer_2 = WanTransformer3DModel(**sizes) if experts == 2 else None

    def weights(self, expert: str = "transformer") -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in getattr(self, expert).state_dict().items()}


def adapter(seed: int = 5, rank: int = 2, layers: tuple[str, ...] = ("attn1.to_q", "attn2.to_v")) -> dict[str, Any]:
    """Return random halves for ``layers`` of both blocks of the tiny transformer, under its own names."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for layer in (f"blocks.{block}.{name}" for block in (0, 1) for name in layers):
        state[f"{layer}.lora_A.weight"] = torch.randn(rank, 24, generator=generator)
        state[f"{layer}.lora_B.weight"] = torch.randn(24, rank, generator=generator)
    return state


def saved(file: Path, state: dict[str, Any], prefix: str = "", **config: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({prefix + name: value.clone().contiguous() for name, value in state.items()}, file)
    if config:
        (file.parent / "adapter_config.json").write_text(json.dumps(config))
    return file


def change(pipeline: Pipeline, place: Path, name: str = Q, expert: str = "transformer") -> torch.Tensor:
    """Return what merging the adapter in ``place`` adds to a weight."""
    before = pipeline.weights(expert)[name]
    merge_adapters(pipeline, place, 1.0, "toy")
    return pipeline.weights(expert)[name] - before


def close(left: torch.Tensor, right: torch.Tensor) -> bool:
    return bool(torch.allclose(left, right, atol=1e-5))


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "transformer.",
        "_orig_mod.",
        "module.",
        "model.",
        "module._orig_mod.",
        "transformer.model.module.",
        "diffusion_model.",
    ],
)
def test_prefixes_of_wrappers_are_understood(prefix: str, tmp_path: Path) -> None:
    state = adapter()
    assert close(change(Pipeline(), saved(tmp_path / "a.safetensors", state, prefix)), state[B] @ state[A])


def test_every_layer_is_changed_and_no_other(tmp_path: Path) -> None:
    state, pipeline = adapter(), Pipeline()
    before = pipeline.weights()
    merge_adapters(pipeline, saved(tmp_path / "a.safetensors", state), 1.0, "toy")
    changed = {name for name, value in pipeline.weights().items() if not torch.equal(value, before[name])}
    assert changed == {name.replace("lora_A.", "") for name in state if "lora_A" in name}


def test_peft_keys_need_their_configuration_and_follow_it(tmp_path: Path) -> None:
    state, prefix = adapter(), "base_model.model."
    file = saved(tmp_path / "adapter_model.safetensors", state, prefix)
    with pytest.raises(Refusal, match=r"base_model\.model\.blocks\.0\.attn1\.to_q\.lora_A.* adapter_config\.json"):
        merge_adapters(Pipeline(), file, 1.0, "toy")
    saved(file, state, prefix, r=2, lora_alpha=6, target_modules=["attn1.to_q", "attn2.to_v"], peft_type="LORA")
    assert close(change(Pipeline(), tmp_path), 3.0 * state[B] @ state[A])


def test_patterns_and_rank_stabilised_scaling_of_a_configuration(tmp_path: Path) -> None:
    state = adapter(rank=4, layers=("attn1.to_q",)) | adapter(seed=6, rank=2, layers=("attn2.to_v",))
    said = {"r": 4, "lora_alpha": 8, "target_modules": ["attn1.to_q", "attn2.to_v"], "use_rslora": True}
    patterns = {"rank_pattern": {"attn2.to_v": 2}, "alpha_pattern": {"attn2.to_v": 1}}
    file = saved(tmp_path / "a.safetensors", state, "base_model.model.", **said, **patterns)
    assert close(change(Pipeline(), file), 4.0 * state[B] @ state[A])
    a, b = (state[f"blocks.1.attn2.to_v.lora_{half}.weight"] for half in "AB")
    assert close(change(Pipeline(), file, "blocks.1.attn2.to_v.weight"), b @ a / 2**0.5)


def test_alphas_in_the_file_and_its_authors_names(tmp_path: Path) -> None:
    state = adapter(layers=("attn1.to_q",))
    theirs = {}
    for name, value in state.items():
        layer, _, half = name.replace("attn1.to_q", "self_attn.q").removesuffix(".weight").rpartition(".")
        theirs[f"{layer}.{'lora_down' if half == 'lora_A' else 'lora_up'}.weight"] = value
        theirs[f"{layer}.alpha"] = torch.tensor(1.0)
    assert close(change(Pipeline(), saved(tmp_path / "a.safetensors", theirs)), state[B] @ state[A] / 2)
    kohya = {}
    for name, value in theirs.items():
        layer, dot, rest = name.partition(".lora_" if ".lora_" in name else ".alpha")
        kohya[f"lora_unet_{layer.replace('.', '_')}{dot}{rest}"] = value
    assert close(change(Pipeline(), saved(tmp_path / "k" / "k.safetensors", kohya)), state[B] @ state[A] / 2)


WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "an unknown layer": lambda s: s | {A.replace("0", "7"): s[A], B.replace("0", "7"): s[B]},
    "an unknown kind": lambda s: s | {"blocks.0.attn1.to_q.diff": s[A]},
    "half a pair": lambda s: {name: value for name, value in s.items() if name != B},
    "a text encoder": lambda s: s | {"text_encoder.layers.0.lora_A.weight": s[A]},
    "two adapters": lambda s: s | {A.replace(".weight", ".x.weight"): s[A], B.replace(".weight", ".y.weight"): s[B]},
    "another width": lambda s: s | {A: torch.randn(2, 25)},
    "no effect": lambda s: {n: torch.zeros_like(v) if "lora_B" in n else v for n, v in s.items()},
    "no numbers": lambda s: s | {B: s[B] * float("nan")},
    "no tensors at all": lambda s: {},
}


FITS = {"r": 2, "lora_alpha": 2, "target_modules": ["attn1.to_q", "attn2.to_v"]}


@pytest.mark.parametrize("kind", WRONG)
def test_what_does_not_land_is_refused(kind: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "a.safetensors", WRONG[kind](adapter()))
    with pytest.raises(Refusal, match=r"a\.safetensors"):
        merge_adapters(Pipeline(), file, 1.0, "toy")


@pytest.mark.parametrize(
    "config",
    [
        {"r": 3, "lora_alpha": 3, "target_modules": ["attn1.to_q", "attn2.to_v"]},
        {"r": 2, "lora_alpha": 2, "target_modules": ["attn1.to_q"]},
        {"r": 2, "lora_alpha": 2, "target_modules": ["attn1.to_q", "attn2.to_v", "attn2.to_k"]},
        {"r": 2, "lora_alpha": 2, "target_modules": ["attn1.to_q", "attn2.to_v"], "peft_type": "LOHA"},
        {"r": 2, "lora_alpha": 2, "target_modules": ["attn1.to_q", "attn2.to_v"], "of_tomorrow": True},
        {**FITS, "rank_pattern": 7},
        {**FITS, "r": "two"},
        {**FITS, "velora_config": [1]},
        {**FITS, "layer_replication": {"a": 1}},
        {**FITS, "target_parameters": [[1]]},
        {**FITS, "exclude_modules": 5},
    ],
)
def test_a_configuration_that_does_not_agree_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        merge_adapters(
            Pipeline(), saved(tmp_path / "a.safetensors", adapter(), "base_model.model.", **config), 1.0, "t"
        )


def test_a_configuration_chooses_no_package_to_import(tmp_path: Path) -> None:
    """As peft does for Megatron's layers."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "chosen_by_weights.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    for package in ("no_such_package", "chosen_by_weights"):
        config = {**FITS, "megatron_config": {"tensor_model_parallel_size": 1}, "megatron_core": package}
        file = saved(tmp_path / package / "a.safetensors", adapter(), "base_model.model.", **config)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Refusal, match="not understood: megatron_config"):
            patch.syspath_prepend(str(folder))
            merge_adapters(Pipeline(), file, 1.0, "t")
    assert not (tmp_path / "sprung").exists()


def test_a_package_that_peft_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*asked: Any, **more: Any) -> None:
        raise ModuleNotFoundError("No module named 'exotic_layers'")

    monkeypatch.setattr("peft.inject_adapter_in_model", lacking)
    with pytest.raises(Refusal, match=r"a\.safetensors does not fit .*ModuleNotFoundError: .*exotic_layers"):
        merge_adapters(Pipeline(), saved(tmp_path / "a.safetensors", adapter()), 1.0, "t")


@pytest.mark.parametrize("text", ['{"r": NaN}', '{"r": 1e999}', "[" * 100000, "{", "[]", '{"r": ' + "9" * 5000 + "}"])
def test_a_configuration_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "a.safetensors", adapter())
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(Refusal, match="adapter_config"):
        merge_adapters(Pipeline(), file, 1.0, "toy")


def test_two_files_for_one_expert_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "a.safetensors", adapter(1))
    saved(tmp_path / "checkpoint-100" / "a.safetensors", adapter(2))
    with pytest.raises(Refusal, match=r"2 adapters.*checkpoint-100"):
        merge_adapters(Pipeline(), tmp_path, 1.0, "toy")


@pytest.mark.parametrize(
    "names",
    [
        ("x_HIGH.safetensors", "x_LOW.safetensors"),
        ("high_noise/a.safetensors", "low_noise/a.safetensors"),
        ("transformer/a.safetensors", "transformer_2/a.safetensors"),
        ("WanHighNoise.safetensors", "WanLowNoise.safetensors"),
    ],
)
def test_each_expert_gets_its_own(names: tuple[str, str], tmp_path: Path) -> None:
    states = (adapter(1), adapter(2))
    for name, state in zip(names, states, strict=True):
        saved(tmp_path / name, state, "transformer.")
    for expert, state in zip(("transformer", "transformer_2"), states, strict=True):
        assert close(change(Pipeline(2), tmp_path, Q, expert), state[B] @ state[A])


def test_one_file_may_hold_both_experts(tmp_path: Path) -> None:
    first, second = adapter(1), adapter(2)
    both = {f"transformer.{n}": v for n, v in first.items()} | {f"transformer_2.{n}": v for n, v in second.items()}
    file = saved(tmp_path / "both.safetensors", both)
    assert close(change(Pipeline(2), file, Q, "transformer"), first[B] @ first[A])
    assert close(change(Pipeline(2), file, Q, "transformer_2"), second[B] @ second[A])


@pytest.mark.parametrize(
    "names",
    [
        ("HIGH.safetensors",),
        ("one.safetensors",),
        ("one.safetensors", "two.safetensors"),
        ("HIGH.safetensors", "also_high.safetensors"),
        ("high_low.safetensors",),
    ],
)
def test_an_expert_without_an_adapter_of_its_own_is_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    for number, name in enumerate(names):
        saved(tmp_path / name, adapter(number), "transformer.")
    with pytest.raises(Refusal):
        merge_adapters(Pipeline(2), tmp_path, 1.0, "toy")


def test_keys_of_the_second_expert_in_a_file_of_the_first_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "HIGH.safetensors", adapter(1), "transformer_2.")
    saved(tmp_path / "LOW.safetensors", adapter(2), "transformer.")
    with pytest.raises(Refusal, match="land nowhere"):
        merge_adapters(Pipeline(2), tmp_path, 1.0, "toy")


@pytest.mark.parametrize(
    ("path", "expert"),
    [
        ("slow_flow.safetensors", ""),
        ("low_rank.safetensors", ""),
        ("high-quality.safetensors", ""),
        ("wan2.2_i2v_A14b_low_noise_lora_rank64.safetensors", "transformer_2"),
        ("W22-HIGH-r16.safetensors", "transformer"),
    ],
)
def test_which_expert_a_path_names(path: str, expert: str) -> None:
    assert expert_of(path) == expert


def test_a_file_is_left_as_it_was(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.safetensors", adapter())
    merge_adapters(Pipeline(), file, 1.0, "toy")
    assert set(load_file(file)) == set(adapter())


STRENGTH = {"r": 2, "lora_alpha": 8, "target_modules": ["attn1.to_q", "attn2.to_v"]}


def with_header(file: Path, state: dict[str, Any], prefix: str, **header: str) -> Path:
    """Save an adapter with texts in its header."""
    file.parent.mkdir(exist_ok=True)
    save_file({f"{prefix}{name}": value.contiguous() for name, value in state.items()}, file, metadata=header)
    return file


def strength(changed: torch.Tensor, state: dict[str, Any]) -> float:
    """Return how many times the product of its halves an adapter has added."""
    product = state[B].float() @ state[A].float()
    return float((changed * product).sum() / (product * product).sum())


@pytest.mark.parametrize("name", ["transformer.", "diffusion_model.", ""])
def test_the_strength_in_a_header_holds_whatever_the_component_is_called(tmp_path: Path, name: str) -> None:
    header = json.dumps({f"{name}{entry}": value for entry, value in STRENGTH.items()})
    file = with_header(tmp_path / "x.safetensors", adapter(), "transformer.", lora_adapter_metadata=header)
    assert strength(change(Pipeline(), file), adapter()) == pytest.approx(4.0, rel=1e-3)


def test_each_expert_of_a_pair_has_the_strength_of_its_own_header(tmp_path: Path) -> None:
    header = json.dumps({f"transformer.{entry}": value for entry, value in STRENGTH.items()})
    states = {"high_noise": adapter(1), "low_noise": adapter(2)}
    for folder, state in states.items():
        with_header(tmp_path / folder / "x.safetensors", state, "transformer.", lora_adapter_metadata=header)
    pipeline = Pipeline(2)
    before = [pipeline.weights(expert)[Q].clone() for expert in ("transformer", "transformer_2")]
    merge_adapters(pipeline, tmp_path, 1.0, "toy")
    for expert, was, state in zip(("transformer", "transformer_2"), before, states.values(), strict=True):
        assert strength(pipeline.weights(expert)[Q] - was, state) == pytest.approx(4.0, rel=1e-3)


def test_a_strength_that_would_be_a_guess_is_refused(tmp_path: Path) -> None:
    file = with_header(tmp_path / "x.safetensors", adapter(), "transformer.", ss_network_alpha="8")
    with pytest.raises(Refusal, match="ss_network_alpha 8"):
        change(Pipeline(), file)
    one = {**adapter(), "blocks.0.attn1.to_q.alpha": torch.tensor(8.0)}
    with pytest.raises(Refusal, match="an alpha for some modules and none for"):
        change(Pipeline(), saved(tmp_path / "y.safetensors", one))
    whole = {name: (10 * value).to(torch.int8) for name, value in adapter().items()}
    with pytest.raises(Refusal, match="whole numbers"):
        change(Pipeline(), saved(tmp_path / "z.safetensors", whole))


def test_a_pickled_adapter_beside_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "x.safetensors", adapter())
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")
    with pytest.raises(Refusal, match=r"adapter_model\.bin"):
        merge_adapters(Pipeline(), tmp_path, 1.0, "toy")
