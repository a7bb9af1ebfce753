"""From collected walks to a video model in use, by the public command: the words that a model is trained with are those
that it is asked with, and what comes out is accepted and loaded as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("peft", reason="adapters need peft (the extra 'models')")

from harness.cli.app import main
from harness.contracts.cameras import EQUIRECT, Camera
from harness.worldmodels.cards import check_card
from harness.worldmodels.catalog import load_catalog
from tests.collecting.toy import make_data
from tests.posttraining.world import HELD_OUT, WALKS, Ring
from tests.wm_plugins.diffusers.saving import Saved, SavedPipelines
from tests.wm_plugins.diffusers.zoo import HEIGHT, WIDTH, request, tiny_manifest, world_model

PLUGINS = Path(__file__).resolve().parents[3] / "wm_plugins"
FAMILY = """[family]
name = "tiny"
entry_point = "{entry_point}"
licence = "Apache-2.0"
shared = ["{diffusers}", "{family}"]
packages = ["torch", "diffusers"]
extra = "models"

[[model]]
name = "FTtiny"
conditioning = "{conditioning}"
height = {height}
width = {width}
frames = 8
steps = 2
fps = 7.0
guidance = 3.0
dtype = "fp32"
base_checkpoint = {{ source = "{base}" }}

[model.settings]
pipeline = "{pipeline}"
plan_actions = 13
part = "{part}"
device = "cpu"
{more}
"""
RECIPE = """model = "FTtiny"
trainee = "{trainee}"

[data]
frames = 14

[training]
steps = 4
batch_size = 2
learning_rate = 3e-3
weight_decay = 0.01
keep = "disk"
gradient_checkpointing = true
"""
LORA = """
[adapter]
kind = "lora"
rank = 4
alpha = 8
targets = ["to_q", "to_k", "to_v"]
"""


def family(folder: Path, name: str, base: Path, trainee: str, recipe: str, part: str) -> Path:
    """Write a family with one tiny model after ``name``, and its recipe; return its folder."""
    entry = load_catalog().find(name)
    more = "\n".join(
        f"{key} = {json.dumps(value)}" if "." not in key else f'"{key}" = {json.dumps(value)}'
        for key, value in entry.manifest.settings.items()
        if key.startswith("call.")
    )
    (folder / "recipes").mkdir(parents=True)
    (folder / "recipes" / "tiny.toml").write_text(RECIPE.format(trainee=trainee) + recipe)
    (folder / "plugin.toml").write_text(
        FAMILY.format(
            entry_point=entry.manifest.entry_point,
            diffusers=PLUGINS / "diffusers",
            family=entry.folder,
            conditioning=entry.manifest.conditioning,
            height=HEIGHT,
            width=WIDTH,
            base=base,
            pipeline=entry.manifest.settings["pipeline"],
            part=part,
            more=more,
        )
    )
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return walks of 14 frames that the real collector wrote, in homes to train on and in others to judge by."""
    camera = Camera("pano", EQUIRECT, HEIGHT, WIDTH, 360.0, 1.25)

    class Wide(Ring):
        """The ring, seen by a larger camera."""

        def _frame(self, collided: bool) -> Any:
            frame = super()._frame(collided)
            return replace(frame, rgb=np.repeat(np.repeat(frame.rgb, 2, axis=0), 2, axis=1))

    plan = replace(WALKS, camera=camera, clips=6, clip_frames=14, recorded=replace(WALKS.recorded, depth=False))
    others = replace(plan, name="held-out", split="validation", scenes=HELD_OUT.scenes[:2], clips=4)
    folder = tmp_path_factory.mktemp("walks")
    return make_data(folder, plan, Wide()), make_data(folder, others, Wide())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "trainee", "recipe", "part"),
    [
        ("FTltx", "ltx_training:LtxTrainee", "", "transformer"),
        ("FTwan22-14B", "wan_training:WanExpertsTrainee", LORA, "lora"),
        ("FTsvd", "svd_training:SvdTrainee", "", "unet"),
    ],
    ids=["transformer", "adapters of two experts", "unet told the actions"],
)
def test_a_trained_model_is_used_as_it_comes(
    name: str,
    trainee: str,
    recipe: str,
    part: str,
    pipelines: SavedPipelines,
    data: tuple[Path, Path],
    tmp_path: Path,
    capsys: Any,
) -> None:
    walks, held_out = data
    base = pipelines.published(name).base
    plugin = family(tmp_path / "family", name, base, trainee, recipe, part)
    out = tmp_path / "ck"
    words = ["posttrain", "tiny", "--plugins", str(plugin), "--data", str(walks), "--out", str(out), "--no-bank"]
    assert main([*words, "--held-out", str(held_out)]) == 0
    assert check_card(out).steps == 4
    curve = json.loads((out / "training.json").read_text())["curve"]
    assert np.isfinite(curve[-1]["losses"]["loss"])
    if part != "unet":
        capsys.readouterr()
        check = ["posttrain", "--check", str(out), "--plugins", str(plugin), "--no-bank", "--json"]
        main([*check, "--data", str(held_out)])
        found = json.loads(capsys.readouterr().out)
        then = json.loads((out / "training.json").read_text())["action_use"]
        for use, metric in found["loss"].items():
            assert metric["value"] == pytest.approx(then["loss"][use]["value"], rel=1e-5), use
    if part == "lora":
        assert main([*check, "--data", str(held_out), "--weights", str(out)]) == 2
        assert "the adapter was trained on the weights" in capsys.readouterr().err
    used = world_model(tiny_manifest(name, Saved(base, out)))
    asked = request(0, 3)
    plain = pipelines.post_trained(name) if name == "FTsvd" else pipelines.published(name)
    other = world_model(tiny_manifest(name, plain))
    assert not np.array_equal(used.imagine(asked).rgb, other.imagine(asked).rgb)
