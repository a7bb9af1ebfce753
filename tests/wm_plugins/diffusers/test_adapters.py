"""Adapters, formats by models: what is merged is ``W + alpha / rank * B @ A``, or the file is refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("peft", reason="adapters need peft (the extra 'models')")

import torch
from video_diffusion.adapter_names import LayerNames
from video_diffusion.adapters import merge_adapters

from harness.contracts.errors import Refusal
from tests.wm_plugins.diffusers.adapters import (
    MODELS,
    RANK,
    Pipeline,
    Trained,
    flat,
    saved,
    state_of,
    trained,
    with_alphas,
)

NAN = float("nan")
BY_PEFT = "base_model.model.{name}.lora_{half}.weight"


def peft_config(pairs: list[Trained], **more: Any) -> dict[str, Any]:
    """Return what PEFT writes beside an adapter, with all the entries that it fills in by itself."""
    from peft import LoraConfig

    names = [pair.name for pair in pairs]
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=names, base_model_name_or_path="x").to_dict()
    return {**config, "peft_type": "LORA", "target_modules": names, **more}


@dataclass(frozen=True)
class Format:
    """A way to write an adapter: by whose names, and a function of folder, pairs and part that returns the factor."""

    own: bool
    write: Callable[[Path, list[Trained], str], float]
    alpha: float = RANK


def _diffusers(folder: Path, pairs: list[Trained], part: str) -> float:
    saved(folder / "pytorch_lora_weights.safetensors", state_of(pairs, part + ".{name}.lora_{half}.weight"))
    return 1.0


def _diffusers_with_header(folder: Path, pairs: list[Trained], part: str) -> float:
    entries = {f"{part}.{name}": value for name, value in peft_config(pairs, lora_alpha=6).items()}
    header = json.dumps({name: sorted(v) if isinstance(v, set) else v for name, v in entries.items()})
    file = folder / "pytorch_lora_weights.safetensors"
    saved(file, state_of(pairs, part + ".{name}.lora_{half}.weight"), lora_adapter_metadata=header)
    return 6 / RANK


def _older_diffusers(folder: Path, pairs: list[Trained], part: str) -> float:
    saved(folder / "a.safetensors", state_of(pairs, part + ".{name}.lora.{half}.weight", "down,up"))
    return 1.0


def _peft(folder: Path, pairs: list[Trained], part: str) -> float:
    saved(folder / "adapter_model.safetensors", state_of(pairs, BY_PEFT), peft_config(pairs, lora_alpha=5))
    return 5 / RANK


def _peft_stabilised(folder: Path, pairs: list[Trained], part: str) -> float:
    config = peft_config(pairs, lora_alpha=5, use_rslora=True)
    saved(folder / "adapter_model.safetensors", state_of(pairs, BY_PEFT), config)
    return float(5 / RANK**0.5)


def _peft_by_patterns(folder: Path, pairs: list[Trained], part: str) -> float:
    patterns = {pair.name.replace(".", r"\."): RANK for pair in pairs}
    alphas = {**dict.fromkeys(patterns, 3), "of_another_model": 7}
    config = peft_config(pairs, r=64, lora_alpha=99, rank_pattern=patterns, alpha_pattern=alphas)
    saved(folder / "adapter_model.safetensors", state_of(pairs, BY_PEFT), config)
    return 3 / RANK


def _diffsynth(folder: Path, pairs: list[Trained], part: str) -> float:
    saved(folder / "epoch-4.safetensors", state_of(pairs, "{name}.lora_{half}.default.weight"))
    return 1.0


def _diffsynth_of_the_pipeline(folder: Path, pairs: list[Trained], part: str) -> float:
    saved(folder / "step-500.safetensors", state_of(pairs, "pipe.dit.{name}.lora_{half}.default.weight"))
    return 1.0


def _comfy(folder: Path, pairs: list[Trained], part: str) -> float:
    state = state_of(pairs, "diffusion_model.{name}.lora_{half}.weight", "down,up")
    saved(folder / "a.safetensors", with_alphas(state, pairs, "diffusion_model.{name}.alpha"))
    return pairs[0].alpha / RANK


def _kohya(folder: Path, pairs: list[Trained], part: str, prefix: str = "lora_unet_", whole: bool = False) -> float:
    pairs = flat(pairs)
    state = state_of(pairs, prefix + "{name}.lora_{half}.weight", "down,up")
    state = with_alphas(state, pairs, prefix + "{name}.alpha", whole)
    saved(folder / "a.safetensors", state, ss_network_alpha=str(pairs[0].alpha), ss_network_dim=str(RANK))
    return pairs[0].alpha / RANK


FORMATS = {
    "diffusers": Format(True, _diffusers),
    "diffusers with its configuration": Format(True, _diffusers_with_header),
    "older diffusers": Format(True, _older_diffusers),
    "peft": Format(True, _peft),
    "peft, rank-stabilised": Format(True, _peft_stabilised),
    "peft, patterns": Format(True, _peft_by_patterns),
    "peft on the authors' code": Format(False, _peft),
    "diffsynth": Format(False, _diffsynth),
    "diffsynth, of the pipeline": Format(False, _diffsynth_of_the_pipeline),
    "comfy": Format(False, _comfy, alpha=1.0),
    "kohya": Format(True, _kohya, alpha=1.0),
    "musubi": Format(False, _kohya, alpha=8.0),
    "musubi, alpha a whole number": Format(False, lambda f, p, part: _kohya(f, p, part, whole=True), alpha=8.0),
    "kohya, compiled": Format(True, lambda f, p, part: _kohya(f, p, part, "lora_unet__orig_mod_"), alpha=3.0),
    "lycoris": Format(True, lambda f, p, part: _kohya(f, p, part, "lycoris_"), alpha=3.0),
}


ROWS = [(f, m) for m in MODELS for f in FORMATS if FORMATS[f].own or m != "svd"]
"""Nobody's trainer knows SVD by other names than those of diffusers."""


