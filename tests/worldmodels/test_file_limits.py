"""Files of strangers: whatever stands in them, a sentence in a moment."""

from __future__ import annotations

import contextlib
import time
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal
from harness.contracts.json_limits import parse_json
from harness.contracts.manifests import ModelManifest
from harness.worldmodels import installed
from harness.worldmodels.cards import check_card
from harness.worldmodels.catalog import load_catalog, parse_entries
from harness.worldmodels.conditioning import template_of
from harness.worldmodels.file_limits import parse_toml, parse_yaml
from harness.worldmodels.preparing import override
from tests.worldmodels.hub_folder import CARD, checkpoint

DIGITS = "9" * 5000
DEEP = "[" * 3000 + "]" * 3000
ODD = ("inf", "-inf", "nan", "1e999", DIGITS, DEEP, "2024-13-45", "0000-00-00", "24:61:00", "99999999999999999999")
PLUGIN = '[family]\nname = "f"\nentry_point = "m:C"\n[[model]]\nname = "odd"\n'


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize(
    "field", ["guidance", "fps", "steps", "download_gb", "frames", "settings", "settings.a", "start_s", "base", "new"]
)
def test_odd_values_of_a_plugin_are_refused(field: str, value: str) -> None:
    with pytest.raises(Refusal, match=r"plugin\.toml"):
        parse_entries(f"{PLUGIN}{field} = {value}\n".encode(), "/x/plugin.toml", Path("/x"))


@pytest.mark.parametrize(
    "text", ["family = " + "{a=" * 2000 + "1" + "}" * 2000, "a" * 2**21, "\x00", "[family]\nshared=3"]
)
def test_odd_plugin_files_are_refused(text: str) -> None:
    with pytest.raises(Refusal, match=r"plugin\.toml"):
        parse_entries(text.encode(), "/x/plugin.toml", Path("/x"))


def test_a_shared_folder_that_is_no_path_is_refused() -> None:
    text = PLUGIN.replace('name = "f"', 'name = "f"\nshared = ["a\\u0000b"]')
    with pytest.raises(Refusal, match="shared"):
        parse_entries(text.encode(), "/x/plugin.toml", Path("/x"))


NUMBERS = (".inf", "-.inf", ".nan", "1.0e+999", DIGITS, "99999999999999999999", "2024-13-45", "2024-01-01")
STRUCTURES = (DEEP, "!!binary '%'", "!!python/object:os.system x", "{? [a] : b}", "{1: 2}")
YAML_ODD = (*NUMBERS, *STRUCTURES, "&a 1", "*a", "{<<: {a: 1}}")


@pytest.mark.parametrize("value", YAML_ODD)
@pytest.mark.parametrize("field", ["learning_rate: 1.0e-5", "steps: 12", "clips: 40", "license: apache-2.0"])
def test_odd_values_of_a_card_are_refused(field: str, value: str, tmp_path: Path) -> None:
    name = field.partition(":")[0]
    folder = checkpoint(tmp_path / "c", CARD.replace(field, f"{name}: {value}"))
    with pytest.raises(Refusal, match=r"README\.md"):
        check_card(folder)


def test_a_card_of_aliases_and_merges_is_refused_in_a_moment(tmp_path: Path) -> None:
    lists = "".join(f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 25))
    merges = "".join(f"  m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}\n" for i in range(1, 25))
    began = time.monotonic()
    for number, bomb in enumerate((f"x:\n  a0: &a0 [1]\n{lists}", f"x:\n  m0: &m0 {{k: 1}}\n{merges}")):
        folder = checkpoint(tmp_path / str(number), CARD.replace("license:", f"{bomb}license:"))
        with pytest.raises(Refusal, match=r"alias|merge"):
            check_card(folder)
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{a: " * 50_000, "a: 1" + ":1" * 100_000, "- " * 50_000])
def test_deep_and_long_yaml_is_refused_in_a_moment(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"deep|characters|line"):
        parse_yaml(text)
    assert time.monotonic() - began < 5.0


@given(st.text(max_size=60))
def test_any_text_is_read_or_a_value_error(text: str) -> None:
    for read in (parse_yaml, parse_toml, parse_json):
        with contextlib.suppress(ValueError):
            read(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1e999", DIGITS, "[" * 100_000, '{"a": -1e400}'])
def test_odd_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


TEXT_MODEL = ModelManifest("toy", "toys", "plugin", conditioning="text", steps=5, settings={"strength": 1.0, "n": 3})


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "NaN", "1e999", DIGITS, "-" + DIGITS])
@pytest.mark.parametrize("key", ["steps", "guidance", "fps", "strength", "n"])
def test_overrides_that_are_no_numbers_are_refused(key: str, value: str) -> None:
    with pytest.raises(Refusal) as refused:
        override(TEXT_MODEL, [f"{key}={value}"])
    assert key in refused.value.what and len(refused.value.what) < 300


def test_a_whole_number_that_fits_nowhere_is_refused() -> None:
    for key in ("n", "steps", "settings.new"):
        with pytest.raises(Refusal):
            override(TEXT_MODEL, [f"{key}={2**63}"])


@pytest.mark.parametrize("version", [DIGITS, "inf", DEEP, "2024-13-45"])
def test_odd_prompt_templates_are_refused(version: str) -> None:
    text = f'name = "t"\ntemplate = "{{actions}}"\nversion = {version}\n[actions]\nforward = "go"\n'
    with pytest.raises(Refusal):
        template_of(ModelManifest("toy", "toys", "plugin", settings={"prompt_template": text}))


@pytest.mark.parametrize("what", ["toml", "deep", "shared", "unreadable"])
def test_a_bad_installed_plugin_stops_nothing_else(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
        (folder / "plugin.toml").write_text(PLUGIN.replace("odd", folder.name))
    wrong = {"toml": f"steps = {DIGITS}", "deep": f"settings = {DEEP}", "shared": "x = 0000-00-00"}
    if what in wrong:
        (bad / "plugin.toml").write_text(f"{PLUGIN}{wrong[what]}\n")
    if what == "unreadable":
        (bad / "plugin.toml").unlink()
        (bad / "plugin.toml").mkdir()

    points = [EntryPoint(name, "m:f", installed.GROUP) for name in ("bad", "good")]
    monkeypatch.setattr(installed, "entry_points", lambda group: points)
    monkeypatch.setattr(installed, "_folder", lambda point: tmp_path / str(point.name))
    catalog = load_catalog()
    assert "good" in catalog.names() and "copy" in catalog.names()
    assert [plugin.name for plugin in catalog.broken] == ["bad"]


def test_a_package_with_a_damaged_list_of_entry_points_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Package:
        _path = "/site/damaged"

        @property
        def entry_points(self) -> Any:
            raise TypeError("Pair.__new__() missing 1 required positional argument")

    def all_at_once(group: str) -> Any:
        raise TypeError("Pair.__new__() missing 1 required positional argument")

    monkeypatch.setattr(installed, "entry_points", all_at_once)
    monkeypatch.setattr(installed, "distributions", lambda: [Package()])
    found, broken = installed.installed_plugins()
    assert found == () and [plugin.name for plugin in broken] == ["/site/damaged"]
