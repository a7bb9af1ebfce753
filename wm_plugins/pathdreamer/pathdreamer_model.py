"""Pathdreamer: from a panorama with depth to the panorama at another place, in one jump."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from official_code import OfficialCode, read_settings
from pano_memory import Position, frames_of, one_by_one, places, see, warm_up
from tensorflow_weights import check_restored, checkpoint_prefix, import_tensorflow, signed_seed, tensorflow_refusals

from harness.contracts.errors import Refusal
from harness.contracts.manifests import RANDOM, ModelManifest, Setting
from harness.contracts.observations import RGB
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel

CODE = OfficialCode(
    model="pathdreamer",
    address="https://github.com/google-research/pathdreamer",
    revision="351cc2ff79e079d8e280aff95666e2323eb4ee9b",
    licence="Apache-2.0",
    landmarks=("models/pathdreamer_models.py", "models/pathdreamer_config.py", "constants.py"),
    packages='"tensorflow==2.15.1" "tensorflow-addons==0.23.0"',
)
DEFAULTS: dict[str, Setting] = {
    "code": "",
    "structure_file": "structure_gen_ckpt",
    "image_file": "image_gen_ckpt",
    "hidden_dims": 128,
    "gen_dims": 96,
    "image_height": 512,
    "depth_range_m": 10.0,
    "sample_noise": True,
}


class Pathdreamer(WorldModel):
    """The official ``PathdreamerModel`` behind the plugin's interface, one request at a time, as it is written.

    It was made for jumps of metres and not for steps of a foot, so each wanted frame is one call from the real view
    and nothing imagined is ever remembered. Its semantic input is void everywhere, as in the published study.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.settings = read_settings(manifest.settings, DEFAULTS)
        self.height = int(self.settings["image_height"])
        self.range_m = float(self.settings["depth_range_m"])
        folder = CODE.checkout(str(self.settings["code"]))
        self.tensorflow = import_tensorflow(CODE)
        CODE.import_package(folder, "pathdreamer")
        config = CODE.import_module("pathdreamer.models.pathdreamer_config").get_config()
        config.ckpt_path, config.spade_ckpt_path = None, None
        if manifest.weights != RANDOM:
            config.ckpt_path = checkpoint_prefix(manifest, str(self.settings["structure_file"]))
            config.spade_ckpt_path = self._beside(config.ckpt_path)
        config.image_height = self.height
        config.depth_scale = self.range_m
        config.hidden_dims = int(self.settings["hidden_dims"])
        config.spade_gen_dims = int(self.settings["gen_dims"])
        models = CODE.import_module("pathdreamer.models.pathdreamer_models")
        self.tensorflow.keras.utils.set_random_seed(0)  # Keras makes weights from more generators than one
        with tensorflow_refusals(manifest.name, config.ckpt_path):
            self.model: Any = models.PathdreamerModel(config)
            warm_up(self.model, self.tensorflow, self.height)
            if config.ckpt_path:
                check_restored(self.tensorflow, config.ckpt_path, "model", self.model.model)
                check_restored(self.tensorflow, config.spade_ckpt_path, "ema_generator", self.model.spade_model)

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield one rollout a request; what cannot be imagined fails alone."""
        return one_by_one(self, requests)

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return one rollout: one jump from the real view for every place of a wanted frame."""
        begin = time.perf_counter()
        seen: dict[Position, RGB] = {(0.0, 0.0, 0.0): request.view}
        wanted = places([request.poses[index - 1] for index in request.frames])
        if wanted:
            see(self.model, self.tensorflow, request, self.height, self.range_m)
        for position in wanted:
            seen[position] = self._jump(position, request.seed)
        frames = frames_of(request, seen)
        return Rollout(request.id, frames, request.camera, timings={"imagine": time.perf_counter() - begin})

    def _jump(self, position: Position, seed: int) -> RGB:
        """Return the panorama at ``position``; every jump of a rollout begins with the same noise."""
        self.tensorflow.random.set_seed(signed_seed(seed))
        answer = self.model(
            self.tensorflow.constant([position], dtype=self.tensorflow.float32),
            add_preds_to_memory=False,
            sample_noise=bool(self.settings["sample_noise"]),
        )
        rgb: RGB = np.asarray(answer.pred_rgb)[0].astype(np.uint8)
        return rgb

    def _beside(self, structure: str) -> str:
        """Return the second checkpoint, which lies in the folder of the first."""
        prefix = Path(structure).with_name(str(self.settings["image_file"]))
        if not prefix.with_name(f"{prefix.name}.index").is_file():
            raise Refusal(
                f"{structure} has no checkpoint {prefix.name!r} of the image generator beside it.",
                "Keep both checkpoints in one folder, as the published archive has them.",
            )
        return str(prefix)
