"""The GPUs of this machine: a run chooses by UUID.

Three numberings meet here and need not agree: nvidia-smi counts by PCI address, CUDA by speed unless it is set
otherwise, and EGL in an order of its own. Only the UUID names a GPU for certain.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Optional, Sequence

from harness.contracts.errors import Refusal

QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader")
QUERY_S = 20.0


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi lists it."""

    index: int
    uuid: str
    name: str


def list_gpus() -> tuple[Gpu, ...]:
    """Return this machine's GPUs, none without NVIDIA's driver; Refusal when the driver is there but does not work."""
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=QUERY_S, check=False)
    except FileNotFoundError:
        return ()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refusal(f"nvidia-smi does not answer: {error}.", "Run it by hand; restart after an update.") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        if "No devices were found" in said:
            return ()
        raise Refusal(f"nvidia-smi failed: {said}.", "Fix the driver first; restart after an update of it.")
    return parse_gpus(done.stdout)


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """Return the GPUs in the answer to `QUERY`."""
    gpus = []
    for line in filter(None, map(str.strip, text.splitlines())):
        index, uuid, name = ([field.strip() for field in line.split(",", 2)] + ["", ""])[:3]
        if not index.isdigit() or not uuid.startswith("GPU-") or not name:
            raise Refusal(f"nvidia-smi answered {line!r}, which is no GPU.", f"Run by hand: {' '.join(QUERY)}")
        gpus.append(Gpu(int(index), uuid, name))
    return tuple(gpus)


def find_gpu(wanted: str, gpus: Optional[Sequence[Gpu]] = None) -> Gpu:
    """Return the GPU with index or UUID ``wanted`` (a UUID's beginning is enough); Refusal lists those present."""
    present = list_gpus() if gpus is None else gpus
    if wanted.isdigit():
        found = [gpu for gpu in present if gpu.index == int(wanted)]
    else:
        found = [gpu for gpu in present if gpu.uuid.lower().startswith(wanted.lower())]
    if len(found) == 1 and wanted:
        return found[0]
    if not present:
        raise Refusal(f"GPU {wanted!r} was asked for, and this machine has none.", "Leave the option out.")
    listed = "; ".join(f"{gpu.index} = {gpu.uuid} ({gpu.name})" for gpu in present)
    raise Refusal(f"{wanted!r} names {len(found)} GPUs.", f"Choose one of: {listed}")
