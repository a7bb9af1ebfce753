"""What this machine has: interpreter, packages, compiler, memory and folders; suites, licensed scenes, weights."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tomllib

from harness.contracts.errors import WiwError
from harness.diagnosing.findings import OK, PROBLEM, SKIPPED, WARNING, Finding
from harness.runtimes.environments import MADE
from harness.worldmodels.catalog import CatalogEntry
from harness.worldmodels.weights import declared_lacks, has_weights
from tasks.suite import list_suites, load_suite

MIN_PYTHON = (3, 11)
MIN_MEMORY_GB = 2.0
MIN_DISK_GB = 3.0
MIN_SHARED_MEMORY_MB = 64.0
"""What Docker gives a container by default; loaders of world models exchange batches through it."""

INSTALL = "pip install -c constraints.txt -e '.[{extra}]'"
COMPILE_TIMEOUT_S = 40.0

_COMPILE = """
import numba
from harness.contracts import portable
compiled = numba.njit(portable.sincos)
same = all(compiled(k * 0.37) == portable.sincos(k * 0.37) for k in range(500))
print(numba.__version__, "same" if same else "other")
"""

MEASURES_TIMEOUT_S = 60.0
_TRY_MEASURES = "import json; from harness.planning import gap; print(json.dumps(gap.trial()))"
_MEND_MEASURES = (
    "For LPIPS: `pip install --force-reinstall torch torchvision lpips` (versions that belong together), then "
    "`python -c \"import lpips; lpips.LPIPS(net='alex')\"` once with network."
)


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Python must be new enough."""
    text = ".".join(map(str, found))
    if found[:2] >= MIN_PYTHON:
        return Finding("python", OK, text)
    least = ".".join(map(str, MIN_PYTHON))
    return Finding(
        "python", PROBLEM, text, f"older than {least}", f"Make the environment with Python {least} or newer."
    )


def check_extra(extra: str, modules: Iterable[str], gain: str, needed: bool) -> Finding:
    """The packages of one extra must be there; ``gain`` says what they are for."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if not missing:
        return Finding(f"extra: {extra}", OK, gain)
    found = f"no {', '.join(missing)}"
    return Finding(
        f"extra: {extra}", PROBLEM if needed else SKIPPED, found, f"{gain} cannot run", INSTALL.format(extra=extra)
    )


def check_versions(project: Path, constraints: Path, extras: Iterable[str] = ("embedded",)) -> Finding:
    """Installed packages must not be older than the project asks, and should be those of constraints.txt.

    Another version may change no outcome, but only the pinned ones are tested to give equal bytes.
    """
    least = _least_versions(project, extras)
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", constraints.read_text(encoding="utf-8"), re.MULTILINE))
    pinned = {_plain(name): pin for name, pin in pins.items()}
    wrong, other = [], []
    for name, minimum in least.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            wrong.append(f"no {name}")
            continue
        if minimum and _number(installed) < _number(minimum):
            wrong.append(f"{name} {installed} (needs {minimum} or newer)")
        elif pinned.get(_plain(name), installed) != installed:
            other.append(f"{name} {installed} (tested with {pinned[_plain(name)]})")
    step = INSTALL.format(extra=",".join(extras))
    if wrong:
        return Finding("package versions", PROBLEM, "; ".join(wrong), "the embedded suite cannot run", step)
    if other:
        return Finding("package versions", WARNING, "; ".join(other), "equal bytes are tested with the pins only", step)
    return Finding("package versions", OK, f"{len(least)} packages as in {constraints.name}")


def check_compiler() -> Finding:
    """numba must compile and agree with Python to the last bit, or no trajectory root would be comparable.

    In a process of its own, because a broken LLVM ends the process.
    """
    if importlib.util.find_spec("numba") is None:
        return Finding("compiler", PROBLEM, "no numba", "nothing can be rendered", INSTALL.format(extra="embedded"))
    step = "Unset the NUMBA_* variables; else reinstall: " + INSTALL.format(extra="embedded")
    try:
        done = _python(_COMPILE, COMPILE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Finding("compiler", PROBLEM, f"no answer in {COMPILE_TIMEOUT_S:g} s", "numba hangs", step)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding("compiler", PROBLEM, f"exit {done.returncode}: {last}", "numba does not compile", step)
    number, agreement = done.stdout.split()
    if agreement != "same":
        return Finding("compiler", PROBLEM, f"numba {number}", "compiled code gives other bits than Python", step)
    return Finding("compiler", OK, f"numba {number} on {platform.machine()}, bits as Python's")


def check_measures() -> Finding:
    """The measures that decide nothing are tried for real: libraries that do not fit each other show only when used.

    In a process of its own, because torch takes long to load and a broken one may end the process.
    """
    name = "measures"
    if importlib.util.find_spec("numba") is None:
        return Finding(name, SKIPPED, "no numba", "the gap is not measured", INSTALL.format(extra="embedded"))
    step = "Nothing needs them. " + _MEND_MEASURES
    try:
        done = _python(_TRY_MEASURES, MEASURES_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Finding(name, WARNING, f"no answer in {MEASURES_TIMEOUT_S:g} s", "an episode would wait", step)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding(name, WARNING, f"exit {done.returncode}: {last}", "every episode would fail", _MEND_MEASURES)
    tried: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    taken = ", ".join(measure for measure, why in tried.items() if not why) or "none"
    lacking = "; ".join(f"{measure} {why}" for measure, why in tried.items() if why)
    if not lacking:
        return Finding(name, OK, taken)
    only_absent = all(why.startswith("needs ") for why in tried.values() if why)
    found = f"{taken}; {lacking}"
    return Finding(name, SKIPPED if only_absent else WARNING, found, "that gap is not measured; nothing else", step)


def check_memory() -> Finding:
    """Each worker runs a simulator below 0.6 GB beside itself."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    found = f"{len(os.sched_getaffinity(0))} cores, {gigabytes:.1f} GB"
    if gigabytes < MIN_MEMORY_GB:
        return Finding("machine", WARNING, found, "two workers may not fit", "Play with --workers 1.")
    return Finding("machine", OK, found)


