"""Stands for the official ``se3ds.models.model_config``: the fields that the plugin sets."""

from __future__ import annotations

from typing import Optional


class SE3DSConfig:
    """The configuration of the official model."""

    batch_size: int = 1
    ckpt_path: Optional[str] = "data/se3ds_ckpt"
    depth_scale: float = 20.0
    gen_dims: int = 128
    image_height: int = 512
    resnet_version: str = "101"


def get_config() -> SE3DSConfig:
    return SE3DSConfig()
