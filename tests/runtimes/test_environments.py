"""Declared environments: what their files may say, and that nothing else names them."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.contracts.cameras import Camera
from harness.contracts.errors import Refusal
from harness.runtimes.environments import (
    ENVIRONMENT_FILE,
    FOLDER,
    DeclaredEnvironment,
    EnvironmentFacts,
    Evaluation,
    declared_environments,
    environment_class,
    environment_of_image,
    find_environment,
    has_module,
    read_environment,
)
from harness.runtimes.images.declared import declared_images
from harness.wire.sdk import CAPABILITIES

ROOT = FOLDER.parent
GOOD = """
title = "Toys"
tasks = ["ignav"]
scenes = "files"
[evaluation]
entry_point = "toys.environment:Toys"
image = "toys"
[evaluation.options]
folder = "scenes_folder"
"""

NAME = "(embedded|habitat|rlbench)"
COMPARED = re.compile(rf"""(==|!=|\bin\b|startswith\()\s*\(?["']{NAME}["']|\b{NAME.upper()}\b""")


@pytest.mark.parametrize("environment", declared_environments(), ids=lambda environment: environment.name)
def test_what_is_declared_is_there(environment: object) -> None:
    declared = find_environment(environment.name)  # type: ignore[attr-defined]
    images = {image.name for image in declared_images()}
    profiles = [profile for profile in (declared.evaluation, declared.collection) if profile is not None]
    assert profiles and bool(declared.module) == bool(declared.get_module)
    for profile in profiles:
        module, _, name = profile.entry_point.partition(":")
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
        assert f"class {name}(" in source
        assert profile.image in images or (not profile.image and getattr(profile, "in_process", False))
        if profile.image:
            assert environment_of_image(profile.image) == declared


@pytest.mark.parametrize("environment", declared_environments(), ids=lambda environment: environment.name)
def test_the_declared_capabilities_are_those_of_the_classes(environment: DeclaredEnvironment) -> None:
    for profile in (environment.evaluation, environment.collection):
        if profile is not None:
            made = environment_class(profile.entry_point)
            found = {name for name, known in CAPABILITIES.items() if issubclass(made, known.interface)}
            assert found == set(environment.capabilities), profile.entry_point


def test_the_options_of_an_environment_are_its_own_arguments() -> None:
    import inspect

    embedded = find_environment("embedded").evaluation
    assert embedded is not None
    arguments = inspect.signature(environment_class(embedded.entry_point)).parameters
    assert set(embedded.options) <= set(arguments)


def test_options_hold_facts_and_none_is_left_to_the_environment() -> None:
    profile = Evaluation("toys:Toys", "toys", {"rig": "cameras", "folder": "scenes_folder", "mesh": "walkable_area"})
    camera = Camera("front", "pinhole", 8, 8, 90.0, 1.0)
    found = profile.values(EnvironmentFacts(scenes_folder="/scenes", cameras=(camera,), gpu_index=0))
    assert found == {"rig": [asdict(camera)], "folder": "/scenes"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('scenes = "files"', 'scenes = "filed"', "scenes: Input should be 'made', 'files' or 'tasks'"),
        ("toys.environment:Toys", "toys.environment", "evaluation.entry_point"),
        ('"scenes_folder"', '"scenes_foldr"', "evaluation.options.folder"),
        ('title = "Toys"', 'title = "Toys"\ncolour = 1', "colour"),
        ("[evaluation]", "[evaluation", "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_its_field(old: str, new: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "toys" / ENVIRONMENT_FILE
    file.parent.mkdir()
    file.write_text(GOOD)
    assert read_environment(file).name == "toys"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(Refusal) as caught:
        read_environment(file)
    assert said in caught.value.what and str(file) in caught.value.what


def test_an_unknown_environment_and_a_missing_package_are_refused() -> None:
    with pytest.raises(Refusal, match=r"no environment 'habbitat'.*habitat"):
        find_environment("habbitat")
    habitat = find_environment("habitat")
    assert not has_module("/nowhere/python", habitat.module)
    with pytest.raises(Refusal, match=r"/nowhere/python does not work as a Python.*--env-python"):
        habitat.require_module("/nowhere/python")


def test_nothing_but_its_folder_compares_an_environments_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("harness", "tasks", "wm_plugins")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in path.read_text().splitlines()
        if COMPARED.search(line)
    ]
    assert not found