@pytest.mark.parametrize(("form", "model"), ROWS)
def test_what_is_merged_is_the_arithmetic_and_nothing_else_changes(form: str, model: str, tmp_path: Path) -> None:
    pairs = trained(model, FORMATS[form].own, alpha=FORMATS[form].alpha)
    pipeline = Pipeline(model)
    factor = FORMATS[form].write(tmp_path, pairs, pipeline.part)
    check_merged(pipeline, tmp_path, pairs, factor)


def check_merged(pipeline: Pipeline, place: Path, pairs: list[Trained], factor: float, scale: float = 1.0) -> None:
    """Merge, and compare every weight with what it was and what ``pairs`` add to it."""
    before = pipeline.weights()
    merge_adapters(pipeline, place, scale, "toy")
    after = pipeline.weights()
    changes = {n: c for pair in pairs for n, c in pair.changes(getattr(pipeline, pipeline.part), factor).items()}
    for name, value in after.items():
        if name in changes:
            expected = (before[name].double() + scale * changes[name]).to(value.dtype)
            torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
            assert not torch.equal(value, before[name])
        else:
            assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("model", ["wan22", "svd"])
@pytest.mark.parametrize("rslora", [False, True])
def test_what_peft_saves_is_merged_as_peft_merges_it(model: str, rslora: bool, tmp_path: Path) -> None:
    import peft

    ours = Pipeline(model)
    theirs = ours.to(torch.float32)
    targets = ["to_q", "ff.net.0.proj", "ffn.net.2"]
    config = peft.LoraConfig(
        r=4, lora_alpha=6, target_modules=targets, use_rslora=rslora, rank_pattern={"to_q": 2}, init_lora_weights=False
    )
    wrapped = peft.get_peft_model(getattr(theirs, theirs.part), config)
    wrapped.save_pretrained(tmp_path)
    merged = wrapped.merge_and_unload().state_dict()
    merge_adapters(ours, tmp_path, 1.0, "toy")
    for name, value in ours.weights().items():
        torch.testing.assert_close(value, merged[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "converter", "prefix"),
    [
        ("wan21", "convert_wan_transformer_to_diffusers", ""),
        ("cosmos", "convert_cosmos_transformer_checkpoint_to_diffusers", "net."),
        ("ltx", "convert_ltx_transformer_checkpoint_to_diffusers", "model.diffusion_model."),
        ("hunyuan", "convert_hunyuan_video_transformer_to_diffusers", ""),
    ],
)
def test_authors_names_are_those_that_diffusers_converts(model: str, converter: str, prefix: str) -> None:
    from diffusers.loaders import single_file_utils

    pipeline = Pipeline(model)
    names = LayerNames(getattr(pipeline, pipeline.part))
    state: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    for theirs, own in names.authors.items():
        if theirs.endswith("linear1") or theirs == "norm_out.linear":  # that converter knows the real size alone
            continue
        parts = [torch.randn_like(names.layers[name].weight) for name in own]
        state[f"{prefix}{theirs}.weight"] = torch.cat(parts)
        expected |= {f"{name}.weight": part for name, part in zip(own, parts, strict=True)}
    converted = getattr(single_file_utils, converter)(state)
    assert all(torch.equal(converted[name], part) for name, part in expected.items())


