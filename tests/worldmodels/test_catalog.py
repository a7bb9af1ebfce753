"""The catalog: a folder is a family, and a wrong file says where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.worldmodels.catalog import load_catalog

GOOD = """
[family]
name = "toys"
entry_point = "toy:Toy"
licence = "MIT"
[[model]]
name = "toy"
settings = { depth_m = 3 }
checkpoint = { source = "hub/toy", revision = "abc" }
[[model]]
name = "FTtoy"
base = "toy"
licence = "Apache-2.0"
entry_point = "better:Toy"
"""


def family(folder: Path, text: str = GOOD) -> Path:
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(text)
    return folder


def test_the_references_come_with_the_project() -> None:
    catalog = load_catalog()
    kinds = {name: catalog.find(name).manifest.kind for name in ("none", "copy", "warp", "gtsim")}
    assert kinds == {"none": "none", "copy": "plugin", "warp": "plugin", "gtsim": "environment"}


def test_a_family_is_read_with_its_defaults(tmp_path: Path) -> None:
    catalog = load_catalog([family(tmp_path / "toys")])
    toy = catalog.find("toy")
    assert (toy.folder, toy.manifest.family, toy.manifest.entry_point) == (tmp_path / "toys", "toys", "toy:Toy")
    assert (toy.manifest.settings, toy.manifest.checkpoint.source) == ({"depth_m": 3.0}, "hub/toy")
    better = catalog.find("FTtoy").manifest
    assert (better.entry_point, better.licence, better.base) == ("better:Toy", "Apache-2.0", "toy")
    assert len(better.digest()) == 64


def test_a_folder_of_families_is_read_too(tmp_path: Path) -> None:
    family(tmp_path / "toys")
    assert "toy" in load_catalog([tmp_path, tmp_path]).names()


@pytest.mark.parametrize(
    ("asked", "hint"), [("wrap", "Did you mean 'warp'"), ("GTSIM", "Did you mean 'gtsim'"), ("zzz", "Known: ")]
)
def test_an_unknown_name_suggests_the_nearest(asked: str, hint: str) -> None:
    with pytest.raises(Refusal, match=hint):
        load_catalog().find(asked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('name = "FTtoy"', 'name = "FTtoy"\nframes = -3'),
            r"model\.1\.frames: .*greater than or equal to 0 \(found -3\)",
        ),
        (
            ('name = "FTtoy"', 'name = "FTtoy"\nview = "fisheye"'),
            r"model\.1\.view: .*'panorama' or 'perspective'.*'fisheye'",
        ),
        (('name = "FTtoy"', 'name = "FTtoy"\nspeed = 3'), r"model\.1\.speed: .*not permitted"),
        (('name = "FTtoy"', 'name = "FTtoy"\nweights = "x"'), r"model\.1\.weights: .*not permitted \(found 'x'\)"),
        (('name = "FTtoy"', 'name = "FTtoy"\nfamily = "x"'), r"model\.1\.family: .*not permitted \(found 'x'\)"),
        (
            ('name = "FTtoy"', f'name = "FTtoy"\nimage = "{"x" * 257}"'),
            r"model\.1\.image: .*at most 256 characters",
        ),
        (('name = "FTtoy"', 'name = "FTtoy"\nmax_batch = "4"'), r"max_batch: .*integer .*found '4'"),
        (('name = "toys"', ""), r"family\.name: Field required"),
        (('entry_point = "toy:Toy"', ""), "model 'toy' has no entry_point"),
        (('"toy:Toy"', '"toy"'), r"family\.entry_point"),
        (("[family]", "[family"), "cannot read .*plugin.toml"),
    ],
)
def test_a_wrong_file_names_itself_the_field_and_the_value(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    folder = family(tmp_path / "toys", GOOD.replace(*change, 1))
    with pytest.raises(Refusal, match=message) as caught:
        load_catalog([folder])
    assert str(folder / "plugin.toml") in str(caught.value)


def test_a_name_that_exists_twice_is_refused(tmp_path: Path) -> None:
    folder = family(tmp_path / "mine", GOOD.replace('"toy"', '"warp"'))
    with pytest.raises(Refusal, match=r"'warp' is declared in .*reference and in .*mine"):
        load_catalog([folder])


def test_a_folder_without_families_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="holds no plugin"):
        load_catalog([tmp_path])


def test_a_plugin_becomes_a_service_and_the_others_do_not() -> None:
    spec = load_catalog().find("warp").service_spec("/usr/bin/python3")
    assert (spec.kind, spec.python, spec.entry_point) == ("world_model", "/usr/bin/python3", "warp_model:Warp")
    assert spec.manifest["settings"] == {"depth_m": 2.5, "reach": 0.92}
    with pytest.raises(Refusal, match="kind 'environment'"):
        load_catalog().find("gtsim").service_spec("python")
