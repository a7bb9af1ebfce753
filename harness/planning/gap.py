"""The imagined-versus-real gap: how far an imagined view is from what the agent saw after the same step.

It is logged for every executed step, because it is what success has to be joined with; it decides nothing and is not
hashed (its libraries vectorise by CPU).
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Dict, Optional

from harness.contracts.cameras import EQUIRECT, PINHOLE
from harness.contracts.observations import View
from harness.worldmodels.panorama import front_crop

if TYPE_CHECKING:
    from harness.planning.scores.lpips_metric import Lpips

NAMES = ("ssim", "psnr", "lpips")


def measure(imagined: View, real: View) -> Dict[str, float]:
    """Return ``ssim``, ``psnr`` (dB, at most 100) and, where LPIPS is installed, ``lpips``; {} where sizes differ.

    SSIM as in Wang et al. 2004 (skimage's default window of 7 pixels) on the mean of the channels.
    """
    real = _as_seen_by(imagined, real)
    if imagined.rgb.shape != real.rgb.shape:
        return {}
    import numpy as np
    from skimage.metrics import structural_similarity

    a, b = imagined.rgb.astype(np.float32), real.rgb.astype(np.float32)
    error = float(np.mean((a - b) ** 2))
    gap = {
        "ssim": float(structural_similarity(a.mean(axis=2), b.mean(axis=2), data_range=255.0)),
        "psnr": 100.0 if error <= 255.0**2 * 1e-10 else 10.0 * math.log10(255.0**2 / error),
    }
    lpips = _lpips_if_present()
    if lpips is not None:
        gap["lpips"] = 1.0 - lpips(a, b)
    return gap


@functools.lru_cache(maxsize=1)
def _lpips_if_present() -> Optional[Lpips]:
    from harness.planning.scores.lpips_metric import Lpips, missing_part

    return Lpips(0) if missing_part() is None else None


def _as_seen_by(imagined: View, real: View) -> View:
    """Return the real view through the imagined view's kind of camera: perspective models get the front crop."""
    camera = imagined.camera
    if camera.kind == PINHOLE and real.camera.kind == EQUIRECT:
        return front_crop(real, (camera.height, camera.width), camera.hfov_deg)
    return real
