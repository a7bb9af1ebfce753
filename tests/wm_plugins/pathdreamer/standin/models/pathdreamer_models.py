"""Stands for the official ``pathdreamer.models.pathdreamer_models``: the same class, calls, shapes and dtypes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]
from pathdreamer.models.pathdreamer_config import PathdreamerConfig  # type: ignore[import-not-found]

calls: list[tuple[float, ...]] = []
"""The positions that were asked for."""


class PathdreamerModel:
    """Shows what it was shown, darker with every metre and a little brighter by the seed."""

    def __init__(self, config: PathdreamerConfig) -> None:
        self.config = config
        self.model, self.spade_model = tf.Net(), tf.Net()
        if config.ckpt_path is not None:
            tf.train.Checkpoint(model=self.model).restore(config.ckpt_path).assert_existing_objects_matched()
        if config.spade_ckpt_path is not None:
            spade = tf.train.Checkpoint(ema_generator=self.spade_model).restore(config.spade_ckpt_path)
            spade.assert_existing_objects_matched()
        self.height = config.image_height
        self.remembered: list[Any] = []

    def reset_memory(self) -> None:
        self.remembered = []

    def add_to_memory(
        self, pano_rgb: Any, pano_semantic: Any, pano_depth: Any, position: Any, mask_blurred: bool = True
    ) -> None:
        shape = (1, self.height, 2 * self.height)
        assert pano_rgb.shape == (*shape, 3) and pano_rgb.dtype == np.int32 and not mask_blurred
        assert pano_semantic.shape == (*shape, 1) and not pano_semantic.any()
        assert pano_depth.shape == shape and pano_depth.max() < 1.0
        self.remembered.append(pano_rgb)

    def __call__(
        self, position: Any, add_preds_to_memory: bool = False, sample_noise: bool = True, z: Any = None
    ) -> SimpleNamespace:
        assert position.shape == (1, 3) and position.dtype == np.float32
        assert len(self.remembered) == 1 and not add_preds_to_memory
        self.model()
        self.spade_model()
        calls.append(tuple(position[0].tolist()))
        noise = tf.seeds[-1] % 7 if sample_noise else 0
        seen = np.clip(self.remembered[0] - round(20 * float(np.abs(position).sum())) + noise, 0, 255)
        return SimpleNamespace(pred_rgb=seen.astype(np.uint8))
