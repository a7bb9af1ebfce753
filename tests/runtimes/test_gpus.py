"""GPUs by UUID."""

from __future__ import annotations

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes.gpus import find_gpu, parse_gpus

ANSWER = """\
0, GPU-dc1ecc5f-32ca-19e0-f35d-fc5ac20c3cf5, NVIDIA H100 80GB HBM3
1, GPU-ea9f69ba-62db-c93a-43f9-f22d1fac2d05, NVIDIA H100 80GB HBM3
"""
GPUS = parse_gpus(ANSWER)


def test_the_answer_of_nvidia_smi_is_read() -> None:
    assert [(gpu.index, gpu.uuid[:8], gpu.name) for gpu in GPUS] == [
        (0, "GPU-dc1e", "NVIDIA H100 80GB HBM3"),
        (1, "GPU-ea9f", "NVIDIA H100 80GB HBM3"),
    ]
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