@pytest.mark.parametrize(
    "prefix",
    [
        "transformer.",
        "_orig_mod.",
        "module.",
        "model.",
        "module._orig_mod.",
        "model.module._orig_mod.transformer.",
        "transformer.model.module.",
        "state_dict.diffusion_model.",
        "net.",
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_prefixes_of_wrappers_are_understood_in_any_nesting(prefix: str, own: bool, tmp_path: Path) -> None:
    pairs = trained("wan22", own)
    state = state_of(pairs, prefix + "{name}.lora_{half}.weight")
    check_merged(Pipeline(), saved(tmp_path / "a.safetensors", state), pairs, 1.0)


def test_wrappers_of_single_layers_are_understood(tmp_path: Path) -> None:
    state = {name.replace("blocks.0.", "blocks.0._orig_mod."): t for name, t in state_of(trained("wan22")).items()}
    check_merged(Pipeline(), saved(tmp_path / "a.safetensors", state), trained("wan22"), 1.0)


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float64, torch.float8_e4m3fn])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dtypes_are_converted_and_weights_rounded_once(stored: torch.dtype, dtype: torch.dtype, tmp_path: Path) -> None:
    pairs = [Trained(p.name, p.layers, p.a.to(stored), p.b.to(stored)) for p in trained("wan22")]
    pipeline = Pipeline().to(dtype)
    check_merged(pipeline, saved(tmp_path / "a.safetensors", state_of(pairs)), pairs, 1.0, scale=0.5)


def test_a_layer_whose_pair_is_zero_stays_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = trained("wan22")
    state = state_of([Trained(first.name, first.layers, first.a, torch.zeros_like(first.b)), *others])
    check_merged(Pipeline(), saved(tmp_path / "a.safetensors", state), others, 1.0)
    assert f"leaves 1 of 3 layers as they were, their pairs add up to zero: {first.name}" in capsys.readouterr().err


def edited(edit: Callable[[dict[str, Any]], dict[str, Any]], key: str = "{name}.lora_{half}.weight") -> Any:
    """Return a writer of a file in which something is wrong."""
    return lambda folder: saved(folder / "a.safetensors", edit(state_of(trained("wan22"), key)))


def configured(**entries: Any) -> Any:
    """Return a writer of an adapter as PEFT saves it, with other entries in its configuration."""
    pairs = trained("wan22")
    return lambda folder: saved(
        folder / "adapter_model.safetensors", state_of(pairs, BY_PEFT), peft_config(pairs, **entries)
    )


def headed(state: dict[str, Any], **header: str) -> Any:
    return lambda folder: saved(folder / "a.safetensors", state, None, **header)


