"""Held-out errors of the learnt score by distance, on clean and on spoilt panoramas."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Callable, Dict, List, Mapping

import torch
from torch import Tensor

from harness.studies.learnt_score.augment import blur, pitch, turn_hue
from harness.studies.learnt_score.batches import Homes, as_images, halved
from harness.studies.learnt_score.network import DistanceNetwork

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
