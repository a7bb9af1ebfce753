"""Runway Gen-4 as a world model: a view and a prompt become a video by an API that costs money."""

from __future__ import annotations

import base64
import io
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from budget import Budget
from official_code import read_settings
from PIL import Image
from runway_api import KEY_VARIABLE, RunwayApi, Unanswered

from harness.contracts.cameras import PINHOLE
from harness.contracts.errors import EpisodeError, Refusal, WiwError
from harness.contracts.frame_maps import frame_map
from harness.contracts.manifests import ModelManifest, Setting
from harness.contracts.observations import RGB
from harness.contracts.rollouts import Rollout, RolloutRequest, failed_rollout
from harness.wire.sdk import WorldModel

SEEDS = 2**32
"""Runway takes seeds of 32 bits, and says itself that equal seeds give similar videos, not equal ones."""
PROMPT_UNITS = 1000
"""The longest prompt, in UTF-16 code units."""
DEFAULTS: dict[str, Setting] = {
    "model": "gen4_turbo",
    "ratio": "960:960",
    "duration_s": 5,
    "usd_per_second": 0.05,
    "max_cost_usd": 0.0,
    "api_url": "https://api.dev.runwayml.com",
    "poll_s": 6.0,
    "task_timeout_s": 540.0,
}


@dataclass(frozen=True, eq=False)
class Begun:
    """A request whose task has begun."""

    request: RolloutRequest
    task: str
    since: float


