"""Fits the learnt score within a budget of seconds, and keeps the weights that do best on validation homes.

Held-out errors are measured by distance, on clean and on spoilt panoramas.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, List, Mapping, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from harness.contracts.errors import Refusal
from harness.studies.learnt_score.batches import (
    GOALS,
    OTHER_PAINT,
    PANORAMAS,
    Homes,
    as_images,
    blur,
    halved,
    pitch,
    repaint,
    spoil,
    turn_hue,
)
from harness.studies.learnt_score.network import FARTHEST_M, DistanceNetwork

BANDS_M = ((0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 6.0))
REACH_M = 4.0
EACH = 16

CLEAN, PITCHED = "clean", "pitch 3 deg"
CONDITIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    CLEAN: lambda images: images,
    "blur 1 px": lambda images: blur(images, images.new_full((len(images),), 1.0), True),
    "blur 3 px": lambda images: blur(images, images.new_full((len(images),), 3.0), True),
    "hue 10 deg": lambda images: turn_hue(images, images.new_full((len(images),), 10.0)),
    "hue 30 deg": lambda images: turn_hue(images, images.new_full((len(images),), 30.0)),
    PITCHED: lambda images: pitch(images, images.new_full((len(images),), 2.8125)),
    "pitch 8 deg": lambda images: pitch(images, images.new_full((len(images),), 8.4375)),
}
"""What is done to the panoramas; goals stay clean, as they are in an episode."""


@dataclass(frozen=True)
class BandError:
    """Errors in metres of the pairs whose true distance lies in a band: mean absolute error, and mean signed error.

    ``spread_m`` is the mean absolute deviation of the true distances in the band from their median: the error of a
    guess that knows the band and nothing else.
    """

    low_m: float
    high_m: float
    pairs: int
    error_m: float
    bias_m: float
    spread_m: float


@dataclass(frozen=True)
class Errors:
    """Errors by band; ``all`` and ``guess`` are the mean absolute errors of the network and of the best constant."""

    bands: List[BandError]
    all_m: float
    guess_m: float

    def mean_m(self) -> float:
        """Return the mean error of the bands within a goal's reach: what a checkpoint is chosen by."""
        known = [band.error_m for band in self.bands if band.pairs and band.high_m <= REACH_M]
        return sum(known) / len(known)

    def plain(self) -> Dict[str, object]:
        """Return plain data for JSON, in rounded metres."""
        bands = [{name: round(value, 4) for name, value in asdict(band).items()} for band in self.bands]
        return {"bands": bands, "all_m": round(self.all_m, 4), "guess_m": round(self.guess_m, 4)}


def errors_on(network: DistanceNetwork, homes: Homes, condition: str, batches: int, goals: int) -> Errors:
    """Return the errors on ``batches`` of ``goals`` x `EACH` pairs: the same pairs at every call."""
    device = homes.distances_m.device
    generator = torch.Generator(device).manual_seed(1)
    network.eval()
    truths, guesses = [], []
    for _ in range(batches):
        goal, panorama, distance = homes.pairs(goals, EACH, generator)
        images = CONDITIONS[condition](as_images(panorama.flatten(0, 1))) - 0.5
        mixed = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
        with torch.inference_mode(), mixed:
            logits = network(halved(as_images(goal)) - 0.5, images.unflatten(0, (goals, EACH)))
        truths.append(distance.flatten())
        guesses.append(network.decided(logits).flatten())
    return by_band(torch.cat(truths).double().cpu(), torch.cat(guesses).double().cpu())


def by_band(truth: Tensor, guess: Tensor) -> Errors:
    """Return the errors of guesses [N] of true distances [N], in metres."""
    bands = []
    for low, high in BANDS_M:
        inside = (truth >= low) & (truth < high)
        bands.append(_band_error(low, high, truth[inside], guess[inside]))
    whole = truth < BANDS_M[-1][1]
    constant = (truth[whole] - truth[whole].median()).abs().mean()
    return Errors(bands, float((guess - truth)[whole].abs().mean()), float(constant))


