"""Planted faults of GPU, driver, CUDA and EGL: programs and libraries of a broken machine, found the usual way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.diagnosing import graphics
from harness.diagnosing.findings import OK, SKIPPED, WARNING, Finding

DRIVER = "550.54.14"
ONE_GPU = f"0, GPU-12345678-aaaa-bbbb-cccc-1234567890ab, NVIDIA H100 80GB HBM3, {DRIVER}"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands first on PATH, LD_LIBRARY_PATH and PYTHONPATH, and holds the only EGL vendor files."""
    for folder in ("bin", "lib", "egl"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "lib"))
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", str(tmp_path / "egl"))
    monkeypatch.delenv("__EGL_VENDOR_LIBRARY_FILENAMES", raising=False)
    return tmp_path


def nvidia_smi(machine: Path, says: str, code: int = 0) -> None:
    program = machine / "bin" / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    program.chmod(0o755)


def library(machine: Path, name: str, code: str, link: str = "") -> Path:
    """Compile a shared library of one function; ``link`` is the name that programs load it by."""
    if shutil.which("gcc") is None:
        pytest.skip("needs a C compiler to make a library of the driver")
    source = machine / "source.c"
    source.write_text(code)
    path = machine / "lib" / name
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(path), str(source)], check=True)
    if link:
        path.with_name(link).symlink_to(path)
    return path


def libcuda(machine: Path, version: int, code: int = 0, driver: str = DRIVER) -> None:
    text = f"int cuDriverGetVersion(int *v) {{ *v = {version}; return {code}; }}"
    library(machine, f"libcuda.so.{driver}", text, "libcuda.so.1")


def egl_vendor(machine: Path, name: str) -> None:
    vendor = {"file_format_version": "1.0.0", "ICD": {"library_path": name}}
    (machine / "egl" / "10_vendor.json").write_text(json.dumps(vendor))


def torch_of(machine: Path, cuda: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = machine / "site" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "version.py").write_text(f"from typing import Optional\ncuda: Optional[str] = '{cuda}'\n")
    monkeypatch.delitem(sys.modules, "torch", raising=False)  # the real one, where other tests imported it
    monkeypatch.syspath_prepend(str(machine / "site"))


def examined() -> dict[str, Finding]:
    return {finding.name: finding for finding in graphics.examine_gpus()[1]}


def test_a_sound_machine(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(machine, ONE_GPU)
    libcuda(machine, 12040)
    library(machine, "libEGL_nvidia.so.0", "int egl;")
    egl_vendor(machine, "libEGL_nvidia.so.0")
    torch_of(machine, "12.8", monkeypatch)
    found = examined()
    assert {name: finding.state for name, finding in found.items()} == dict.fromkeys(
        ("gpu", "libcuda", "cuda", "egl"), OK
    )
    gpus, _ = graphics.examine_gpus()
    assert gpus == ["GPU-12345678-aaaa-bbbb-cccc-1234567890ab"]


def test_no_gpu_is_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [f.state for f in graphics.examine_gpus()[1]] == [SKIPPED]


def test_a_driver_without_a_gpu_is_no_fault(machine: Path) -> None:
    nvidia_smi(machine, "No devices were found", code=6)
    assert examined()["gpu"].state == SKIPPED


def test_a_driver_that_was_updated_under_the_kernel(machine: Path) -> None:
    nvidia_smi(machine, "Failed to initialize NVML: Driver/library version mismatch", code=18)
    found = examined()["gpu"]
    assert found.state == WARNING and "Restart the machine" in found.next_step and "updated" in found.next_step


def test_nvidia_smi_that_hangs(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "bin" / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 60\n")
    (machine / "bin" / "nvidia-smi").chmod(0o755)
    monkeypatch.setattr(graphics, "TIMEOUT_S", 0.3)
    found = examined()["gpu"]
    assert found.state == WARNING and "dmesg" in found.next_step


def test_no_libcuda(machine: Path) -> None:
    nvidia_smi(machine, ONE_GPU)
    (machine / "lib" / "libcuda.so.1").write_text("not a library")
    found = examined()["libcuda"]
    assert found.state == WARNING and "libnvidia-compute-550" in found.next_step


def test_libcuda_of_another_driver(machine: Path) -> None:
    nvidia_smi(machine, ONE_GPU)
    libcuda(machine, 12020, driver="535.183.01")
    found = examined()["libcuda"]
    assert found.state == WARNING and "535.183.01" in found.found and DRIVER in found.found
    assert "one version" in found.next_step


def test_a_driver_older_than_cuda(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(machine, ONE_GPU)
    libcuda(machine, 12040)
    torch_of(machine, "13.0", monkeypatch)
    found = examined()["cuda"]
    assert found.state == WARNING and "CUDA 13.0" in found.found and "12.4" in found.found
    assert "Update the NVIDIA driver" in found.next_step


def test_no_egl_vendor_file(machine: Path) -> None:
    nvidia_smi(machine, ONE_GPU)
    libcuda(machine, 12040)
    egl_vendor(machine, "libEGL_mesa.so.0")
    found = examined()["egl"]
    assert found.state == WARNING and "libEGL_mesa" in found.found
    assert "libnvidia-gl-550" in found.next_step and "NVIDIA_DRIVER_CAPABILITIES=all" in found.next_step


def test_an_egl_vendor_file_without_its_library(machine: Path) -> None:
    nvidia_smi(machine, ONE_GPU)
    libcuda(machine, 12040)
    egl_vendor(machine, str(machine / "lib" / "libEGL_nvidia.so.0"))
    found = examined()["egl"]
    assert found.state == WARNING and "does not load" in found.meaning and "libnvidia-gl-550" in found.next_step
