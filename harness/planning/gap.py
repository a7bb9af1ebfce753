"""The imagined-versus-real gap: how far an imagined view is from what the agent saw after the same step.

It is logged for every executed step, because it is what success has to be joined with; it decides nothing and is not
hashed (its libraries vectorise by CPU).
"""

from __future__ import annotations

import math
from typing import Dict

from harness.contracts.observations import View


def measure(imagined: View, real: View) -> Dict[str, float]:
    """Return ``ssim`` and ``psnr`` (dB, at most 100) of the grey images; nothing where the cameras differ.

    SSIM as in Wang et al. 2004 (skimage's default window of 7 pixels) on the mean of the channels.
    """
    if imagined.camera.kind != real.camera.kind or imagined.rgb.shape != real.rgb.shape:
        return {}
    import numpy as np
    from skimage.metrics import structural_similarity

    a, b = (view.rgb.astype(np.float32).mean(axis=2) for view in (imagined, real))
    error = float(np.mean((imagined.rgb.astype(np.float32) - real.rgb.astype(np.float32)) ** 2))
    psnr = 100.0 if error <= 255.0**2 * 1e-10 else 10.0 * math.log10(255.0**2 / error)
    return {"ssim": float(structural_similarity(a, b, data_range=255.0)), "psnr": psnr}
