"""Plugins installed as Python packages: found by their entry point, named where they are broken, never fatal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.installed import GROUP, installed_plugins

MANIFEST = '[family]\nname = "{name}"\n[[model]]\nname = "{name}"\nentry_point = "model:Model"\n'


def install(site: Path, name: str, code: str, value: str, manifest: str = "") -> Path:
    """Write a package with its metadata, as an installer would, and return its folder."""
    package = site / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code)
    if manifest:
        (package / "plugin.toml").write_text(manifest)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value}\n")
    return package


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    return folder


def test_a_function_that_returns_a_folder_a_path_and_a_package_are_found(site: Path) -> None:
    path = "import pathlib\nHERE = pathlib.Path(__file__).parent\ndef folder():\n    return str(HERE)\n"
    for name, value in (("wiwp_one", "wiwp_one:folder"), ("wiwp_two", "wiwp_two:HERE"), ("wiwp_three", "wiwp_three")):
        package = install(site, name, path, value, MANIFEST.format(name=name))
        assert load_catalog().find(name).folder == package
    assert not installed_plugins()[1]


@pytest.mark.parametrize(
    ("name", "code", "value", "manifest", "reason"),
    [
        ("wiwp_raises", "raise RuntimeError('no licence')", "wiwp_raises:folder", "", "RuntimeError: no licence"),
        ("wiwp_leaves", "import sys\nsys.exit(3)", "wiwp_leaves:folder", "", "SystemExit: 3"),
        ("wiwp_silent", "class Odd(Exception):\n    __str__ = None\nraise Odd", "wiwp_silent:folder", "", "Odd"),
        ("wiwp_kills", "import os\nos._exit(0)", "wiwp_kills:folder", "", "ends the process (exit code 0)"),
        ("wiwp_crashes", "import os\nos.abort()", "wiwp_crashes:folder", "", "ends the process (killed by SIGABRT)"),
        ("wiwp_absent", "", "wiwp_absent:nothing", "", "nothing"),
        ("wiwp_number", "folder = 7", "wiwp_number:folder", "", "must be a folder"),
        ("wiwp_relative", "folder = 'here'", "wiwp_relative:folder", "", "no absolute path"),
        ("wiwp_empty", "", "wiwp_empty", "", "holds no plugin.toml"),
        ("wiwp_wrong", "", "wiwp_wrong", "[family", "cannot read"),
        ("wiwp_thief", "", "wiwp_thief", MANIFEST.format(name="warp"), "'warp' has a name that is taken"),
    ],
)
def test_a_broken_one_is_named_and_left_out(
    site: Path, name: str, code: str, value: str, manifest: str, reason: str
) -> None:
    package = install(site, name, code, value, manifest)
    catalog = load_catalog()
    assert [plugin.name.split()[0] for plugin in catalog.broken] == [name]
    assert reason in catalog.broken[0].reason
    assert package not in [entry.folder for entry in catalog.entries]
    assert "warp" in catalog.names()
    with pytest.raises(Refusal, match=f"installed plugin '{name}"):
        catalog.find("wiwp_unknown")


def test_a_folder_that_was_also_given_by_hand_counts_once(site: Path) -> None:
    package = install(site, "wiwp_both", "", "wiwp_both", MANIFEST.format(name="wiwp_both"))
    catalog = load_catalog([package])
    assert catalog.names().count("wiwp_both") == 1
    assert not catalog.broken


def test_one_that_hangs_is_given_up_and_named_with_all_that_it_started(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.worldmodels.installed.PATIENCE_S", 3.0)
    code = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    install(site, "wiwp_hangs", code, "wiwp_hangs:folder")
    fine = "def folder():\n    return __path__[0]\n"
    install(site, "wiwp_fine", fine, "wiwp_fine:folder", MANIFEST.format(name="fine"))
    catalog = load_catalog()
    assert "takes more than 3 s" in catalog.broken[0].reason and "fine" in catalog.names()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_package_that_is_the_folder_is_found_without_running_it(site: Path) -> None:
    package = install(site, "wiwp_still", "raise SystemError('run')", "wiwp_still", MANIFEST.format(name="still"))
    inner = package / "inner"
    inner.mkdir()
    (inner / "__init__.py").write_text("raise SystemError('run')")
    (inner / "plugin.toml").write_text(MANIFEST.format(name="inner"))
    info = site / "wiwp_still-1.0.dist-info" / "entry_points.txt"
    info.write_text(f"[{GROUP}]\na = wiwp_still\nb = wiwp_still.inner\n")
    catalog = load_catalog()
    assert (catalog.find("still").folder, catalog.find("inner").folder) == (package, inner)
    assert not catalog.broken
