"""Wan 2.1 and 2.2 image-to-video."""

from __future__ import annotations

from pathlib import Path

from video_diffusion.base import DiffusersImageToVideo


class Wan(DiffusersImageToVideo):
    """Wan image-to-video; the pipeline takes one view a call, so requests are batched by their view."""

    folder = Path(__file__).resolve().parent
    one_view_a_call = True
