"""The imagined-versus-real gap: how far an imagined view is from what the agent saw after the same step.

It is logged for every executed step, because it is what success has to be joined with; it decides nothing and is not
hashed (its libraries vectorise by CPU).
"""

from __future__ import annotations

import math
from typing import Dict

from harness.contracts.cameras import EQUIRECT, PINHOLE
from harness.contracts.observations import View
from harness.worldmodels.panorama import front_crop


def measure(imagined: View, real: View) -> Dict[str, float]:
    """Return ``ssim`` and ``psnr`` (dB, at most 100) of the grey images; nothing where the sizes differ.

    SSIM as in Wang et al. 2004 (skimage's default window of 7 pixels) on the mean of the channels.
    """
    real = _as_seen_by(imagined, real)
    if imagined.rgb.shape != real.rgb.shape:
        return {}
    import numpy as np
    from skimage.metrics import structural_similarity

    a, b = (view.rgb.astype(np.float32).mean(axis=2) for view in (imagined, real))
    error = float(np.mean((imagined.rgb.astype(np.float32) - real.rgb.astype(np.float32)) ** 2))
    psnr = 100.0 if error <= 255.0**2 * 1e-10 else 10.0 * math.log10(255.0**2 / error)
    return {"ssim": float(structural_similarity(a, b, data_range=255.0)), "psnr": psnr}


def _as_seen_by(imagined: View, real: View) -> View:
    """Return the real view through the imagined view's kind of camera: perspective models get the front crop."""
    camera = imagined.camera
    if camera.kind == PINHOLE and real.camera.kind == EQUIRECT:
        return front_crop(real, (camera.height, camera.width), camera.hfov_deg)
    return real
