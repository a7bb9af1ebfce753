"""Cards: a checkpoint that does not say what it is, or lies about it, is not evaluated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.worldmodels.cards import check_card, weights_digest
from harness.worldmodels.preparing import Choice, check, prepare
from tests.worldmodels.hub_folder import CARD, COMMIT, cached, checkpoint, pipeline_files, sha256

BASE = Checkpoint("org/base", COMMIT)
TRAINED = ModelManifest("FTbase", "toys", "plugin", base="base", base_checkpoint=BASE)


def test_a_complete_card(tmp_path: Path) -> None:
    card = check_card(checkpoint(tmp_path / "c"))
    assert (card.licence, card.steps, card.training_data) == ("apache-2.0", 12, ("embedded-homes-train",))
    assert card.hyperparameters["learning_rate"] == 1e-5
    assert card.weights == {"transformer/weights.safetensors": sha256("trained")}


def test_a_card_beside_a_single_file(tmp_path: Path) -> None:
    file = tmp_path / "lora.safetensors"
    file.write_text("trained")
    (tmp_path / "README.md").write_text(CARD.replace("transformer/weights.safetensors", "lora.safetensors"))
    assert check_card(file).steps == 12


def test_a_tensorflow_checkpoint_is_hashed_with_its_data(tmp_path: Path) -> None:
    names = ("ckpt.index", "ckpt.data-00000-of-00001")
    for name in (*names, "another.index"):
        (tmp_path / name).write_text("trained")
    line = f"    {{}}: {sha256('trained')}"
    old = line.format("transformer/weights.safetensors")
    index = tmp_path / names[0]
    (tmp_path / "README.md").write_text(CARD.replace(old, line.format(names[0])))
    with pytest.raises(Refusal, match=r"lists 1 files of weights, 2 are there \(only one side has 'ckpt\.data"):
        check_card(index)
    (tmp_path / "README.md").write_text(CARD.replace(old, "\n".join(map(line.format, (*names, "another.index")))))
    assert set(check_card(index).weights) == set(names)
    (tmp_path / names[1]).write_text("other")
    with pytest.raises(Refusal, match=r"data-00000-of-00001 is not what its card says"):
        check_card(index)


def test_a_pth_tar_is_a_file_of_weights(tmp_path: Path) -> None:
    (tmp_path / "0100000.pth.tar").write_text("trained")
    (tmp_path / "README.md").write_text(CARD.replace("transformer/weights.safetensors", "0100000.pth.tar"))
    assert check_card(tmp_path).weights == {"0100000.pth.tar": sha256("trained")}


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("", "has no card"),
        ("# no front matter\n", "does not begin with front matter"),
        ("---\nlicense: [\n---\n", "is no YAML"),
        ("---\n- a\n---\n", "not complete"),
        (CARD.replace("license: apache-2.0\n", ""), "license: Field required"),
        (CARD.replace("  steps: 12\n", ""), r"wiw\.steps: Field required"),
        (CARD.replace("steps: 12", "steps: 0"), r"wiw\.steps: .*greater than or equal to 1"),
        (CARD.replace("      clips: 40\n", ""), "neither clips nor frames"),
        (CARD.replace("a" * 64, "abc"), r"wiw\.training_data\.0\.sha256"),
        (CARD.replace("{learning_rate: 1.0e-5, batch_size: 8, optimizer: adamw}", "{}"), r"wiw\.hyperparameters"),
        (CARD.replace(sha256("trained"), "F" * 64), "is no SHA-256"),
        (CARD.replace(sha256("trained"), "b" * 64), "is not what its card says"),
        (CARD.replace("transformer/weights", "unet/weights"), "only one side has"),
        (CARD.replace("wiw:", "other:"), "wiw: Field required"),
        (CARD.replace("steps: 12", "step: 12"), "wiw"),
    ],
)
def test_what_a_card_lacks_is_named(tmp_path: Path, card: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        check_card(checkpoint(tmp_path / "c", card))


def test_weights_that_the_card_does_not_list_are_refused(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "c")
    (folder / "more.safetensors").write_text("x")
    with pytest.raises(Refusal, match=r"lists 1 files of weights, 2 are there \(only one side has 'more.safetensors'"):
        check_card(folder)


def test_the_hash_of_the_weights_is_in_the_manifest(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "c")
    choice = Choice(weights=str(folder))
    checked = check(prepare(TRAINED, choice), choice)
    expected = weights_digest({"transformer/weights.safetensors": sha256("trained")})
    assert checked.manifest.checkpoint.sha256 == expected
    assert checked.stamps == ()


def test_a_checkpoint_plays_with_the_settings_that_it_was_trained_with(tmp_path: Path) -> None:
    trained = "batch_size: 8, settings.blocked: false, settings.dropout: 0.1"
    folder = checkpoint(tmp_path / "c", card=CARD.replace("batch_size: 8", trained))
    declared = replace(TRAINED, settings={"blocked": True, "height_m": 1.25})
    choice = Choice(weights=str(folder))
    assert check(prepare(declared, choice), choice).manifest.settings == {"blocked": False, "height_m": 1.25}
    chosen = replace(choice, assignments=("blocked=true",))
    assert check(prepare(declared, chosen), chosen).manifest.settings == declared.settings


def test_a_card_with_a_setting_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "c", card=CARD.replace("batch_size: 8", "settings.blocked: often"))
    choice = Choice(weights=str(folder))
    with pytest.raises(Refusal, match=r"card of .*FTbase.* blocked=often is not true or false"):
        check(prepare(replace(TRAINED, settings={"blocked": True}), choice), choice)


def test_without_a_card_a_run_is_refused_or_stamped(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "c", card="")
    choice = Choice(weights=str(folder))
    with pytest.raises(Refusal, match=r"has no card.*--allow-uncarded"):
        check(prepare(TRAINED, choice), choice)
    allowed = replace(choice, allow_uncarded=True)
    checked = check(prepare(TRAINED, allowed), allowed)
    assert checked.stamps == ("uncarded",)
    assert checked.manifest.checkpoint.sha256 == weights_digest({"transformer/weights.safetensors": sha256("trained")})


def test_random_weights_are_stamped_and_published_ones_need_no_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    cached(tmp_path, "org/base", pipeline_files())
    random = Choice(weights="random")
    assert check(prepare(TRAINED, random), random).stamps == ("random-weights",)
    published = ModelManifest("base", "toys", "plugin", checkpoint=BASE)
    checked = check(prepare(published, Choice()), Choice())
    assert (checked.stamps, checked.manifest.weights, checked.lacks) == ((), "hub", ())


def test_a_post_trained_model_of_the_hub_needs_a_card_and_its_declared_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    cached(tmp_path, "org/base", pipeline_files())
    cached(tmp_path, "org/trained", {"README.md": CARD, "transformer/weights.safetensors": "trained"})
    model = replace(TRAINED, checkpoint=Checkpoint("org/trained"))
    digest = check(prepare(model, Choice()), Choice()).manifest.checkpoint.sha256
    assert digest == weights_digest({"transformer/weights.safetensors": sha256("trained")})
    other = replace(model, checkpoint=Checkpoint("org/trained", sha256="0" * 64))
    with pytest.raises(Refusal, match="declared is 000"):
        check(prepare(other, Choice()), Choice())


def test_an_override_of_the_template_is_shown_by_name_and_hash() -> None:
    text = replace(TRAINED, conditioning="text", base_checkpoint=Checkpoint())
    prepared = prepare(text, Choice(("prompt_template=manipulation-v1",)))
    assert str(prepared.overrides["prompt_template"]).startswith("manipulation-v1 sha256:")
    assert "gripper" in str(prepared.manifest.settings["prompt_template"])
