"""`doctor`: what can run here, what cannot, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.cli.console import print_json, print_table

MIN_DISK_GB = 3.0
MIN_MEMORY_GB = 2.0


@dataclass(frozen=True)
class Check:
    """One finding. ``state`` is ``ok``, ``absent`` (an optional part is not here) or ``problem``."""

    name: str
    state: str
    detail: str
    next_step: str = ""


def check_python() -> Check:
    """Python must be 3.11 or newer."""
    version = platform.python_version()
    if sys.version_info >= (3, 11):
        return Check("python", "ok", version)
    return Check("python", "problem", f"{version} is too old", "Make the environment with Python 3.11 or newer.")


def check_packages(extra: str, modules: Iterable[str], gain: str) -> Check:
    """The packages of one extra must be importable; ``gain`` says what they are for."""
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if not missing:
        return Check(f"extra: {extra}", "ok", gain)
    state = "problem" if extra == "embedded" else "absent"
    step = f"pip install -c constraints.txt -e '.[{extra}]'"
    return Check(f"extra: {extra}", state, f"no {', '.join(missing)}: {gain} cannot run", step)


def check_folder(name: str, folder: Path) -> Check:
    """The folder (or its nearest parent) must be writable and have room."""
    place = folder
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        return Check(name, "problem", f"{folder} is not writable", "Choose another folder (--out, WIW_CACHE).")
    free = shutil.disk_usage(place).free / 1e9
    if free < MIN_DISK_GB:
        step = f"Free at least {MIN_DISK_GB:.0f} GB or choose another disk (--out, WIW_CACHE)."
        return Check(name, "problem", f"{folder}: {free:.1f} GB free", step)
    return Check(name, "ok", f"{folder}: {free:.0f} GB free")


def check_memory() -> Check:
    """Each worker runs a simulator below 0.6 GB beside itself."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    detail = f"{os.cpu_count()} cores, {gigabytes:.1f} GB"
    if gigabytes < MIN_MEMORY_GB:
        return Check("machine", "problem", detail, "Use --workers 1.")
    return Check("machine", "ok", detail)


def check_program(name: str, program: str, gain: str, step: str) -> Check:
    """An optional program on the PATH."""
    path = shutil.which(program)
    if path:
        return Check(name, "ok", path)
    return Check(name, "absent", f"no {program}: {gain}", step)


def check_compile() -> Check:
    """numba must compile and agree with Python to the last bit, or no root would be comparable."""
    if importlib.util.find_spec("numba") is None:
        return Check("compiler", "problem", "numba is missing", "pip install -c constraints.txt -e '.[embedded]'")
    import numba

    from harness.contracts import portable

    try:
        compiled = numba.njit(portable.sincos)
        same = all(compiled(k * 0.37) == portable.sincos(k * 0.37) for k in range(500))
    except Exception as error:
        return Check("compiler", "problem", f"numba failed: {error}", "Reinstall with -c constraints.txt.")
    if same:
        return Check("compiler", "ok", f"numba {numba.__version__} on {platform.machine()}, bits as expected")
    return Check("compiler", "problem", "compiled bits differ from Python's", "Unset NUMBA_* variables and retry.")


def check_suites() -> list[Check]:
    """Which suites can run here, in the suites' own words."""
    from harness.contracts.errors import WiwError
    from tasks.suite import list_suites, load_suite

    found = []
    for name in list_suites():
        try:
            load_suite(name).require_runnable()
            found.append(Check(f"suite: {name}", "ok", "can run here"))
        except WiwError as error:
            found.append(Check(f"suite: {name}", "absent", error.what, error.next_step))
    return found


def examine(out: Path) -> list[Check]:
    """Return all findings; never raises."""
    from harness.cli.paths import cache_root

    embedded = ("numba", "skimage", "trimesh")
    checks: list[Callable[[], Check]] = [
        check_python,
        lambda: check_packages("embedded", embedded, "the embedded suite"),
        lambda: check_packages("models", ("torch", "diffusers"), "learnt world models"),
        check_compile,
        check_memory,
        lambda: check_folder("runs", out),
        lambda: check_folder("homes cache", cache_root()),
        lambda: check_program("gpu", "nvidia-smi", "learnt models would run on the CPU", "Install the NVIDIA driver."),
    ]
    return [check() for check in checks] + check_suites()


def doctor(out: Path, as_json: bool) -> int:
    """Print the findings; return 1 if any is a problem, else 0."""
    checks = examine(out)
    if as_json:
        print_json({"checks": [asdict(c) for c in checks]})
    else:
        rows = [(c.name, c.state, c.detail + (f"\n→ {c.next_step}" if c.next_step else "")) for c in checks]
        print_table("What can run here", ("part", "state", "detail"), rows)
    return 1 if any(c.state == "problem" for c in checks) else 0
