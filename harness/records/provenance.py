"""Finds out on what a run is started: versions, hardware, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from harness.records.identity import ImageRecord, Provenance

EXPORTED = "harness/records/exported_commit.txt"
"""A file in which ``git archive`` writes the commit that it exports (`.gitattributes`)."""

_GPUS = Path("/proc/driver/nvidia/gpus")

_PACKAGES = (
    "numpy", "numba", "scipy", "scikit-image", "trimesh", "grpcio", "protobuf", "pydantic", "pyarrow", "av",
    "pillow", "torch", "diffusers", "docker",
)  # fmt: skip


def provenance(
    command: Sequence[str], checkout: Path, images: Optional[Mapping[str, ImageRecord]] = None
) -> Provenance:
    """Return what a later reader needs to judge a run's numbers; never fails for what cannot be found out."""
    return Provenance(time.time(), tuple(command), versions(), hardware(), git_commit(checkout), dict(images or {}))


def versions() -> Dict[str, str]:
    """Return the versions of Python and of the installed packages that take part in a run."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> Dict[str, Any]:
    """Return CPU model, usable cores, memory in bytes, the operating system, and the models of NVIDIA GPUs."""
    return {
        "cpu": _first_field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "machine": platform.machine(),
        "system": platform.platform(),
        "gpus": sorted(_first_field(path, "Model") for path in _GPUS.glob("*/information")),
    }


GPUS = slice(2, None)
"""Where the GPUs stand in a `device`."""


def device(hardware: Mapping[str, Any]) -> Optional[Tuple[str, ...]]:
    """Return what may decide the bits of a learnt model: CPU, machine and GPUs; None where not all of it is known."""
    words = (hardware.get("cpu"), hardware.get("machine"))
    gpus = hardware.get("gpus")
    if not isinstance(gpus, (list, tuple)) or not all(isinstance(word, str) and word for word in (*words, *gpus)):
        return None
    return tuple(str(word) for word in (*words, *gpus))


def git_commit(checkout: Path) -> str:
    """Return the commit of a checkout, with ``+`` when files differ from it.

    Of a folder that ``git archive`` made it is the one that `EXPORTED` names; empty where nothing says it.
    """
    if not (checkout / ".git").exists():
        file = checkout / EXPORTED
        exported = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        return exported if re.fullmatch("[0-9a-f]{40}", exported) else ""
    commit = _git(checkout, "rev-parse", "HEAD")
    return f"{commit}+" if commit and _git(checkout, "status", "--porcelain", "--untracked-files=no") else commit


def _git(checkout: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(("git", *arguments), cwd=checkout, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _first_field(path: Path, name: str) -> str:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
