"""The manifest inside a plugin image: checked like a folder's own, and never able to pass for a reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.plugin_images import choose_model

IMAGE = "someone/toys:1"
ONE = b"""
[family]
name = "toys"
entry_point = "toy:Toy"
[[model]]
name = "toy"
"""
TWO = ONE + b'[[model]]\nname = "FTtoy"\nbase = "toy"\n'


def choose(content: bytes, name: str = "") -> str:
    """Return the name of the model chosen from an image's manifest, beside the real catalog."""
    return choose_model(content, IMAGE, name, load_catalog().names()).manifest.name


def test_the_only_model_needs_no_name_and_runs_from_the_images_folder() -> None:
    entry = choose_model(ONE, IMAGE, "", ())
    assert (entry.manifest.name, entry.manifest.entry_point, entry.folder) == ("toy", "toy:Toy", Path("/plugin"))
    assert choose(ONE, "toy") == "toy"


def test_one_of_several_is_chosen_by_name() -> None:
    assert choose(TWO, "FTtoy") == "FTtoy"
    with pytest.raises(Refusal, match=r"toy, FTtoy\. Choose one with --wm"):
        choose(TWO)


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (ONE, "toi", r"someone/toys:1 has no world model 'toi'\. Did you mean 'toy'\?"),
        (ONE + b'[[model]]\nname = "toy"\n', "", "'toy' twice"),
        (ONE.replace(b'"toy"', b'"gtsim"'), "", "'gtsim', which is a name of the catalog"),
        (TWO.replace(b'"FTtoy"', b'"none"'), "toy", "'none', which is a name of the catalog"),
        (ONE + b'kind = "environment"\n', "", "of kind 'environment': nothing in the image would run"),
        (ONE + b'kind = "none"\n', "", "of kind 'none'"),
        (ONE + b"height = -1\n", "", r"someone/toys:1:/plugin/plugin.toml: model\.0\.height.*found -1"),
        (ONE + b"secret = 1\n", "", "model.0.secret"),
        (ONE.replace(b'name = "toy"', b'name = "../toy"'), "", "model.0.name"),
        (ONE.replace(b'name = "toy"', b'name = "' + b"t" * 101 + b'"'), "", "model.0.name"),
        (ONE.replace(b'entry_point = "toy:Toy"', b""), "", "'toy' has no entry_point"),
        (b"\xff\xfe", "", "cannot read someone/toys:1:/plugin/plugin.toml"),
        (b"[family", "", "cannot read someone/toys:1"),
        (b"", "", "family: Field required"),
    ],
)
def test_a_wrong_manifest_is_refused(content: bytes, name: str, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        choose(content, name)
