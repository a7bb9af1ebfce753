"""Stands for the official ``pathdreamer.models.pathdreamer_config``: the fields that the plugin sets."""

from __future__ import annotations

from typing import Optional


class PathdreamerConfig:
    """The configuration of the official model."""

    batch_size: int = 1
    ckpt_path: Optional[str] = "data/ckpt/structure_gen_ckpt"
    spade_ckpt_path: Optional[str] = "data/ckpt/image_gen_ckpt"
    hidden_dims: int = 128
    spade_gen_dims: int = 96
    image_height: int = 512
    depth_scale: float = 10.0


def get_config() -> PathdreamerConfig:
    return PathdreamerConfig()
