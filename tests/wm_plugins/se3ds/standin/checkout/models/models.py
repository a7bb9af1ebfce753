"""Stands for the official ``se3ds.models.models``: the same class, calls, shapes and dtypes, no network.

Ahead of the origin it shows what it remembers, darker with every metre; with noise, a little brighter by the seed.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]
from se3ds.models.model_config import SE3DSConfig  # type: ignore[import-not-found]


class SE3DSModel:
    """Remembers what it was shown and where."""

    def __init__(self, config: SE3DSConfig) -> None:
        if config.batch_size != 1:
            raise ValueError("Several methods do not support batch_size > 1.")
        self.model = tf.Net()
        if config.ckpt_path is not None:
            tf.train.Checkpoint(ema_generator=self.model).restore(config.ckpt_path).assert_existing_objects_matched()
        self.config = config
        self.height = config.image_height
        self.remembered: list[tuple[Any, Any, Any]] = []

    def reset_memory(self) -> None:
        self.remembered = []

    def add_to_memory(
        self, pano_rgb: Any, pano_semantic: Any, pano_depth: Any, position: Any, mask_blurred: bool = True
    ) -> None:
        shape = (1, self.height, 2 * self.height)
        assert pano_rgb.shape == (*shape, 3) and pano_rgb.dtype == np.int32
        assert pano_semantic.shape == (*shape, 1) and not pano_semantic.any()
        assert pano_depth.shape == shape and pano_depth.dtype == np.float32 and pano_depth.max() < 1.0
        assert position.shape == (1, 3) and not mask_blurred
        self.remembered.append((pano_rgb, pano_depth, position))

    def __call__(
        self, position: Any, add_preds_to_memory: bool = False, sample_noise: bool = False, z: Any = None
    ) -> SimpleNamespace:
        assert position.shape == (1, 3) and position.dtype == np.float32
        self.model()
        rgb, depth, before = self.remembered[-1]
        metres = float(np.abs(position - before).sum())
        noise = tf.seeds[-1] % 7 if sample_noise else 0
        seen = np.clip(rgb - round(20 * metres) + noise, 0, 255)
        if add_preds_to_memory:
            self.remembered.append((seen, depth, position))
        return SimpleNamespace(pred_rgb=seen.astype(np.uint8), pred_depth=depth)
