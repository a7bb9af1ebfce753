"""Machine code is never older than any source that it stands on, and can always be had."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

pytest.importorskip("numba")

from harness.contracts import kernel_folders, sources

ROOT = Path(__file__).parents[2]

OUTER = """
from harness.contracts.kernels import compiled
from package.inner import OFFSET, inner

@compiled
def outer(x):
    return inner(x) + OFFSET

print(outer(1.0), sum(outer.stats.cache_hits.values()))
"""
INNER = """
from harness.contracts.kernels import compiled
from . import deepest

OFFSET = 100.0

@compiled
def inner(x):
    return deepest.deepest(x) * 2.0
"""
DEEPEST = """
from harness.contracts.kernels import compiled

@compiled(error_model="numpy")
def deepest(x):
    return x + 3.0
"""
SMALL = """
from harness.contracts.kernels import compiled

@compiled
def twice(x):
    return 2.0 * x

print(twice(21.0), sum(twice.stats.cache_hits.values()))
"""


def run(folder: Path, code: str, variables: Mapping[str, str]) -> list[str]:
    """Run ``code`` with ``folder`` on Python's path; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment.update({"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **variables})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def write_package(folder: Path) -> Path:
    package = folder / "package"
    package.mkdir()
    for name, text in (("__init__", ""), ("outer", OUTER), ("inner", INNER), ("deepest", DEEPEST)):
        (package / f"{name}.py").write_text(text)
    return package


EDITS = {
    "a kernel that is called": ("inner.py", "* 2.0", "* 3.0", "112.0"),
    "a constant elsewhere": ("inner.py", "100.0", "200.0", "212.0"),
    "a kernel two modules away": ("deepest.py", "+ 3.0", "+ 4.0", "215.0"),
}
"""Edits one after the other: file, old text, new text, and what the kernel gives then."""


def test_the_very_next_process_runs_what_is_written(tmp_path: Path) -> None:
    package = write_package(tmp_path)
    keep = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    assert run(tmp_path, "import package.outer", keep) == ["108.0", "0"]
    assert run(tmp_path, "import package.outer", keep) == ["108.0", "1"]
    for what, (file, old, new, value) in EDITS.items():
        edited = package / file
        edited.write_text(edited.read_text().replace(old, new))
        assert run(tmp_path, "import package.outer", keep) == [value, "0"], what


PLUGIN = """
from numba import njit
from helper import inner
from harness.wire.sdk import WorldModel

class Model(WorldModel):
    def imagine(self, request):
        raise NotImplementedError

    def __init__(self, manifest):
        outer = njit(cache=True)(lifted)
        print(outer(1.0), sum(outer.stats.cache_hits.values()))

def lifted(x):
    return inner(x) + 1.0
"""
HELPER = """
from numba import njit

@njit(cache=True)
def inner(x):
    return x * 2.0
"""
SERVE = """
from harness.wire.host import HostSpec, construct
manifest = {{"name": "strange", "family": "strange", "kind": "plugin"}}
construct(HostSpec("world_model", "model:Model", "", 0, ["{folder}"], {{}}, manifest))
"""


def test_a_plugin_that_calls_numba_itself_runs_what_is_written(tmp_path: Path) -> None:
    """Its authors need not know about it."""
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "model.py").write_text(PLUGIN)
    (plugin / "helper.py").write_text(HELPER)
    keep, serve = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}, SERVE.format(folder=plugin)
    assert run(tmp_path, serve, keep) == ["3.0", "0"]
    assert run(tmp_path, serve, keep) == ["3.0", "1"]
    (plugin / "helper.py").write_text(HELPER.replace("2.0", "5.0"))
    assert run(tmp_path, serve, keep) == ["6.0", "0"]


@pytest.mark.parametrize("linked", [False, True], ids=["its own", "linked"])
def test_a_constant_from_a_data_file_of_a_plugin_is_the_files(tmp_path: Path, linked: bool) -> None:
    """A kernel takes it as a global while it is compiled: it is frozen into the machine code."""
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    data = tmp_path / "elsewhere.txt" if linked else plugin / "focal.txt"
    data.write_text("2.0")
    if linked:
        (plugin / "focal.txt").symlink_to(data)
    read = "from pathlib import Path\nFOCAL = float(Path(__file__).with_name('focal.txt').read_text())\n"
    (plugin / "model.py").write_text(PLUGIN)
    (plugin / "helper.py").write_text(read + HELPER.replace("2.0", "FOCAL"))
    keep, serve = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}, SERVE.format(folder=plugin)
    assert [run(tmp_path, serve, keep) for _ in range(2)] == [["3.0", "0"], ["3.0", "1"]]
    before = data.stat()
    data.write_text("5.0")
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a tool does that keeps times
    assert run(tmp_path, serve, keep) == ["6.0", "0"]


def test_a_folder_that_happens_to_be_called_like_a_package_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as numba's own folder of machine code, in the directory that a service runs in."""
    (tmp_path / "small.py").write_text(SMALL)
    before = sources.closure([tmp_path / "small.py"])
    (tmp_path / "numba").mkdir()
    (tmp_path / "numpy").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert sources.closure([tmp_path / "small.py"]) == before and "numba" in before[1]


