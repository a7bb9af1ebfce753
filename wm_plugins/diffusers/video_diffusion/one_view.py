"""For pipelines that take a single image for the whole batch, such as those made after Wan's."""

from __future__ import annotations

from video_diffusion.base import DiffusersImageToVideo


class OneViewACall(DiffusersImageToVideo):
    """A diffusers world model whose requests are batched by their view."""

    one_view_a_call = True