class Gen4(WorldModel):
    """Begins the tasks of a batch together, then asks for each until it has ended.

    A task that failed is not tried again: each try costs money, and a refusal by moderation would repeat itself.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.settings = read_settings(manifest.settings, DEFAULTS)
        self.cost_usd = float(self.settings["duration_s"]) * float(self.settings["usd_per_second"])
        self._check_settings()
        self.budget = Budget(float(self.settings["max_cost_usd"]))
        key = os.environ.get(KEY_VARIABLE, "")
        if not key:
            raise Refusal(
                f"world model {manifest.name!r} is hosted by Runway and needs a key: {KEY_VARIABLE} is not set.",
                f"Get one at https://dev.runwayml.com, then: export {KEY_VARIABLE}=... and play with --runtime "
                f"process: a container has neither keys nor a network.",
            )
        self.api = RunwayApi(str(self.settings["api_url"]), key)

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return one rollout."""
        return next(iter(self.imagine_batch([request])))

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield one rollout a request; what failed, or would cost too much, fails alone."""
        begun: list[Begun] = []
        for request in requests:
            try:
                begun.append(self._begin(request))
            except WiwError as error:
                yield failed_rollout(request.id, request.camera, str(error))
        while begun:
            time.sleep(float(self.settings["poll_s"]))
            for one in tuple(begun):
                try:
                    rollout = self._ended(one)
                except WiwError as error:
                    rollout = failed_rollout(one.request.id, one.request.camera, str(error))
                if rollout is not None:
                    begun.remove(one)
                    yield rollout

    def _begin(self, request: RolloutRequest) -> Begun:
        """Pay for a task and begin it."""
        if request.camera.kind != PINHOLE:
            raise Refusal(f"gen4 imagines perspective views, not {request.camera.kind} ones.", "Send a pinhole view.")
        units = len(request.prompt.encode("utf-16-le")) // 2
        if not 0 < units <= PROMPT_UNITS:
            raise Refusal(f"the prompt has {units} characters; Runway takes 1 to {PROMPT_UNITS}.", "Shorten the words.")
        self.budget.pay(self.cost_usd)
        since = time.perf_counter()
        try:
            return Begun(request, self.api.begin(self._body(request)), since)
        except Unanswered:
            raise
        except WiwError:
            self.budget.refund(self.cost_usd)
            raise

    def _body(self, request: RolloutRequest) -> dict[str, Any]:
        return {
            "model": self.settings["model"],
            "promptImage": _data_uri(request.view),
            "promptText": request.prompt,
            "ratio": self.settings["ratio"],
            "duration": self.settings["duration_s"],
            "seed": request.seed % SEEDS,
        }

    def _ended(self, one: Begun) -> Rollout | None:
        """Return the rollout of a task that has succeeded, None while it goes on; EpisodeError where it failed."""
        state = self.api.state(one.task)
        status = state.get("status")
        waited = time.perf_counter() - one.since
        if status == "SUCCEEDED":
            output = state.get("output")
            if not isinstance(output, list) or not output or not isinstance(output[0], str):
                raise EpisodeError("a task of Runway succeeded without a video.")
            return self._rollout(one.request, self.api.video(output[0]), waited)
        if status in ("FAILED", "CANCELLED"):
            raise EpisodeError(f"Runway's task ended as {status}: {state.get('failureCode') or 'no code given'}.")
        if waited > float(self.settings["task_timeout_s"]):
            self.api.cancel(one.task)
            raise EpisodeError(f"Runway's task was still {status} after {waited:.0f} s and was given up.")
        return None

    def _rollout(self, request: RolloutRequest, video: bytes, waited: float) -> Rollout:
        """Return the wanted frames: of a video of fixed length, those that stand for the actions of a whole plan."""
        begin = time.perf_counter()
        camera = request.camera
        frames = frames_of_video(video, camera.height, camera.width)
        actions = max(len(request.candidate), int(self.settings["plan_actions"]))
        native = frame_map(actions, len(frames))
        wanted = [frames[native[index]] for index in request.frames]
        rgb = np.stack(wanted) if wanted else np.zeros((0, camera.height, camera.width, 3), np.uint8)
        return Rollout(request.id, rgb, camera, timings={"task": waited, "decode": time.perf_counter() - begin})

    def _check_settings(self) -> None:
        duration = int(self.settings["duration_s"])
        if not 2 <= duration <= 10:
            raise Refusal(f"duration_s is {duration}; Runway makes 2 to 10 seconds.", "Choose another.")
        for name in ("usd_per_second", "poll_s", "task_timeout_s"):
            if not float(self.settings[name]) > 0.0:
                raise Refusal(f"{name} is {self.settings[name]}.", "Give a number above 0.")
        if float(self.settings["max_cost_usd"]) < self.cost_usd:
            raise Refusal(
                f"max_cost_usd is {float(self.settings['max_cost_usd']):.2f} and a rollout of world model "
                f"{self.manifest.name!r} costs {self.cost_usd:.2f} USD, so nothing can be asked.",
                "Say what the run may spend in all: --set max_cost_usd=AMOUNT.",
            )


def _data_uri(view: RGB) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(view)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


MAX_FRAMES = 1024


def frames_of_video(content: bytes, height: int, width: int) -> list[RGB]:
    """Return the frames of a video file as uint8 [height, width, 3]; of another shape, the middle of each.

    A stranger's bytes: at most `MAX_FRAMES` are decoded, and what cannot be read raises EpisodeError.
    """
    frames: list[RGB] = []
    try:
        with av.open(io.BytesIO(content)) as container:
            for frame in container.decode(video=0):
                frames.append(_fitted(frame.to_ndarray(format="rgb24"), height, width))
                if len(frames) == MAX_FRAMES:
                    break
    except (av.error.FFmpegError, IndexError) as error:
        raise EpisodeError(f"the video of a task cannot be read: {error}.") from error
    if not frames:
        raise EpisodeError("the video of a task has no frames.")
    return frames


def _fitted(rgb: RGB, height: int, width: int) -> RGB:
    """Return the largest middle part of the wanted shape, resized by the mean of areas."""
    rows, columns = rgb.shape[:2]
    scale = min(rows / height, columns / width)
    part_rows, part_columns = round(scale * height), round(scale * width)
    top, left = (rows - part_rows) // 2, (columns - part_columns) // 2
    part = rgb[top : top + part_rows, left : left + part_columns]
    if part.shape[:2] == (height, width):
        return part
    resized: RGB = np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize((width, height), Image.Resampling.BOX))
    return resized