def _band_error(low: float, high: float, truth: Tensor, guess: Tensor) -> BandError:
    if not len(truth):
        return BandError(low, high, 0, 0.0, 0.0, 0.0)
    wrong = guess - truth
    spread = (truth - truth.median()).abs().mean()
    return BandError(low, high, len(truth), float(wrong.abs().mean()), float(wrong.mean()), float(spread))


CHOSEN_BY = (CLEAN, "blur 1 px", "hue 10 deg", PITCHED)
"""A checkpoint is chosen by its mean error over bands and these conditions."""


@dataclass(frozen=True)
class Settings:
    """What a training is made with. ``seconds`` is the time of the steps and evaluations, without loading.

    A step sees ``goals`` x ``each`` pairs. The learning rate rises over ``warmup`` steps and falls as a cosine of the
    time; ``average`` is the decay of the running mean of weights, which is what is evaluated and kept.
    ``distance_weight`` is the weight of the relative error of the mean distance beside the cross-entropy. ``compiled``
    is faster on a GPU, after a minute of compiling.
    """

    seconds: float = 300.0
    goals: int = 96
    each: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: int = 200
    average: float = 0.999
    distance_weight: float = 0.3
    clip: float = 1.0
    evaluations: int = 10
    evaluation_batches: int = 12
    evaluation_goals: int = 96
    compiled: bool = False
    seed: int = 0


