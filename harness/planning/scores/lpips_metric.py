"""Image metric `lpips`: 1 - LPIPS with AlexNet features, the published reward.

It needs torch, the lpips package and AlexNet's weights, none of which the embedded suite installs; and its last bits
depend on the device. So it is imported only when suite data asks for it, and refuses in words otherwise.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from harness.contracts.errors import Refusal
from harness.planning.scores.crops import Image


class Lpips:
    """1 - LPIPS (AlexNet) of two images, on the CPU with one thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        try:
            self._torch: Any = importlib.import_module("torch")
            package: Any = importlib.import_module("lpips")
        except ImportError as error:
            raise Refusal(
                f"the image metric lpips needs the package {error.name!r}, which is not installed.",
                "Run `pip install torch torchvision lpips`, or choose metric classical in the suite's score.",
            ) from error
        try:
            self._model = package.LPIPS(net="alex", verbose=False).eval()
        except (OSError, RuntimeError) as error:
            raise Refusal(
                f"the weights of LPIPS (AlexNet) cannot be loaded: {error}.",
                "Let torchvision download them once with network, or choose metric classical in the suite's score.",
            ) from error

    def __call__(self, image: Image, goal: Image) -> float:
        """Return 1 - LPIPS; 1 is the same image."""
        with self._torch.no_grad():
            return 1.0 - float(self._model(self._tensor(image), self._tensor(goal)))

    def _tensor(self, image: Image) -> Any:
        scaled = np.ascontiguousarray(image.transpose(2, 0, 1)[None] / np.float32(127.5) - np.float32(1.0))
        return self._torch.from_numpy(scaled)
