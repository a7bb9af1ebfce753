"""What draws: the GPU as its driver shows it, and one rendered frame a device, past the liveness gate.

nvidia-smi, libcuda and EGL must be of one driver, and new enough for CUDA. A mismatch seldom raises an error where it
matters: EGL then draws in software or draws nothing, and a model falls back to the CPU. Everything between the scene's
file and the pixels takes part in a frame: interpreter or container, wire, renderer, driver."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.commands import FIRST_TASK
from harness.contracts.errors import DeadFrame, DeadlineExceeded, WiwError
from harness.contracts.observations import ViewRequest
from harness.diagnosing.findings import OK, PROBLEM, SKIPPED, WARNING, Finding
from harness.running.frame_checks import LivenessGate
from harness.running.services import Placement, plan_environment, start
from harness.runtimes.environments import MADE, declared_environments
from harness.runtimes.service import ServiceSpec
from harness.wire.client import Deadlines, EnvironmentClient
from tasks.suite import Suite, list_suites, load_suite

TIMEOUT_S = 10.0
EGL_FOLDERS = (Path("/etc/glvnd/egl_vendor.d"), Path("/usr/share/glvnd/egl_vendor.d"))
NVIDIA_EGL = "libEGL_nvidia"

_QUERY = "index,uuid,name,driver_version"
_LIBCUDA = """
import ctypes, re
library = ctypes.CDLL("libcuda.so.1")
version = ctypes.c_int()
code = library.cuDriverGetVersion(ctypes.byref(version))
path = next((line.split()[-1] for line in open("/proc/self/maps") if "libcuda" in line), "")
print(code, version.value, path)
"""


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi lists it."""

    index: int
    uuid: str
    name: str
    driver: str


def examine_gpus() -> tuple[list[str], list[Finding]]:
    """Return the UUIDs of the GPUs, and the findings about them and their driver."""
    gpus, first = list_gpus()
    if not gpus:
        return [], [first]
    driver = gpus[0].driver
    return [gpu.uuid for gpu in gpus], [first, *check_cuda(driver), *check_egl(driver)]