SMOKE = Settings(seconds=8.0, goals=4, each=4, warmup=5, average=0.9, evaluations=2, evaluation_batches=1,
                 evaluation_goals=2)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights at a step, and the mean error on validation homes that they were chosen by."""

    network: DistanceNetwork
    step: int
    error_m: float


class Training:
    """One training: `step` does one step, `checkpoint` evaluates the running mean of the weights."""

    def __init__(self, homes: Homes, validation: Homes, settings: Settings) -> None:
        self._homes = homes
        self._validation = validation
        self._settings = settings
        self._device = homes.distances_m.device
        torch.manual_seed(settings.seed)
        self._generator = torch.Generator(self._device).manual_seed(settings.seed)
        self._network = DistanceNetwork().to(self._device, memory_format=torch.channels_last)
        self._mean = copy.deepcopy(self._network).requires_grad_(False)
        self._forward = torch.compile(self._network) if settings.compiled else self._network
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.steps = 0

    def step(self, progress: float) -> Tuple[Tensor, Tensor]:
        """Do one step at ``progress`` 0..1 of the time; return (loss, mean absolute error in metres), on the device."""
        settings = self._settings
        rate = settings.learning_rate * min(1.0, (self.steps + 1) / settings.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * (0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0)) + 0.005)
        self._network.train()
        goals, panoramas, distances = self._batch()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            logits = self._forward(goals, panoramas).float()
        guess = self._network.distance(logits)
        far = distances.clamp(max=FARTHEST_M)
        cross_entropy = -(two_hot(distances, self._network.distances_m) * torch.log_softmax(logits, -1)).sum(-1).mean()
        loss = cross_entropy + settings.distance_weight * ((guess - far).abs() / (1.0 + 0.3 * far)).mean()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), settings.clip)
        self._optimizer.step()
        self.steps += 1
        self._update_mean()
        return loss.detach(), (guess - far).abs().mean().detach()

    def checkpoint(self) -> Checkpoint:
        """Return a copy of the mean weights with their error on validation homes."""
        settings = self._settings
        size = (settings.evaluation_batches, settings.evaluation_goals)
        errors = [errors_on(self._mean, self._validation, name, *size).mean_m() for name in CHOSEN_BY]
        return Checkpoint(copy.deepcopy(self._mean), self.steps, sum(errors) / len(errors))

    def _batch(self) -> Tuple[Tensor, Tensor, Tensor]:
        """Return goals, panoramas (both spoilt, rolled and mirrored, in -0.5..0.5) and distances in metres."""
        goals, panoramas, distances = self._homes.pairs(self._settings.goals, self._settings.each, self._generator)
        shift = int(torch.randint(panoramas.shape[3], (1,)))
        round_views = as_images(torch.roll(panoramas, shift, 3).flatten(0, 1)).unflatten(0, panoramas.shape[:2])
        goal_views, round_views = repaint(as_images(goals), round_views, OTHER_PAINT, self._generator)
        round_views = spoil(round_views.flatten(0, 1), PANORAMAS, True, self._generator)
        round_views = round_views.unflatten(0, panoramas.shape[:2])
        goal_views = halved(spoil(goal_views, GOALS, False, self._generator))
        mirrored = torch.rand(len(goals), device=self._device, generator=self._generator) < 0.5
        goal_views = torch.where(mirrored[:, None, None, None], goal_views.flip(3), goal_views)
        round_views = torch.where(mirrored[:, None, None, None, None], round_views.flip(4), round_views)
        interleaved = (round_views - 0.5).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        goal_views = (goal_views - 0.5).contiguous(memory_format=torch.channels_last)
        return goal_views, interleaved.unflatten(0, panoramas.shape[:2]), distances

    def _update_mean(self) -> None:
        decay = min(self._settings.average, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for mean, latest in zip(self._mean.state_dict().values(), self._network.state_dict().values()):
                if mean.is_floating_point():
                    mean.lerp_(latest, 1.0 - decay)


def two_hot(distances: Tensor, edges: Tensor) -> Tensor:
    """Return ``distances`` [...] as shares [..., bins] of their two neighbours among ``edges`` (farther: the last)."""
    near = distances.clamp(0.0, float(edges[-1]) - 1e-3).contiguous()
    lower = torch.searchsorted(edges, near, right=True) - 1
    share = (near - edges[lower]) / (edges[lower + 1] - edges[lower])
    below = functional.one_hot(lower, len(edges)) * (1.0 - share)[..., None]
    return below + functional.one_hot(lower + 1, len(edges)) * share[..., None]


def fit(
    homes: Homes, validation: Homes, settings: Settings, say: Callable[[str], None], keep: Callable[[Checkpoint], None]
) -> Tuple[Checkpoint, Dict[str, Any]]:
    """Train for the time that ``settings`` give; return the best checkpoint and how it went.

    ``keep`` is called with every checkpoint that is better than those before, so that a training that is cut off
    leaves its best weights.
    """
    training = Training(homes, validation, settings)
    best: Checkpoint | None = None
    history = []
    if settings.compiled:
        training.step(0.0)
    started = said = time.monotonic()
    stage = 1
    while stage <= settings.evaluations:
        elapsed = time.monotonic() - started
        loss, error = training.step(elapsed / settings.seconds)
        if time.monotonic() - said > 10.0:
            said = time.monotonic()
            rate = training.steps / (said - started)
            say(f"{elapsed:.0f} s, step {training.steps}, {rate:.1f} steps/s, loss {loss:.3f}, error {error:.3f} m")
        if elapsed < stage * settings.seconds / settings.evaluations:
            continue
        stage += 1
        if not math.isfinite(float(loss)):
            raise Refusal(f"the loss is {float(loss)} at step {training.steps}.", "Train with a lower learning rate.")
        now = training.checkpoint()
        history.append({"step": now.step, "error_m": round(now.error_m, 4)})
        say(f"{time.monotonic() - started:.0f} s, step {now.step}: validation error {now.error_m:.4f} m")
        if best is None or now.error_m < best.error_m:
            best = now
            keep(best)
    assert best is not None
    took_s = time.monotonic() - started
    return best, {"steps": training.steps, "seconds": round(took_s, 1), "chosen_step": best.step, "history": history}
