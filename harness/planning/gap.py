"""The imagined-versus-real gap: how far an imagined view is from what the agent saw after the same step.

It is logged for every executed step, because it is what success has to be joined with; it decides nothing and is not
hashed (its libraries vectorise by CPU).
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Dict, Optional, Tuple

from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import WiwError
from harness.contracts.metrics import CORRELATION, HIGHER, LOWER, NOT_NEGATIVE, OVER_STEPS, Column, MetricSpec
from harness.contracts.observations import View
from harness.worldmodels.panorama import front_crop

if TYPE_CHECKING:
    from harness.planning.lpips_metric import Image, Lpips

_LARGEST_DB = 100.0

METRICS = (
    MetricSpec(
        "ssim", "SSIM", "Structural similarity, 1: equal.", "", 3, HIGHER, OVER_STEPS, CORRELATION, "gap_ssim",
        column=Column("SSIM", 2, "mean SSIM of imagined and real views"), partial=True, least_span=0.2,
    ),
    MetricSpec(
        "psnr", "PSNR", "Peak signal-to-noise ratio.", "dB", 2, HIGHER, OVER_STEPS, (0.0, _LARGEST_DB), "gap_psnr",
        column=Column("PSNR", 1, "mean PSNR of imagined and real views"), partial=True, least_span=4.0,
    ),
    MetricSpec(
        "lpips", "LPIPS", "Learnt perceptual distance, 0: equal.", "", 3, LOWER, OVER_STEPS, NOT_NEGATIVE, "gap_lpips",
        column=Column("LPIPS", 2, "mean LPIPS of imagined and real views"), partial=True, least_span=0.2,
    ),
)  # fmt: skip
"""The measures, each of a step; an episode's number is their mean over the steps that had to be imagined."""

_TRIED_ON = 64
"""Edge in pixels of the views that measures are tried on: LPIPS takes few smaller ones."""

_failed: Dict[str, str] = {}
"""Measures that cannot be taken in this process, and why: they are not tried again."""


def measure(imagined: View, real: View) -> Dict[str, float]:
    """Return ``ssim``, ``psnr`` (dB, at most 100) and, where LPIPS is installed, ``lpips``; {} where sizes differ.

    SSIM as scikit-image takes it (`harness.planning.ssim`) of the mean of the channels. Whatever a measure
    raises, it is only left out, from now on: an episode must not fail by what decides nothing. `notes` say so.
    """
    real = _as_seen_by(imagined, real)
    if imagined.rgb.shape != real.rgb.shape:
        return {}
    import numpy as np

    a, b = imagined.rgb.astype(np.float32), real.rgb.astype(np.float32)
    taken: Dict[str, float] = {}
    for name, take in (("ssim", _ssim), ("psnr", _psnr), ("lpips", _lpips)):
        if name in _failed:
            continue
        try:
            value = take(a, b)
        except Exception as error:  # other people's libraries may raise anything
            _failed[name] = _reason(error)
            continue
        if value is not None and math.isfinite(value):
            taken[name] = value
        elif value is not None:
            _failed[name] = f"it gave {value}"
    return taken


def notes() -> Tuple[str, ...]:
    """Return a sentence for each measure that could not be taken in this process so far."""
    return tuple(f"the gap's {name} is not measured: {why}" for name, why in sorted(_failed.items()))


def trial() -> Dict[str, str]:
    """Take every measure of two small views; return by name "" where it was taken, else what it lacks or raised."""
    import numpy as np

    from harness.planning.lpips_metric import missing_part

    camera = Camera("trial", PINHOLE, _TRIED_ON, _TRIED_ON, 90.0, 1.0)
    columns = np.arange(_TRIED_ON * _TRIED_ON * 3, dtype=np.int64).reshape(_TRIED_ON, _TRIED_ON, 3) % 251
    views = [View(camera, (columns * factor % 251).astype(np.uint8)) for factor in (1, 3)]
    taken = measure(*views)
    lacking = _failed if "lpips" in taken or "lpips" in _failed else {**_failed, "lpips": f"needs {missing_part()}"}
    return {name: "" if name in taken else lacking.get(name, "") for name in (spec.name for spec in METRICS)}


def _ssim(a: Image, b: Image) -> float:
    from harness.planning.ssim import ssim

    return ssim(a, b)


def _psnr(a: Image, b: Image) -> float:
    error = float(((a - b) ** 2).mean())
    return _LARGEST_DB if error <= 255.0**2 * 1e-10 else 10.0 * math.log10(255.0**2 / error)


def _lpips(a: Image, b: Image) -> Optional[float]:
    lpips = _lpips_if_present()
    return None if lpips is None else 1.0 - lpips(a, b)


def _reason(error: Exception) -> str:
    if isinstance(error, WiwError):
        return error.what
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


@functools.lru_cache(maxsize=1)
def _lpips_if_present() -> Optional[Lpips]:
    from harness.planning.lpips_metric import Lpips, missing_part

    return Lpips(0) if missing_part() is None else None


def _as_seen_by(imagined: View, real: View) -> View:
    """Return the real view through the imagined view's kind of camera: perspective models get the front crop."""
    camera = imagined.camera
    if camera.kind == PINHOLE and real.camera.kind == EQUIRECT:
        return front_crop(real, (camera.height, camera.width), camera.hfov_deg)
    return real
