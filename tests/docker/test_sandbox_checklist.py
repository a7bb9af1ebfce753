"""docs/security.md: every row names a test that exists, every probe has a row, and the limits are those in force."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from harness.runtimes.sandbox import describe_limits
from harness.runtimes.service import ContainerLimits
from tests.docker.probe_plugin import cheats
from tests.docker.probe_plugin.escapes import PROBES
from tests.docker.probe_plugin.place import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
PARAMETERS = {
    "escapes": set(PROBES),
    "cheats": {
        name
        for name, function in inspect.getmembers(cheats, inspect.isfunction)
        if list(inspect.signature(function).parameters) == ["requests", "honest"]
    },
    "folder": set(KINDS),
}
FILES = {
    "sandbox": "test_sandbox_escapes.py",
    "cheating": "test_sandbox_cheats.py",
    "shared": "test_sandbox_folder.py",
    "runtime": "test_runtime.py",
}


def rows() -> list[str]:
    """Return the last cell of every row of the checklist."""
    section = PAGE.partition("## Checklist")[2].partition("## What the probes found")[0]
    cells = [line.rstrip("| ").rpartition("|")[2].strip() for line in section.splitlines() if line.startswith("|")]
    return [cell for cell in cells if cell not in ("test", "---")]


def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


def exists(name: str) -> bool:
    """Say whether a test in one of the page's forms exists."""
    if found := re.fullmatch(r"(\w+)\[(.+)\]", name):
        return found[2] in PARAMETERS.get(found[1], set())
    place, _, test = name.partition("::")
    file = ROOT / "tests" / "docker" / FILES[place] if place in FILES else ROOT / place
    return file.is_file() and (not test or test in functions_of(file))


def test_every_row_names_a_test_that_exists() -> None:
    assert len(rows()) > 60
    for row in rows():
        named = re.findall(r"`([^`]+)`", row)
        assert named, row
        assert [name for name in named if not exists(name)] == []
    assert not exists("escapes[nothing]") and not exists("runtime::test_nothing")


def test_the_short_names_stand_for_tests_that_exist() -> None:
    for name in re.findall(r"`(tests/docker/test_sandbox_\w+\.py::\w+)`", PAGE):
        assert exists(name), name


def test_every_probe_has_a_row() -> None:
    for kind, names in PARAMETERS.items():
        shown = set(re.findall(rf"`{kind}\[([^\]]+)\]`", " ".join(rows())))
        assert shown == names


def test_a_probe_marked_as_without_control_has_none_and_the_others_have_one() -> None:
    from tests.docker import test_sandbox_escapes as escapes

    controlled = {*escapes.REACHED_ON_THE_HOST, *escapes.REACHED_BY_ROOT_ON_THE_HOST, *escapes.REACHED_WITHOUT_POLICY}
    controlled |= {*escapes.REACHED_WHERE_THE_KERNEL_HAS_IT, "set_user_id_program", "persistence"}
    marked = set(re.findall(r"`escapes\[(\w+)\]` °", PAGE))
    assert marked == set(PROBES) - controlled


def test_the_limits_are_those_in_force() -> None:
    assert describe_limits(ContainerLimits()) in PAGE
