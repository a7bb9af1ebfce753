"""Image metric `lpips`: 1 - LPIPS with AlexNet features, the published reward.

It needs torch, the lpips package and AlexNet's weights, none of which the embedded suite installs; and its last bits
depend on the device. So it is imported only when asked for, never downloads anything, and refuses in words otherwise.
"""

from __future__ import annotations

import contextlib
import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Iterator, Optional

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal

Image = npt.NDArray[np.float32]
"""float32 [H, W, 3] in 0..255."""

PACKAGES = ("torch", "torchvision", "lpips")
HOW_TO_GET = (
    "Run `pip install torch torchvision lpips` and `python -c \"import lpips; lpips.LPIPS(net='alex')\"` "
    "once with network, or choose metric classical in the suite's score."
)
ALEXNET_FILE = "alexnet-owt-7be5be79.pth"
"""The name under which torchvision keeps AlexNet's ImageNet weights."""


def missing_part() -> Optional[str]:
    """Return what LPIPS lacks here, in words, or None. Cheap where a package is missing."""
    for package in PACKAGES:
        if find_spec(package) is None:
            return f"the package {package!r}, which is not installed"
    hub: Any = importlib.import_module("torch.hub")
    weights = Path(hub.get_dir()) / "checkpoints" / ALEXNET_FILE
    return None if weights.exists() else f"AlexNet's weights, which are not at {weights}"


def require_lpips() -> None:
    """Raise Refusal with what LPIPS is missing here and how to get it."""
    missing = missing_part()
    if missing is not None:
        raise Refusal(f"the image metric lpips needs {missing}.", HOW_TO_GET)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Refuse where libraries do not fit: a torchvision of another torch raises what it likes, some only when used."""
    try:
        yield
    except Exception as error:
        raise Refusal(
            f"the image metric lpips does not run here: {type(error).__name__}: {' '.join(str(error).split())}.",
            "Install a torchvision that belongs to torch (`pip install --force-reinstall torch torchvision`), "
            "or choose metric classical in the suite's score.",
        ) from error


class Lpips:
    """1 - LPIPS (AlexNet) of two images of one size, on the CPU."""

    def __init__(self, size: int) -> None:
        self.size = size
        require_lpips()
        with _explained():
            self._torch: Any = importlib.import_module("torch")
            package: Any = importlib.import_module("lpips")
            self._model = package.LPIPS(net="alex", verbose=False).eval()

    def __call__(self, one: Image, other: Image) -> float:
        """Return 1 - LPIPS; 1 is the same image."""
        with _explained(), self._torch.no_grad():
            return 1.0 - float(self._model(self._tensor(one), self._tensor(other)))

    def _tensor(self, image: Image) -> Any:
        """Return a float32 image [H, W, 3] in 0..255 as a tensor [1, 3, H, W] in -1..1, as LPIPS expects."""
        scaled = np.ascontiguousarray(image.transpose(2, 0, 1)[None] / np.float32(127.5) - np.float32(1.0))
        return self._torch.from_numpy(scaled)