Q = "blocks.0.attn1.to_q"
A, B = f"{Q}.lora_A.weight", f"{Q}.lora_B.weight"
HALVES = state_of(trained("wan22"))
REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    # Keys that land nowhere, with the nearest names.
    "an unknown layer": (
        edited(lambda s: s | {A.replace("0", "7", 1): s[A], B.replace("0", "7", 1): s[B]}),
        r"2 of its 8 keys land nowhere in transformer: blocks\.7\.attn1\.to_q\.lora_A\.weight \(nearest: blocks\.\d",
    ),
    "an unknown layer of kohya": (
        headed({"lora_unet_blocks_9_self_attn_q.lora_up.weight": HALVES[B]}),
        r"nearest: lora_unet_blocks_\d_self_attn_q\)",
    ),
    "an unknown prefix": (edited(lambda s: {f"wrapped.{n}": t for n, t in s.items()}), r"6 of its 6 keys .*nearest"),
    "a norm": (edited(lambda s: s | {"blocks.0.norm2.lora_A.weight": s[A]}), r"blocks\.0\.norm2\.lora_A"),
    "a text encoder": (edited(lambda s: s | {"text_encoder.layers.0.lora_A.weight": s[A]}), "text encoder"),
    "no tensors at all": (edited(lambda s: {}), "0 of its 0 keys"),
    "a whole transformer": (
        lambda folder: saved(folder / "diffusion_pytorch_model.safetensors", Pipeline().weights()),
        "--set part=transformer",
    ),
    "one layer under two names": (
        edited(
            lambda s: s | {A.replace("attn1.to_q", "self_attn.q"): s[A], B.replace("attn1.to_q", "self_attn.q"): s[B]}
        ),
        r"blocks\.0\.attn1\.to_q twice",
    ),
    "one key with and without a wrapper": (edited(lambda s: s | {f"module.{A}": s[A]}), "1 of its 7 keys"),
    # What is no low-rank product.
    "DoRA of kohya": (edited(lambda s: s | {f"{Q}.dora_scale": s[B][:, :1]}), r"dora_scale.*DoRA is not applied"),
    "DoRA of peft": (edited(lambda s: s | {f"{Q}.lora_magnitude_vector": s[B][:, 0]}), "DoRA is not applied"),
    "LoHa": (headed({f"{Q}.hada_w1_a": HALVES[B], f"{Q}.hada_w1_b": HALVES[A]}), "LoHa, LoKr"),
    "LoKr": (headed({f"{Q}.lokr_w1": HALVES[A]}), "LoHa, LoKr"),
    "biases": (edited(lambda s: s | {f"{Q}.lora_B.bias": s[B][:, 0]}), "biases are not applied"),
    "whole differences": (edited(lambda s: s | {f"{Q}.diff_b": s[B][:, 0]}), "biases are not applied"),
    "Tucker convolutions": (edited(lambda s: s | {f"{Q}.lora_mid.weight": s[A]}), "lora_mid"),
    # Tensors.
    "half a pair": (edited(lambda s: {n: t for n, t in s.items() if n != B}), rf"{Q} without its lora_B"),
    "alpha alone": (edited(lambda s: s | {"blocks.1.attn1.to_q.alpha": s[A][0, 0]}), "without its lora_A and lora_B"),
    "another width": (edited(lambda s: s | {A: torch.randn(2, 25)}), rf"{Q}, .*24.* inputs .*\(2, 25\)"),
    "another rank in each half": (edited(lambda s: s | {B: torch.randn(24, 3)}), r"\(2, 24\) and \(24, 3\)"),
    "a half that is one number": (edited(lambda s: s | {A: s[A][0, 0]}), r"\(\) and \(24, 2\)"),
    "no rank at all": (edited(lambda s: s | {A: s[A][:0], B: s[B][:, :0]}), r"\(0, 24\) and \(24, 0\)"),
    "halves exchanged": (edited(lambda s: s | {A: s[B], B: s[A]}), r"\(24, 2\) and \(2, 24\)"),
    "NaN": (edited(lambda s: s | {B: s[B] * NAN}), rf"NaN or infinity: {Q}\.lora_B"),
    "infinity": (edited(lambda s: s | {A: s[A] / 0}), rf"NaN or infinity: {Q}\.lora_A"),
    "NaN in eight bits": (edited(lambda s: s | {A: (s[A] * NAN).to(torch.float8_e4m3fn)}), "NaN or infinity"),
    "alpha that is none": (edited(lambda s: s | {f"{Q}.alpha": torch.tensor(NAN)}), r"NaN or infinity: .*alpha"),
    "two numbers as alpha": (
        lambda folder: saved(
            folder / "a.safetensors",
            with_alphas(HALVES, trained("wan22"), "{name}.alpha") | {f"{Q}.alpha": torch.ones(2)},
        ),
        "2 numbers as alpha",
    ),
    "whole numbers": (edited(lambda s: {n: (10 * t).to(torch.int8) for n, t in s.items()}), "not in floating point"),
    "no effect": (edited(lambda s: {n: t * ("lora_A" in n) for n, t in s.items()}), "changes nothing.*add up to zero"),
    "no file of tensors": (lambda folder: (folder / "a.safetensors").write_bytes(b"pickle"), "is no safetensors file"),
    # Strength.
    "a strength in the header alone": (headed(HALVES, ss_network_alpha="8"), "ss_network_alpha 8"),
    "an alpha for some": (edited(lambda s: s | {f"{Q}.alpha": torch.tensor(8.0)}), "an alpha for some modules"),
    "peft without its configuration": (
        edited(lambda s: s, BY_PEFT),
        r"no adapter_config\.json lies beside it: base_model\.model\.",
    ),
    "an alpha of 0": (configured(lora_alpha=0), "changes nothing"),
    "DoRA in the configuration": (configured(use_dora=True), "says use_dora"),
    "biases in the configuration": (configured(bias="all"), "trains biases"),
    "whole layers beside it": (configured(modules_to_save=["proj_out"]), "says modules_to_save"),
    "an entry of tomorrow": (configured(of_tomorrow=True), "says of_tomorrow"),
    "layers used again": (configured(layer_replication=[[0, 1]]), "says layer_replication"),
    "a base that was changed": (configured(init_lora_weights="pissa_niter_4"), "out of the base model"),
    "another kind": (configured(peft_type="LOHA"), "type LOHA"),
    "another rank": (configured(r=3), "rank 3 for .* tensors have rank 2"),
    "another rank by pattern": (configured(rank_pattern={"attn1.to_q": 5}), rf"rank 5 for {Q}"),
    "a pattern of a wrapped layer": (
        configured(alpha_pattern={f"net.{Q}": 5}),
        rf"pattern that is of no layer: net\.{Q}",
    ),
    "a pattern that begins elsewhere": (configured(rank_pattern={r"^net\..*to_q": 2}), "pattern that is of no layer"),
    "fewer layers": (configured(target_modules=["attn1.to_q"]), "do not agree"),
    "more layers": (configured(target_modules=["to_q", "to_out.0", "net.0.proj"]), "do not agree"),
    "all layers": (configured(target_modules="all-linear"), "do not agree"),
    "other blocks": (configured(layers_to_transform=[0]), "do not agree"),
    "a rank in words": (configured(r="two"), "not understood: r 'two'"),
    "a rank that is no number": (configured(r=True), "not understood: r True"),
    "patterns that are none": (configured(rank_pattern=7), "not understood: rank_pattern"),
    "a pattern that is none": (configured(target_modules="(to_q"), "not understood"),
    "layers left out that are none": (configured(exclude_modules=5), "not understood: exclude_modules"),
    "code to import": (configured(megatron_config={"x": 1}, megatron_core="os"), "says megatron_config"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_that_arithmetic_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    write, reason = REFUSED[kind]
    write(tmp_path)
    pipeline = Pipeline()
    before = pipeline.weights()
    with pytest.raises(Refusal, match=f"(?s){reason}") as refused:
        merge_adapters(pipeline, tmp_path, 1.0, "toy")
    assert ".safetensors" in str(refused.value)
    assert all(torch.equal(value, before[name]) for name, value in pipeline.weights().items())


@pytest.mark.parametrize("text", ['{"r": NaN}', '{"r": 1e999}', "[" * 100000, "{", "[]", '{"r": ' + "9" * 5000 + "}"])
def test_a_configuration_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "a.safetensors", HALVES)
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(Refusal, match="adapter_config"):
        merge_adapters(Pipeline(), file, 1.0, "toy")


def test_changes_that_rounding_swallows_are_no_changes(tmp_path: Path) -> None:
    state = {name: tensor * 1e-4 for name, tensor in HALVES.items()}
    with pytest.raises(Refusal, match=r"changes nothing.*too small to change a weight"):
        merge_adapters(Pipeline().to(torch.bfloat16), saved(tmp_path / "a.safetensors", state), 1.0, "toy")


def test_a_sum_beyond_the_dtype_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.safetensors", {name: tensor * 1e3 for name, tensor in HALVES.items()})
    with pytest.raises(Refusal, match=r"infinite in torch\.float16"):
        merge_adapters(Pipeline().to(torch.float16), file, 1.0, "toy")


def test_blocks_and_exclusions_of_a_configuration_are_followed(tmp_path: Path) -> None:
    pairs = [pair for pair in trained("wan22") if pair.name.startswith("blocks.1.")]
    more = {"target_modules": ["to_q", "to_out.0", "net.0.proj"], "exclude_modules": ["to_q", "attn1.to_out.0"]}
    config = peft_config(pairs, **more, layers_to_transform=1, layers_pattern="blocks")
    check_merged(Pipeline(), saved(tmp_path / "a.safetensors", state_of(pairs, BY_PEFT), config), pairs, 1.0)
