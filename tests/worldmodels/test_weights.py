"""Weights: what is chosen, what is here, and what is said where they are not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.worldmodels.cards import check_card, weights_digest
from harness.worldmodels.hub_cache import cache_folder, find_snapshot, incomplete, is_hub_id
from harness.worldmodels.preparing import Choice, check, prepare
from harness.worldmodels.weights import (
    ABSENT,
    NOT_APPLICABLE,
    PRESENT,
    choose_weights,
    lacks,
    own_folder,
    state,
    used_checkpoints,
)
from tests.worldmodels.hub_folder import COMMIT, cached, checkpoint, pipeline_files

BASE = Checkpoint("org/base", "v1")
PUBLISHED = ModelManifest("base", "toys", "plugin", checkpoint=BASE, licence="Toy Licence", download_gb=4.5)
TRAINED = ModelManifest("FTbase", "toys", "plugin", base="base", base_checkpoint=BASE)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_the_cache_is_found_as_the_hubs_own_client_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/a")
    assert cache_folder() == Path("/home/a/.cache/huggingface/hub")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/huggingface/hub")
    monkeypatch.setenv("HF_HOME", "/hf")
    assert cache_folder() == Path("/hf/hub")
    monkeypatch.setenv("HF_HUB_CACHE", "/direct")
    assert cache_folder() == Path("/direct")


def test_a_whole_snapshot_is_present_under_its_revision(cache: Path) -> None:
    snapshot = cached(cache, "org/base", pipeline_files(), "v1")
    assert find_snapshot("org/base", "v1") == find_snapshot("org/base", COMMIT) == snapshot
    assert find_snapshot("org/base") is None
    assert incomplete(snapshot) == ""
    assert state(PUBLISHED) == PRESENT
    assert lacks(choose_weights(PUBLISHED, "")) == ()


@pytest.mark.parametrize("name", ["transformer/model-2.safetensors", "transformer"])
def test_what_was_not_fetched_to_its_end_is_absent(cache: Path, name: str) -> None:
    files = {file: content for file, content in pipeline_files().items() if not file.startswith(name)}
    snapshot = cached(cache, "org/base", files, "v1")
    assert incomplete(snapshot) == f"{name} was not fetched"
    assert state(PUBLISHED) == ABSENT


def test_a_link_without_its_file_is_absent(cache: Path) -> None:
    snapshot = cached(cache, "org/base", pipeline_files(), "v1")
    (snapshot / "transformer/model-1.safetensors").resolve().unlink()
    assert incomplete(snapshot) == "transformer/model-1.safetensors was not fetched"


def test_a_snapshot_without_weights_is_absent(cache: Path) -> None:
    assert incomplete(cached(cache, "org/base", {"README.md": "x"})) == "no file of weights was fetched"


@pytest.mark.parametrize(
    "files",
    [
        ("0100000.pth.tar",),
        ("ckpt.index", "ckpt.data-00000-of-00001"),
        ("ckpt.index", "ckpt.data-00000-of-00002", "ckpt.data-00001-of-00002"),
    ],
)
def test_training_checkpoints_of_torch_and_tensorflow_are_weights(cache: Path, files: tuple[str, ...]) -> None:
    assert incomplete(cached(cache, "org/base", dict.fromkeys(files, "x"))) == ""


@pytest.mark.parametrize(
    ("files", "lacking"),
    [
        (("ckpt.index",), "ckpt.data-00000-of-00001"),
        (("ckpt.index", "other.data-00000-of-00001"), "ckpt.data-00000-of-00001"),
        (("ckpt.index", "ckpt.data-00001-of-00002"), "ckpt.data-00000-of-00002"),
    ],
)
def test_an_index_without_all_its_data_is_absent(cache: Path, files: tuple[str, ...], lacking: str) -> None:
    assert incomplete(cached(cache, "org/base", dict.fromkeys(files, "x"))) == f"{lacking} was not fetched"


def test_one_message_says_what_where_from_size_licence_and_the_command(cache: Path) -> None:
    (lack,) = lacks(choose_weights(PUBLISHED, "hub"))
    for part in ("org/base", "v1", "Hugging Face Hub", "4.5 GB", "Toy Licence", str(cache)):
        assert part in lack.what
    assert "hf download org/base --revision v1" in lack.steps[0]
    assert "size unknown" in lacks(choose_weights(replace(PUBLISHED, download_gb=0.0), ""))[0].what
    elsewhere = replace(PUBLISHED, checkpoint=Checkpoint("https://example.org/weights"))
    assert "https://example.org/weights" in lacks(choose_weights(elsewhere, ""))[0].what


def test_a_post_trained_model_needs_its_part_and_its_base(cache: Path, tmp_path: Path) -> None:
    own, base = lacks(choose_weights(TRAINED, ""))
    assert "nobody has published" in own.what and "--weights /path/to/FTbase" in own.steps[0]
    assert "org/base" in base.what
    folder = checkpoint(tmp_path / "part")
    with_part = choose_weights(TRAINED, str(folder))
    assert with_part.weights == str(folder)
    assert [lack.what for lack in lacks(with_part)] == [base.what]
    (folder / "model_index.json").write_text("{}")
    assert lacks(with_part) == ()  # a whole pipeline needs no base


def test_weights_beside_plugin_toml_come_with_the_code_and_need_their_card(tmp_path: Path) -> None:
    beside = ModelManifest("small", "toys", "plugin", checkpoint=Checkpoint("./weights/small"))
    assert (state(beside, tmp_path), used_checkpoints(choose_weights(beside, ""))) == (ABSENT, {})
    missing = prepare(beside, Choice(), family=tmp_path).lacks
    assert "weights/small" in missing[0].what and "--weights FOLDER" in missing[0].steps[0]
    folder = checkpoint(tmp_path / "weights" / "small")
    prepared = prepare(beside, Choice(), family=tmp_path)
    assert (state(beside, tmp_path), prepared.lacks) == (PRESENT, ())
    card = check_card(folder)
    checked = check(prepared, Choice(), family=tmp_path)
    assert checked.manifest.checkpoint.sha256 == weights_digest(card.weights)
    (folder / "README.md").unlink()
    with pytest.raises(Refusal, match="card"):
        check(prepared, Choice(), family=tmp_path)


def test_random_weights_lack_nothing(cache: Path) -> None:
    manifest = choose_weights(TRAINED, "random")
    assert (manifest.weights, lacks(manifest), own_folder(manifest)) == ("random", (), None)


def test_models_without_weights_and_paths_that_do_not_exist() -> None:
    plain = ModelManifest("copy", "toys", "plugin")
    assert choose_weights(plain, "") == plain
    assert state(plain) == NOT_APPLICABLE
    with pytest.raises(Refusal, match="loads no weights"):
        choose_weights(plain, "random")
    with pytest.raises(Refusal, match="'/no/such/folder' does not exist"):
        choose_weights(PUBLISHED, "/no/such/folder")


def test_hub_ids() -> None:
    assert is_hub_id("THUDM/CogVideoX-5b-I2V") and is_hub_id("a/b.c_d")
    assert not any(map(is_hub_id, ("", "a", "/a/b", "https://a/b", "a/b/c", "../b")))


def component_files(**other: str) -> dict[str, str]:
    """Return the files of a pipeline with a transformer, a text encoder and a scheduler, as its library saves them."""
    models = {"transformer": ["diffusers", "T3DModel"], "text_encoder": ["transformers", "E"]}
    index = {**models, "scheduler": ["diffusers", "S"]}
    files = {
        "model_index.json": json.dumps(index),
        "transformer/config.json": "{}",
        "transformer/diffusion_pytorch_model.safetensors": "weights",
        "text_encoder/config.json": "{}",
        "text_encoder/model.safetensors": "weights",
        "scheduler/scheduler_config.json": "{}",
    }
    return {name: content for name, content in {**files, **other}.items() if content != GONE}


GONE = "gone"
TRANSFORMER, ENCODER = "transformer/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"
NOT_HERE = {
    "a configuration and no weights": {TRANSFORMER: GONE},
    "no weights of the text encoder": {ENCODER: GONE},
    "a file of no bytes": {TRANSFORMER: ""},
    "a configuration of no bytes": {"transformer/config.json": ""},
    "the pointer of a file": {TRANSFORMER: "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"},
    "pickled weights only": {TRANSFORMER: GONE, TRANSFORMER.replace("safetensors", "bin"): "weights"},
    "another variant": {TRANSFORMER: GONE, TRANSFORMER.replace(".safetensors", ".fp16.safetensors"): "weights"},
    "another name": {TRANSFORMER: GONE, "transformer/ema.safetensors": "weights"},
    "parts without their index": {TRANSFORMER: GONE, TRANSFORMER.replace(".s", "-00001-of-00002.s"): "weights"},
}


@pytest.mark.parametrize("kind", NOT_HERE)
def test_what_does_not_load_is_absent(cache: Path, kind: str) -> None:
    snapshot = cached(cache, "org/base", component_files(**NOT_HERE[kind]), "v1")
    assert incomplete(snapshot) != ""
    assert state(PUBLISHED) == ABSENT and lacks(choose_weights(PUBLISHED, "hub"))


def test_what_loads_is_present(cache: Path) -> None:
    assert incomplete(cached(cache, "org/base", component_files(), "v1")) == ""
    assert state(PUBLISHED) == PRESENT


def test_a_wanted_variant_is_present(cache: Path) -> None:
    files = component_files(**NOT_HERE["another variant"])
    cached(cache, "org/base", files, "v1")
    assert state(replace(PUBLISHED, settings={"variant": "fp16"})) == PRESENT
    assert state(replace(PUBLISHED, settings={"variant": "bf16"})) == ABSENT


@pytest.mark.parametrize(
    "files",
    [
        ("config.json", "pytorch_model.bin"),
        ("pytorch_model.bin",),
        ("config.json", "diffusion_pytorch_model.fp16.safetensors"),
        ("config.json",),
    ],
)
def test_a_model_of_one_folder_that_does_not_load_is_absent(cache: Path, files: tuple[str, ...]) -> None:
    assert incomplete(cached(cache, "org/base", dict.fromkeys(files, "{}"))) != ""


@pytest.mark.parametrize(
    "files",
    [
        ("config.json", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
        ("wan2.2_lora.safetensors",),
        ("config.json", "0100000.pth.tar"),
    ],
)
def test_a_model_of_one_folder_that_loads_is_present(cache: Path, files: tuple[str, ...]) -> None:
    assert incomplete(cached(cache, "org/base", dict.fromkeys(files, "{}"))) == ""


@pytest.mark.parametrize("kind", ["pickled weights only", "another variant", "a file of no bytes"])
def test_a_chosen_pipeline_that_does_not_load_is_refused_when_it_is_planned(tmp_path: Path, kind: str) -> None:
    for name, content in component_files(**NOT_HERE[kind]).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    pipeline = replace(PUBLISHED, settings={"pipeline": "AnyPipeline"})
    (lack,) = lacks(choose_weights(pipeline, str(tmp_path)))
    assert str(tmp_path) in lack.what and "transformer" in lack.what
    (tmp_path / TRANSFORMER).write_text("weights")
    assert lacks(choose_weights(pipeline, str(tmp_path))) == ()
