"""GPUs by UUID, and the numbers that CUDA and EGL give them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal
from harness.runtimes import egl_devices
from harness.runtimes.gpus import DeviceIndices, find_gpu, indices_of, match_devices, parse_gpus, pci_address

ANSWER = """\
0, GPU-dc1ecc5f-32ca-19e0-f35d-fc5ac20c3cf5, NVIDIA H100 80GB HBM3, 00000000:00:06.0
1, GPU-ea9f69ba-62db-c93a-43f9-f22d1fac2d05, NVIDIA H100 80GB HBM3, 00000001:AF:00.0
"""
GPUS = parse_gpus(ANSWER)


def test_the_answer_of_nvidia_smi_is_read() -> None:
    assert [(gpu.index, gpu.uuid[:8], gpu.pci_bus_id) for gpu in GPUS] == [
        (0, "GPU-dc1e", "0000:00:06.0"),
        (1, "GPU-ea9f", "0001:af:00.0"),
    ]
    assert pci_address("0000:AF:00.0") == pci_address("00000000:af:00.0")
    with pytest.raises(Refusal, match="which is no GPU"):
        parse_gpus("something else")


def test_a_gpu_is_found_by_index_or_uuid() -> None:
    assert find_gpu("1", GPUS) == GPUS[1]
    assert find_gpu("gpu-dc1e", GPUS) == GPUS[0]
    for wanted in ("2", "GPU-", "GPU-0"):
        with pytest.raises(Refusal, match=r"0 = GPU-dc1ecc5f.*; 1 = GPU-ea9f69ba"):
            find_gpu(wanted, GPUS)
    with pytest.raises(Refusal, match="this machine has none"):
        find_gpu("0", ())


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_cuda_and_egl_are_matched_whatever_their_orders(cuda: list[int], egl: list[int]) -> None:
    uuids = [f"GPU-{number}" for number in range(4)]
    devices = {
        "cuda": [{"index": index, "uuid": uuids[gpu]} for index, gpu in enumerate(cuda)],
        "egl": [
            *({"index": index, "cuda": cuda.index(gpu)} for index, gpu in enumerate(egl)),
            {"index": 4, "cuda": None},
        ],
    }
    assert set(match_devices(devices)) == {
        DeviceIndices(uuids[gpu], cuda.index(gpu), egl.index(gpu)) for gpu in range(4)
    }


def test_a_gpu_that_cannot_draw_is_refused_with_what_is_seen() -> None:
    devices: dict[str, Any] = {"cuda": [{"index": 0, "uuid": "GPU-1"}], "egl": [{"index": 0, "cuda": None}]}
    with pytest.raises(Refusal, match=r"GPU-1 \(CUDA 0, EGL None\).*graphics"):
        indices_of("GPU-1", devices)
    devices["egl"].append({"index": 1, "cuda": 0})
    assert indices_of("GPU-1", devices) == DeviceIndices("GPU-1", 0, 1)


def test_the_query_always_answers() -> None:
    script = Path(egl_devices.__file__)
    answer = json.loads(subprocess.check_output([sys.executable, "-I", "-S", str(script)], text=True))
    assert set(answer) == {"cuda", "egl", "errors"}
    assert answer["cuda"] or any(error.startswith("cuda:") for error in answer["errors"])