def list_gpus() -> tuple[list[Gpu], Finding]:
    """Ask nvidia-smi, the only program that comes with every driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        if Path("/proc/driver/nvidia/version").exists():
            step = "Install the driver's tools, e.g. sudo apt install nvidia-utils-<driver version>."
            return [], Finding("gpu", WARNING, "a driver without nvidia-smi", "no GPU can be chosen", step)
        return [], Finding("gpu", SKIPPED, "no NVIDIA GPU", "learnt world models would run on the CPU")
    try:
        done = subprocess.run(
            [program, f"--query-gpu={_QUERY}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        step = "Look at: sudo dmesg | grep -i nvrm; then restart the machine."
        return [], Finding("gpu", WARNING, f"nvidia-smi hangs ({TIMEOUT_S:g} s)", "the driver or a GPU is stuck", step)
    if "No devices were found" in done.stdout + done.stderr:
        return [], Finding("gpu", SKIPPED, "a driver, and no GPU", "learnt world models would run on the CPU")
    if done.returncode != 0:
        text = (done.stdout + done.stderr).strip().splitlines() or [f"exit {done.returncode}"]
        mismatch = "version mismatch" in text[0]
        step = "Restart the machine" + (": the driver was updated under a running kernel." if mismatch else ".")
        return [], Finding("gpu", WARNING, f"nvidia-smi: {text[0]}", "no GPU can be used", step)
    gpus = [_gpu(line) for line in done.stdout.strip().splitlines()]
    names = ", ".join(f"{gpu.index}: {gpu.name}" for gpu in gpus)
    return gpus, Finding("gpu", OK, f"{names}; driver {gpus[0].driver}")


def check_cuda(driver: str) -> Iterator[Finding]:
    """Yield whether libcuda is the driver's own, and whether the driver is new enough for the installed PyTorch."""
    done = subprocess.run([sys.executable, "-c", _LIBCUDA], capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        step = f"Install libcuda of the driver: sudo apt install libnvidia-compute-{driver.partition('.')[0]}"
        yield Finding("libcuda", WARNING, last, "CUDA finds no GPU although there is one", step)
        return
    code, number, library = [*done.stdout.split(), "", "", ""][:3]
    supported = (int(number) // 1000, int(number) % 1000 // 10)
    own = re.search(r"libcuda\.so\.(\d+\.[\d.]+)$", library)
    if own and own[1] != driver:
        step = "Remove the other driver's files, or restart after an update: the two must be of one version."
        yield Finding("libcuda", WARNING, f"{library}, driver {driver}", "library and driver do not match", step)
    elif code != "0":
        yield Finding(
            "libcuda", WARNING, f"cuDriverGetVersion gives {code}", "CUDA cannot start", "Restart the machine."
        )
    else:
        yield Finding("libcuda", OK, f"CUDA up to {supported[0]}.{supported[1]}")
    yield check_torch_cuda(supported)


def check_torch_cuda(supported: tuple[int, int]) -> Finding:
    """The driver must know the major version of CUDA that PyTorch was built with (minors are compatible)."""
    built = torch_cuda()
    if not built:
        return Finding("cuda", SKIPPED, "no PyTorch with CUDA installed", "learnt world models would run on the CPU")
    found = f"PyTorch built with CUDA {built}, driver supports {supported[0]}.{supported[1]}"
    major = int(built.partition(".")[0])
    if major > supported[0]:
        step = (
            f"Update the NVIDIA driver to one that supports CUDA {built}, or install PyTorch for CUDA {supported[0]}: "
            f"https://pytorch.org/get-started/locally"
        )
        return Finding("cuda", WARNING, found, "the driver is older than CUDA: models would fail or use the CPU", step)
    return Finding("cuda", OK, found)


def torch_cuda() -> str:
    """Return the CUDA version that the installed PyTorch was built with ("" for none), without importing it."""
    spec = importlib.util.find_spec("torch")
    file = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if file is None or not file.exists():
        return ""
    found = re.search(r"^cuda[^=\n]*=\s*['\"]([\d.]+)['\"]", file.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def check_egl(driver: str) -> Iterator[Finding]:
    """Yield whether EGL can find the NVIDIA driver; without its vendor file it draws in software, or nothing."""
    major = driver.partition(".")[0]
    step = f"sudo apt install libnvidia-gl-{major} (in a container: NVIDIA_DRIVER_CAPABILITIES=all)"
    libraries = [library for file in vendor_files() if (library := _vendor_library(file))]
    nvidia = [library for library in libraries if NVIDIA_EGL in library]
    if not nvidia:
        found = f"vendor files name {', '.join(libraries) or 'nothing'}"
        yield Finding("egl", WARNING, found, "simulators on the GPU draw in software, or black", step)
        return
    code = f"import ctypes; ctypes.CDLL({nvidia[0]!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield Finding("egl", WARNING, last, f"the vendor file names {nvidia[0]}, which does not load", step)
    else:
        yield Finding("egl", OK, nvidia[0])


def vendor_files() -> list[Path]:
    """Return the EGL vendor files in the order in which libglvnd reads them; its variables replace the folders."""
    named = os.environ.get("__EGL_VENDOR_LIBRARY_FILENAMES")
    if named:
        return [Path(name) for name in named.split(":")]
    folders = os.environ.get("__EGL_VENDOR_LIBRARY_DIRS")
    places = [Path(name) for name in folders.split(":")] if folders else EGL_FOLDERS
    return [file for place in places for file in sorted(place.glob("*.json"))]


def _vendor_library(file: Path) -> str:
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["ICD"]["library_path"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _gpu(line: str) -> Gpu:
    index, uuid, name, driver = (part.strip() for part in line.split(","))
    return Gpu(int(index), uuid, name, driver)


LEAST_S = 5.0
"""A frame is not tried in less time than this."""

_FIX = "Delete the homes cache ({cache}), and reinstall: pip install -c constraints.txt -e '.[embedded]'"
_WARM_UP = (
    f"Play one episode, which waits longer and keeps what it builds: python benchmark.py --wm none --task {FIRST_TASK} "
)


def check_frame(name: str, plan: ServiceSpec, suite: Suite, fix: str, until: float, fault: str = WARNING) -> Finding:
    """Start an environment, look at its first frame and at one after a turn; ``fix`` says what to do about a dead one.

    The second frame shows that the renderer follows the body. ``until`` is when to give up (`time.monotonic`), and
    ``fault`` the state of a failure; slowness alone is none, since a first start builds a home and compiles.
    """
    began = time.monotonic()
    docker = " --runtime docker" if plan.container is not None else ""
    warm_up = f"{_WARM_UP}--suite {suite.family} --episodes 1{docker}"
    if until - began < LEAST_S:
        return Finding(name, SKIPPED, "no time was left for it", "other frames took long", warm_up)
    try:
        with ExitStack() as stack:
            size = _look(_start(stack, plan, until), suite)
    except DeadlineExceeded as error:
        return Finding(name, WARNING, error.what, "the machine is slow, or busy, or this is the first start", warm_up)
    except DeadFrame as error:
        return Finding(name, fault, error.what, "agents would be shown nothing: their episodes end as errors", fix)
    except WiwError as error:
        return Finding(name, fault, error.what, "no frame could be rendered", error.next_step or fix)
    return Finding(name, OK, f"{size}, alive, after {time.monotonic() - began:.1f} s")


def examine_frames(cache: Path, engine: bool, gpus: list[str], until: float) -> Iterator[Finding]:
    """Yield one finding a device: every environment that needs no files of the user's, as a process and on the engine.

    ``gpus`` are UUIDs: an environment that draws on a GPU is tried on every one, or without one.
    """
    for environment in declared_environments():
        if environment.scenes != MADE:
            continue
        family = environment.name
        suite = _runnable(family)
        if isinstance(suite, Finding):
            yield suite
            continue
        devices = gpus if environment.draws_on_gpu and gpus else [""]
        for gpu in devices:
            label = f"frame: {family} on {gpu or 'the CPU'}"
            fix = _FIX.format(cache=cache)
            plan, _ = plan_environment(suite, cache, {}, Placement(gpu=gpu))
            yield check_frame(label, plan, suite, fix, until, PROBLEM)
            if engine:
                yield _in_container(f"{label}, in Docker", suite, cache, gpu, fix, until)


def _in_container(name: str, suite: Suite, cache: Path, gpu: str, fix: str, until: float) -> Finding:
    try:
        plan, _ = plan_environment(suite, cache, {}, Placement(container=True, gpu=gpu))
    except WiwError as error:
        return Finding(name, SKIPPED, error.what, "", error.next_step)
    return check_frame(name, plan, suite, fix, until)


def _runnable(family: str) -> Suite | Finding:
    """Return the suite of a family, or why it cannot run here."""
    name = f"frame: {family}"
    if not any(known.rpartition("-v")[0] == family for known in list_suites()):
        return Finding(name, SKIPPED, f"no suite of the family {family}")
    suite = load_suite(family)
    try:
        suite.require_runnable()
    except WiwError as error:
        return Finding(name, SKIPPED, error.what, "", error.next_step)
    return suite


def _start(stack: ExitStack, plan: ServiceSpec, until: float) -> LivenessGate:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wiw-doctor-")))
    service = stack.enter_context(start(plan, until - time.monotonic(), folder / "environment.log"))
    left = max(until - time.monotonic(), 1.0)
    gate = LivenessGate(EnvironmentClient(service.socket, Deadlines(reset_s=left, step_s=left)))
    stack.callback(gate.close)
    return gate


def _look(gate: LivenessGate, suite: Suite) -> str:
    """Look at the first episode's first frame and at the one after a turn; return the frame's size."""
    tier = suite.tier()
    camera = tier.loop.agent_camera
    turn = next(action for action in suite.action_space.primitives if action.name.startswith("turn"))
    gate.describe()
    first = gate.reset(suite.episodes(tier.name)[0], 0, [ViewRequest(camera)])
    gate.step([turn], [ViewRequest(camera)])
    height, width, _ = first.views[camera].rgb.shape
    return f"{height} x {width}"
