"""SE3DS: what was seen is projected to the next place, and a generative network fills what is not known there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from official_code import OfficialCode, read_settings
from pano_memory import Position, frames_of, one_by_one, places, see, warm_up
from tensorflow_weights import check_restored, checkpoint_prefix, import_tensorflow, signed_seed, tensorflow_refusals

from harness.contracts.manifests import RANDOM, ModelManifest, Setting
from harness.contracts.observations import RGB
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel

CODE = OfficialCode(
    model="se3ds",
    address="https://github.com/google-research/se3ds",
    revision="fe5d3c1c2d36d657ce8806326d153302eb7bed89",
    licence="Apache-2.0",
    landmarks=("models/models.py", "models/model_config.py", "constants.py"),
    packages='"tensorflow==2.15.1" "tensorflow-addons==0.23.0" gin-config',
)
DEFAULTS: dict[str, Setting] = {
    "code": "",
    "checkpoint_file": "se3ds_ckpt",
    "resnet_version": "101",
    "gen_dims": 128,
    "image_height": 512,
    "depth_range_m": 20.0,
    "sample_noise": False,
    "remember": True,
}


class Se3ds(WorldModel):
    """The official ``SE3DSModel`` behind the plugin's interface, one request at a time, as it is written.

    With ``remember`` each imagined place becomes part of the memory for the next one, as the official examples walk;
    without, every place is imagined from the real view alone.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.settings = read_settings(manifest.settings, DEFAULTS)
        self.height = int(self.settings["image_height"])
        self.range_m = float(self.settings["depth_range_m"])
        folder = CODE.checkout(str(self.settings["code"]))
        self.tensorflow = import_tensorflow(CODE)
        CODE.import_package(folder, "se3ds")
        config = CODE.import_module("se3ds.models.model_config").get_config()
        config.ckpt_path = None
        if manifest.weights != RANDOM:
            config.ckpt_path = checkpoint_prefix(manifest, str(self.settings["checkpoint_file"]))
        config.image_height = self.height
        config.depth_scale = self.range_m
        config.gen_dims = int(self.settings["gen_dims"])
        config.resnet_version = str(self.settings["resnet_version"])
        models = CODE.import_module("se3ds.models.models")
        self.tensorflow.keras.utils.set_random_seed(0)  # Keras makes weights from more generators than one
        with tensorflow_refusals(manifest.name, config.ckpt_path):
            self.model: Any = models.SE3DSModel(config)
            warm_up(self.model, self.tensorflow, self.height)
            if config.ckpt_path:
                check_restored(self.tensorflow, config.ckpt_path, "ema_generator", self.model.model)

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield one rollout a request; what cannot be imagined fails alone."""
        return one_by_one(self, requests)

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return one rollout: the walk up to the last wanted frame, a panorama at every place on it."""
        begin = time.perf_counter()
        self.tensorflow.random.set_seed(signed_seed(request.seed))
        see(self.model, self.tensorflow, request, self.height, self.range_m)
        seen: dict[Position, RGB] = {(0.0, 0.0, 0.0): request.view}
        for position in places(request.poses[: max(request.frames, default=0)]):
            seen[position] = self._look(position)
        frames = frames_of(request, seen)
        return Rollout(request.id, frames, request.camera, timings={"imagine": time.perf_counter() - begin})

    def _look(self, position: Position) -> RGB:
        where = self.tensorflow.constant([position], dtype=self.tensorflow.float32)
        answer = self.model(
            where,
            add_preds_to_memory=bool(self.settings["remember"]),
            sample_noise=bool(self.settings["sample_noise"]),
        )
        rgb: RGB = np.asarray(answer.pred_rgb)[0].astype(np.uint8)
        return rgb
