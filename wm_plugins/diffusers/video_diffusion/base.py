"""`DiffusersImageToVideo`: any diffusers image-to-video pipeline as a world model."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image

from harness.contracts.errors import Refusal
from harness.contracts.manifests import RANDOM, ModelManifest, Setting
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel
from video_diffusion.acceleration import (
    TAYLORSEER,
    StepCache,
    compute_in_eight_bits,
    names_its_calls,
    parse_modes,
)
from video_diffusion.batching import Batch, Embedding, PromptCache, batches, encode, generators, global_seed, stack
from video_diffusion.decoding import (
    Decoding,
    EncodeOnce,
    decode,
    decoding_put_off,
    generated_frames,
    one_pass_guidance,
    to_rgb,
)
from video_diffusion.devices import (
    WARM_UP_STEPS,
    PhaseClock,
    compile_blocks,
    compile_decoder,
    denoisers,
    device_of,
    empty_requests,
    set_attention,
    tensors_to,
)
from video_diffusion.loading import load_pipeline
from video_diffusion.random_weights import random_embedding, random_pipeline, read_shapes
from video_diffusion.settings import PipelineSettings, read_settings


class DiffusersImageToVideo(WorldModel):
    """Runs a diffusers image-to-video pipeline, unchanged, for all requests of a batch at once.

    A family is a subclass of a few lines that says how its pipeline differs. A rollout depends on its request alone:
    noise comes from the request's own generators, and grouping never changes how many frames are generated.
    Timings of a rollout are its share of its batch: seconds of ``prompt``, ``encode``, ``denoise``, ``decode``.
    """

    folder: ClassVar[Path] = Path(__file__).resolve().parents[1]
    """The family's folder: files of shapes are found from here."""
    prompt_outputs: ClassVar[Sequence[str]] = ("prompt_embeds", "negative_prompt_embeds")
    """What the pipeline's ``encode_prompt`` returns, named as its call wants it; empty for models without text."""
    guidance_name: ClassVar[str] = "guidance_scale"
    one_view_a_call: ClassVar[bool] = False
    """Whether the pipeline takes a single image for the whole batch."""
    largest_batch: ClassVar[int] = 1024
    """The most requests that the pipeline itself can take in a call."""
    family_settings: ClassVar[Mapping[str, Setting]] = {}
    files_beside: ClassVar[Sequence[str]] = ()
    """Files beside a post-trained part that the family loads itself."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.settings: PipelineSettings = read_settings(manifest.settings, self.family_settings)
        self.device = device_of(self.settings.device)
        self._shapes = read_shapes(self.folder, self.settings) if manifest.weights == RANDOM else {}
        self.pipeline: Any = self.load()
        self._place()
        self._check_call()
        self.prompts = PromptCache()
        self.encoder = EncodeOnce(self.pipeline.vae)
        self.steps = manifest.steps
        self.compiled_blocks = 0
        self.warm_up_s = 0.0
        self._warm_up_reported = True
        set_attention(self.pipeline, self.settings.attention)
        if self.settings.compile:
            self.before_compiling()
            self.compiled_blocks = compile_blocks(self.pipeline)
            compile_decoder(self.pipeline.vae, self.device)
        self.step_cache = self.accelerated()
        if self.settings.compile:
            self.warm_up()

    def load(self) -> Any:
        """Return the pipeline: random where the weights are, otherwise through ``from_pretrained``."""
        if self._shapes:
            return random_pipeline(self._shapes, self.settings, self.manifest.dtype, self.device, **self.components())
        return load_pipeline(self.manifest, self.settings, self.component_class, self.files_beside, **self.components())

    def components(self) -> dict[str, Any]:
        """Return components that the family brings itself."""
        return {}

    def component_class(self, name: str) -> Any:
        """Return the class of the post-trained component ``name``; "" is the class of the base pipeline."""
        return ""

    def accelerated(self) -> StepCache | None:
        """Set up what the setting ``accelerate`` names; return the cache of steps, None without one."""
        interval, eight_bits = parse_modes(self.settings.accelerate)
        if eight_bits:
            compute_in_eight_bits(denoisers(self.pipeline), self.device)
        if not interval:
            return None
        cache = StepCache(denoisers(self.pipeline), interval)
        if self.guided and not self.settings.one_pass_guidance and not names_its_calls(self.pipeline):
            raise Refusal(
                f"{self.settings.pipeline} does not say which of its two calls a step is which, as {TAYLORSEER} needs.",
                "Set one_pass_guidance as well, or leave it out of accelerate.",
            )
        return cache

    def before_compiling(self) -> None:
        """Rewrite what a family can compute in fewer operations; the results may differ by rounding."""

    def warm_up(self) -> float:
        """Compile every size of batch that can come, by short rollouts of an empty view; return the seconds it took.

        Compiling takes minutes that belong to no rollout, so it happens once, before the service is ready. A model
        without a size of its own is compiled by its first requests. The first rollout reports the time as ``warm_up``.
        """
        if not (self.manifest.height and self.manifest.width):
            return 0.0
        clock = PhaseClock(self.device)
        self.steps = WARM_UP_STEPS
        with clock.phase("warm_up"):
            for size in range(1, min(self.largest_batch, self.manifest.max_batch) + 1):
                for _ in self.imagine_batch(empty_requests(self.manifest, size)):
                    pass
        self.steps = self.manifest.steps
        self.warm_up_s = clock.seconds["warm_up"]
        self._warm_up_reported = False
        return self.warm_up_s

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return one rollout."""
        return next(iter(self.imagine_batch([request])))

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield the rollouts, each as soon as it is decoded."""
        for batch in batches(
            requests,
            self.manifest,
            self.settings.frame_multiple,
            min(self.largest_batch, self.manifest.max_batch),
            self.one_view_a_call,
        ):
            yield from self._imagine(batch)

    def _imagine(self, batch: Batch) -> Iterator[Rollout]:
        clock = PhaseClock(self.device)
        with clock.phase("prompt"):
            embeddings = tensors_to(stack([self.embedding(request) for request in batch.requests]), self.device)
        noise = generators([request.seed for request in batch.requests], self._noise_device())
        with clock.phase("denoise"):
            decodings = self.denoise(batch, embeddings, noise, clock)
        shared = {name: seconds / len(batch.requests) for name, seconds in clock.seconds.items()}
        for request, decoding, generator in zip(batch.requests, decodings, noise, strict=True):
            own = PhaseClock(self.device)
            with own.phase("decode"), global_seed(request.seed, self.device):
                indices = generated_frames(
                    request, batch.frames, self.settings.plan_actions, self.settings.frame_multiple > 0
                )
                clip = self.decode(self.before_decoding(decoding, generator), max(indices, default=0))
                rgb = to_rgb(clip, indices, request.view)
            yield Rollout(request.id, rgb, request.camera, timings={**shared, **own.seconds, **self._warm_up_report()})

    def _warm_up_report(self) -> dict[str, float]:
        """Return the time of the warm-up, once."""
        reported, self._warm_up_reported = self._warm_up_reported, True
        return {} if reported else {"warm_up": self.warm_up_s}

    def denoise(
        self, batch: Batch, embeddings: Embedding, noise: list[torch.Generator], clock: PhaseClock
    ) -> list[Decoding]:
        """Run the pipeline once for all requests; return what each has to decode."""
        arguments = {**self.call_arguments(batch, noise), **embeddings}
        with ExitStack() as stack_:
            stack_.enter_context(self.encoder.active(clock))
            put_off = stack_.enter_context(decoding_put_off(self.pipeline.vae))
            if self.settings.one_pass_guidance and self.guided:
                for module in denoisers(self.pipeline):
                    stack_.enter_context(one_pass_guidance(module, embeddings["negative_prompt_embeds"]))
            if self.step_cache is not None:
                stack_.enter_context(self.step_cache.one_call())
            self.pipeline(**arguments)
        return put_off.one_each(len(batch.requests))

    @property
    def guided(self) -> bool:
        """Whether classifier-free guidance is on."""
        return self.manifest.guidance > 1.0

    def call_arguments(self, batch: Batch, noise: list[torch.Generator]) -> dict[str, Any]:
        """Return the arguments of the pipeline's call, embeddings apart."""
        height, width = self.size(batch.requests[0])
        arguments: dict[str, Any] = {
            "image": self.images(batch, height, width),
            "height": height,
            "width": width,
            "num_frames": batch.frames,
            "num_inference_steps": self.steps,
            self.guidance_name: self.manifest.guidance,
            "generator": noise,
            "output_type": "pt",
        }
        return {**arguments, **self.settings.call}

    def images(self, batch: Batch, height: int, width: int) -> Any:
        """Return the conditioning views: one a request, or a single one where the pipeline takes no more."""
        views = [picture(request, height, width) for request in batch.requests]
        return views[0] if self.one_view_a_call else views

    def size(self, request: RolloutRequest) -> tuple[int, int]:
        """Return height and width that the pipeline works at: its own, or those of the view."""
        own = (self.settings.generation_height, self.settings.generation_width)
        return own if all(own) else (int(request.view.shape[0]), int(request.view.shape[1]))

    def embedding(self, request: RolloutRequest) -> Embedding:
        """Return the text embedding of a request, from the cache where the prompt was seen before."""
        if not self.prompt_outputs:
            return {}
        return self.prompts.get(request.prompt, lambda: self.embed(request))

    def embed(self, request: RolloutRequest) -> Embedding:
        """Compute the text embedding of a request."""
        if self._shapes:
            positive = [name for name in self.prompt_outputs if not name.startswith("negative_")]
            negative = [name for name in self.prompt_outputs if name.startswith("negative_") and self.guided]
            dtype = denoisers(self.pipeline)[0].dtype
            return {
                **random_embedding(self._shapes, request.prompt, positive, dtype),
                **random_embedding(self._shapes, self.settings.negative_prompt, negative, dtype),
            }
        return encode(
            self.pipeline,
            self.prompt_outputs,
            self.settings.call,
            prompt=request.prompt,
            negative_prompt=self.settings.negative_prompt,
            do_classifier_free_guidance=self.guided,
            device=self.device,
        )

    def before_decoding(self, decoding: Decoding, generator: torch.Generator) -> Decoding:
        """Return what is really decoded, for families whose pipelines do more than call the VAE."""
        return decoding

    def decode(self, decoding: Decoding, last: int) -> torch.Tensor:
        """Return frames 0..``last`` (or more) of one clip, [T, 3, H, W] in 0..1."""
        return decode(self.pipeline, decoding, last)

    def _place(self) -> None:
        """Bring every component to the device; what is made with random weights on the CPU moves as well."""
        self.pipeline.set_progress_bar_config(disable=True)
        if self.settings.offload:
            self.pipeline.enable_model_cpu_offload(device=self.device)
        else:
            self.pipeline.to(self.device)

    def _noise_device(self) -> torch.device:
        return self.device if self.settings.noise_device == "device" else torch.device("cpu")

    def _check_call(self) -> None:
        parameters = set(inspect.signature(type(self.pipeline).__call__).parameters)
        unknown = sorted(set(self.settings.call) - parameters)
        if unknown:
            raise Refusal(
                f"{self.settings.pipeline} takes no argument {unknown[0]!r}.",
                f"It takes: {', '.join(sorted(parameters - {'self'}))}.",
            )


def picture(request: RolloutRequest, height: int, width: int) -> Image.Image:
    """Return the conditioning view in the size that the pipeline works at."""
    image = Image.fromarray(request.view)
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)
