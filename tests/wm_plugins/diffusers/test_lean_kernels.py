"""The kernel of LTX's norm and rotation is the two operations: on a GPU, or by Triton's interpreter without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="the kernel needs Triton, which CUDA builds of torch bring")

from harness.contracts.from_source import CHECKOUT

COMPARE = """
import torch
from lean_blocks import rotated
from lean_kernels import normed_and_rotated

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
for width in (48, 64):
    for dtype, allowed in ((torch.float32, 1e-5), (torch.bfloat16, 0.04)):
        stacked = torch.randn(3, 7, 3 * width, device=device, dtype=dtype)
        norm = torch.nn.RMSNorm(width, eps=1e-5, device=device, dtype=dtype)
        torch.nn.init.uniform_(norm.weight)
        angles = torch.rand(1, 7, width // 2, 1, device=device)
        cosine, sine = angles.cos(), angles.sin()
        for states in stacked.split([width] * 3, -1):
            expected = rotated(norm(states), (cosine, sine, torch.tensor([-1.0, 1.0], device=device)))
            found = normed_and_rotated(states, norm.weight, norm.eps, cosine, sine)
            assert found.is_contiguous() and found.dtype == dtype
            assert (found.float() - expected.float()).abs().max() <= allowed
"""


def test_norm_and_rotation_in_one_kernel_are_the_two_operations(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
    paths = [str(CHECKOUT / "wm_plugins" / name) for name in ("ltx", "diffusers")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *paths, *sys.path])}
    if not torch.cuda.is_available():
        environment["TRITON_INTERPRET"] = "1"
    script = tmp_path / "compare.py"  # the interpreter of Triton reads the source of kernels from files
    script.write_text(COMPARE)
    subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=300)