def check_shared_memory(folder: Path = Path("/dev/shm")) -> Finding:
    """Shared memory must have room: too little of it kills data loaders with a bus error that names no reason."""
    if not folder.is_dir():
        return Finding("shared memory", WARNING, f"no {folder}", "data loaders fail", f"Mount a tmpfs at {folder}.")
    free = shutil.disk_usage(folder).free / 1e6
    found = f"{folder}: {free:.0f} MB free"
    if free < MIN_SHARED_MEMORY_MB:
        step = f"sudo mount -o remount,size=1G {folder} (in a container: --shm-size=1g), or delete old files there."
        return Finding("shared memory", WARNING, found, "data loaders of world models die with a bus error", step)
    return Finding("shared memory", OK, found)


def check_folder(name: str, folder: Path, choose: str) -> Finding:
    """The folder (or its nearest parent) must take a file and have room; ``choose`` says how to name another.

    A file is really written: permissions, read-only file systems and quotas all show then, also for root.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    another = f"Choose another folder: {choose}."
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding(name, PROBLEM, f"{folder}: {error.strerror}", "nothing can be written there", another)
    free = shutil.disk_usage(place).free / 1e9
    found = f"{folder}: {free:.1f} GB free"
    if free < MIN_DISK_GB:
        step = f"Free at least {MIN_DISK_GB:g} GB (python benchmark.py runs clean), or choose: {choose}."
        return Finding(name, PROBLEM, found, "a run would stop in the middle", step)
    return Finding(name, OK, found)


def examine_machine(root: Path, folders: Mapping[str, tuple[Path, str]]) -> Iterator[Finding]:
    """Yield the findings of the machine; ``folders`` are (path, how to choose another) by name."""
    yield check_python()
    yield check_extra("embedded", ("numba", "skimage", "trimesh"), "the embedded suite", needed=True)
    yield check_extra("tabletop", ("mujoco", "gymnasium_robotics"), "the tabletop", needed=False)
    yield check_extra("docker", ("docker",), "--runtime docker", needed=False)
    yield check_extra("models", ("torch", "diffusers"), "learnt world models", needed=False)
    yield check_versions(root / "pyproject.toml", root / "constraints.txt")
    yield check_compiler()
    yield check_measures()
    yield check_memory()
    yield check_shared_memory()
    for name, (path, choose) in folders.items():
        yield check_folder(name, path, choose)


def _python(code: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=timeout_s)


def _least_versions(project: Path, extras: Iterable[str]) -> dict[str, str]:
    """Return package -> oldest version that pyproject.toml allows ("" for any)."""
    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    optional = table.get("optional-dependencies", {})
    lines = [*table["dependencies"], *(line for extra in extras for line in optional[extra])]
    parsed = [re.match(r"([A-Za-z0-9_.-]+)(?:>=([0-9.]+))?", line) for line in lines]
    return {match[1]: match[2] or "" for match in parsed if match}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def check_suites() -> Iterator[Finding]:
    """Yield which suites can run here, and of each other the first thing that is missing."""
    for name in list_suites():
        try:
            suite = load_suite(name)
            missing = suite.missing()
        except WiwError as error:
            yield Finding(f"suite: {name}", WARNING, error.what, "it is refused", error.next_step)
            continue
        if missing:
            state = PROBLEM if suite.played_by.scenes == MADE else WARNING
            yield Finding(f"suite: {name}", state, missing[0].reason, "it cannot run here", missing[0].remedy)
        else:
            yield Finding(f"suite: {name}", OK, "can run here")


def check_scenes() -> Iterator[Finding]:
    """Yield whether the files of each dataset are in the data folder, and the licence that each is under.

    Without a data folder nobody plays published suites here, and one line says so.
    """
    from tasks.datasets.catalog import data_folder, load_datasets

    data = data_folder()
    if not data.exists() and "WIW_DATA" not in os.environ:
        step = "python benchmark.py datasets"
        yield Finding("data", SKIPPED, f"no folder {data}, and WIW_DATA is not set", "suite wiw needs scenes", step)
        return
    for dataset in load_datasets().values():
        missing = dataset.missing(data)
        name = f"data: {dataset.name}"
        if not missing:
            yield Finding(name, OK, f"in {data}")
            continue
        found = f"not in {data}: {', '.join(missing[:2])}" + (", ..." if len(missing) > 2 else "")
        command = "fetch " if dataset.fetchable else ""
        step = f"python benchmark.py datasets {command}{dataset.name} (another folder: WIW_DATA)"
        yield Finding(name, WARNING, found, f"needed by suite wiw; licence: {dataset.licence}", step)


def check_weights(entries: Iterable[CatalogEntry]) -> Iterator[Finding]:
    """Yield whether the declared weights of every learnt world model are here, by the rules of a run."""
    declared = [(entry.manifest, entry.folder) for entry in entries if has_weights(entry.manifest)]
    if not declared:
        yield Finding("weights", SKIPPED, "no world model here declares a checkpoint")
    for manifest, folder in declared:
        name = f"weights: {manifest.name}"
        missing = declared_lacks(manifest, folder)
        if not missing:
            yield Finding(name, OK, "here, as far as their file names say")
            continue
        found = "; ".join(lack.what for lack in missing)
        steps = "; ".join(step for lack in missing for step in lack.steps)
        yield Finding(name, WARNING, found, f"--wm {manifest.name} cannot run", steps)