@pytest.mark.parametrize("name", ["site-packages", "dist-packages"])
def test_packages_installed_elsewhere_count_by_their_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """``PYTHONPATH`` names them where an interpreter does not find its own virtual environment."""
    (tmp_path / "small.py").write_text(SMALL)
    before = sources.closure([tmp_path / "small.py"])
    package = tmp_path / "elsewhere" / name / "numba"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(package.parent))
    assert sources.closure([tmp_path / "small.py"]) == before and "numba" in before[1]


def small(folder: Path) -> dict[str, str]:
    """Write the module ``small``; return the variables that keep its machine code below ``folder``."""
    (folder / "small.py").write_text(SMALL)
    return {"NUMBA_CACHE_DIR": str(folder / "kept")}


def test_machine_code_is_kept_brought_by_an_image_and_of_one_cpu(tmp_path: Path) -> None:
    keep = small(tmp_path)
    assert run(tmp_path, "import small", keep) == ["42.0", "0"]
    assert run(tmp_path, "import small", keep) == ["42.0", "1"]
    brought = {"WIW_KERNELS": str(tmp_path / "kept"), "NUMBA_CACHE_DIR": str(tmp_path / "other")}
    assert run(tmp_path, "import small", brought) == ["42.0", "1"]
    assert run(tmp_path, "import small", {**keep, "NUMBA_CPU_NAME": "generic"}) == ["42.0", "0"]
    assert len(list((tmp_path / "kept").glob("small-*"))) == 2


def test_the_compiler_and_its_settings_are_part_of_the_name() -> None:
    made_by = " ".join(kernel_folders.compiler())
    for name in ("numba", "llvmlite"):
        assert f"{name} {version(name)}" in made_by
    assert kernel_folders.settings({"NUMBA_OPT": "1", "NUMBA_CACHE_DIR": "x", "HOME": "y"}) == ["NUMBA_OPT=1"]


def test_damaged_machine_code_is_compiled_again(tmp_path: Path) -> None:
    keep = small(tmp_path)
    run(tmp_path, "import small", keep)
    for kind, damage in (("*.nbi", b"no pickle"), ("*.nbc", b"")):
        damaged = list((tmp_path / "kept").rglob(kind))
        assert damaged
        for file in damaged:
            file.write_bytes(damage)
        assert run(tmp_path, "import small", keep) == ["42.0", "0"], kind
        assert run(tmp_path, "import small", keep) == ["42.0", "1"], kind


@pytest.mark.parametrize("place", ["a file", "full"])
def test_where_nothing_can_be_kept_kernels_run_all_the_same(tmp_path: Path, place: str) -> None:
    """And never from beside the sources, where numba would look for stale code."""
    keep = small(tmp_path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "kept").touch()
    code = "import small" if place == "a file" else f"{NO_ROOM}; import small"
    assert run(tmp_path, code, {**keep, "TMPDIR": str(temporary)}) == ["42.0", "0"]
    assert not list(tmp_path.rglob("__pycache__"))


NO_ROOM = "import shutil, types; shutil.disk_usage = lambda path: types.SimpleNamespace(free=0)"


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code is unpickled: what others could write must not be."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = tmp_path / f"wiw-kernels-{os.geteuid()}"
    assert kernel_folders._private() == place
    place.chmod(0o777)
    with pytest.raises(PermissionError):
        kernel_folders._private()
    place.rmdir()
    place.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        kernel_folders._private()


def old_folders(place: Path, count: int) -> list[Path]:
    folders = [place / f"old-{number:016x}" for number in range(count)]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "code.nbc").write_bytes(b"x")
        os.utime(folder, (number, number))
    return folders


def test_old_folders_go_and_nothing_else_does_while_nobody_uses_them(tmp_path: Path) -> None:
    (tmp_path / "of-another-program").mkdir()
    folders = old_folders(tmp_path, kernel_folders.KEPT + 5)
    with (tmp_path / "in-use").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        kernel_folders._open(tmp_path)
        assert all(folder.exists() for folder in folders)
    kernel_folders._in_use.pop().close()
    kernel_folders._open(tmp_path)
    assert [folder for folder in folders if folder.exists()] == folders[5:]
    assert (tmp_path / "of-another-program").exists()
    kernel_folders._in_use.pop().close()


def test_processes_that_compile_at_once_agree(tmp_path: Path) -> None:
    keep = small(tmp_path)
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: run(tmp_path, "import small", keep)[0], range(3)))
    assert done == ["42.0"] * 3
    assert run(tmp_path, "import small", keep) == ["42.0", "1"]


def test_every_kernel_of_the_project_is_compiled_by_one_function() -> None:
    """numba's own decorators keep machine code that goes stale."""
    wrong = []
    for room in ("harness", "images", "tasks", "wm_plugins"):
        for file in (ROOT / room).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if re.search(r"^(import numba|from numba)", text, re.MULTILINE):
                wrong.append(file.relative_to(ROOT).as_posix())
    assert wrong == ["harness/diagnosing/host_checks.py"], "use harness.contracts.kernels.compiled"
