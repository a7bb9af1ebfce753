"""Training data on the device, and the pairs of views that are drawn from it.

Views are spoilt for training, so that the score measures where something was seen more than how sharply. World models
blur, compress, shift colours and lose the horizon. Each spoiling takes its own share of a batch, in fixed numbers, so
that nothing on the device has to be counted. Images are float32 [B, 3, H, W] in 0..1; sizes divide by 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.studies.learnt_score.make_data import FORMAT, SUFFIX
from tasks.ignav.scores.learnt_file import read_tensors

_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
"""Quantisation of JPEG at quality 50 (ITU-T T.81, table K.1)."""
BAND_DEG = 90.0
"""How high a band of a panorama is."""

_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_FROM_YCC = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


@dataclass(frozen=True)
class Spoiling:
    """Shares of a batch and the largest strengths; blur in pixels, hue and pitch in degrees, the others as factors.

    ``masked`` views show one quarter of a panorama, as a reference sees that looks round and imagines nothing.
    """

    blurred: float = 0.35
    blur_px: float = 3.5
    compressed: float = 0.2
    coarseness: float = 4.0
    shrunk: float = 0.1
    coloured: float = 0.4
    hue_deg: float = 30.0
    brightness: float = 0.2
    contrast: float = 0.2
    masked: float = 0.0
    pitched: float = 0.0
    pitch_deg: float = 8.5


PANORAMAS = Spoiling(masked=0.04, pitched=0.4)
GOALS = Spoiling(blurred=0.2, blur_px=2.0, compressed=0.1, shrunk=0.05, coloured=0.3)

OTHER_PAINT = Spoiling(coloured=0.5, hue_deg=180.0, brightness=0.15, contrast=0.15)
"""What is done to a goal and its panoramas alike, as if the home had been painted otherwise."""


def spoil(images: Tensor, how: Spoiling, circular: bool, generator: torch.Generator) -> Tensor:
    """Return ``images`` with every spoiling done to its share of them; goals are not ``circular``, panoramas are."""
    images = images.clone()
    if how.pitched:
        chosen = _chosen(images, how.pitched, generator)
        images[chosen] = pitch(images[chosen], how.pitch_deg * _signed(len(chosen), images, generator))
    chosen = _chosen(images, how.coloured, generator)
    images[chosen] = _coloured(images[chosen], how, generator)
    chosen = _chosen(images, how.blurred, generator)
    sigma = how.blur_px * _uniform(len(chosen), images, generator) ** 1.5
    images[chosen] = blur(images[chosen], sigma, circular)
    chosen = _chosen(images, how.shrunk, generator)
    images[chosen] = shrink(images[chosen], 2)
    chosen = _chosen(images, how.compressed, generator)
    images[chosen] = compress(images[chosen], 0.2 + how.coarseness * _uniform(len(chosen), images, generator))
    chosen = _chosen(images, how.masked, generator)
    images[chosen] = _masked(images[chosen], generator)
    return images


def repaint(goals: Tensor, panoramas: Tensor, how: Spoiling, generator: torch.Generator) -> Tuple[Tensor, Tensor]:
    """Return goals [G, 3, H, W] and their panoramas [G, P, 3, H, W] in other colours: the same ones for both."""
    chosen = _chosen(goals, how.coloured, generator)
    turn, contrast, brightness = _colours(len(chosen), how, goals, generator)
    each = panoramas.shape[1]
    goals, panoramas = goals.clone(), panoramas.clone()
    goals[chosen] = _shifted(goals[chosen], turn, contrast, brightness)
    seen = (part.repeat_interleave(each) for part in (turn, contrast, brightness))
    panoramas[chosen] = _shifted(panoramas[chosen].flatten(0, 1), *seen).unflatten(0, (-1, each))
    return goals, panoramas


def blur(images: Tensor, sigma: Tensor, circular: bool) -> Tensor:
    """Return ``images`` blurred by a Gaussian of ``sigma`` [B] pixels; columns wrap around or repeat the edge."""
    rows = _blur_matrix(images.shape[2], sigma, False)
    columns = _blur_matrix(images.shape[3], sigma, circular)
    return rows[:, None] @ images @ columns[:, None].transpose(2, 3)


def _blur_matrix(length: int, sigma: Tensor, circular: bool) -> Tensor:
    """Return [B, length, length]: row i holds the weights of all pixels in the blurred pixel i."""
    place = torch.arange(length, device=sigma.device, dtype=torch.float32)
    apart = (place[:, None] - place[None]).abs()
    if circular:
        apart = torch.minimum(apart, length - apart)
    weights = torch.exp(-0.5 * (apart / sigma.clamp(min=0.05)[:, None, None]) ** 2)
    return weights / weights.sum(2, keepdim=True)


def pitch(images: Tensor, degrees: Tensor) -> Tensor:
    """Return bands of panoramas as if they had been seen ``degrees`` [B] too far up: their rows sink.

    A band has the rows within 45 degrees of the horizon; beyond it the outermost row is repeated.
    """
    height = images.shape[2]
    place = torch.arange(height, device=degrees.device, dtype=torch.float32)
    source = (place[None] - degrees[:, None] * height / BAND_DEG).clamp(0.0, height - 1.0)
    weights = (1.0 - (source[:, :, None] - place[None, None]).abs()).clamp(min=0.0)
    return weights[:, None] @ images


def shrink(images: Tensor, factor: int) -> Tensor:
    """Return ``images`` shrunk by a whole factor and enlarged again."""
    small = functional.avg_pool2d(images, factor)
    return functional.interpolate(small, scale_factor=factor, mode="bilinear", align_corners=False)


def compress(images: Tensor, coarseness: Tensor) -> Tensor:
    """Return ``images`` as JPEG would leave them: 8 x 8 cosine transforms, rounded in steps of ``coarseness`` [B].

    1 stands for quality 50. Chroma is rounded with the table of luminance, and is not halved in size.
    """
    to_ycc = images.new_tensor(_TO_YCC)
    transform = _cosines(images)
    steps = images.new_tensor(_LUMINANCE) / 255.0 * coarseness[:, None, None, None, None, None]
    ycc = torch.einsum("ij,bjhw->bihw", to_ycc, images)
    batch, _, height, width = images.shape
    blocks = ycc.view(batch, 3, height // 8, 8, width // 8, 8).transpose(3, 4)
    rounded = torch.round((transform @ blocks @ transform.T) / steps) * steps
    restored = (transform.T @ rounded @ transform).transpose(3, 4).reshape(batch, 3, height, width)
    return torch.einsum("ij,bjhw->bihw", images.new_tensor(_FROM_YCC), restored).clamp(0.0, 1.0)


def _cosines(like: Tensor) -> Tensor:
    """Return the orthonormal 8 x 8 matrix of the discrete cosine transform."""
    rows = [
        [math.sqrt((1.0 if k == 0 else 2.0) / 8.0) * math.cos(math.pi * (2 * n + 1) * k / 16.0) for n in range(8)]
        for k in range(8)
    ]
    return like.new_tensor(rows)


def turn_hue(images: Tensor, degrees: Tensor) -> Tensor:
    """Return ``images`` with colours turned around the grey axis by ``degrees`` [B]."""
    angle = torch.deg2rad(degrees)[:, None, None]
    third = 1.0 / 3.0
    across = images.new_tensor(((0.0, -1.0, 1.0), (1.0, 0.0, -1.0), (-1.0, 1.0, 0.0))) * math.sqrt(third)
    grey = torch.full_like(across, third)
    matrix = torch.cos(angle) * (torch.eye(3, device=images.device) - grey) + grey + torch.sin(angle) * across
    return torch.einsum("bij,bjhw->bihw", matrix, images).clamp(0.0, 1.0)


def _coloured(images: Tensor, how: Spoiling, generator: torch.Generator) -> Tensor:
    return _shifted(images, *_colours(len(images), how, images, generator))


def _colours(count: int, how: Spoiling, like: Tensor, generator: torch.Generator) -> Tuple[Tensor, Tensor, Tensor]:
    """Return ``count`` turns of hue in degrees, factors of contrast and factors of brightness."""
    turn = how.hue_deg * _signed(count, like, generator)
    contrast = 1.0 + how.contrast * _signed(count, like, generator)
    return turn, contrast, 1.0 + how.brightness * _signed(count, like, generator)


def _shifted(images: Tensor, turn: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    turned = turn_hue(images, turn)
    mean = turned.mean((1, 2, 3), keepdim=True)
    by, level = contrast[:, None, None, None], brightness[:, None, None, None]
    return ((turned - mean) * by + mean * level).clamp(0.0, 1.0)


def _masked(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return panoramas that are grey outside a quarter around a random column."""
    width = images.shape[3]
    centre = width * _uniform(len(images), images, generator)
    apart = (torch.arange(width, device=images.device) - centre[:, None]).abs()
    seen = torch.minimum(apart, width - apart) <= width / 8
    return torch.where(seen[:, None, None], images, 0.5)


def _chosen(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    order = torch.randperm(len(images), device=images.device, generator=generator)
    return order[: round(share * len(images))]


def _uniform(count: int, like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(count, device=like.device, generator=generator)


def _signed(count: int, like: Tensor, generator: torch.Generator) -> Tensor:
    return 2.0 * _uniform(count, like, generator) - 1.0


TRAIN, VALIDATION = "train", "validation"

_BAND_M = 0.5
_BANDS = 20
_NEAR_M = 4.0
_FALL_M = 0.7
_LEAST_WEIGHT = 0.05
"""Bands within the reach of a goal are drawn equally often, those beyond more and more rarely."""


@dataclass(frozen=True, eq=False)
class Homes:
    """The views of the homes of one split, uint8 on the device, with their distances in metres.

    ``panoramas`` [H, P, 64, 256, 3], ``goals`` [H, G, 128, 128, 3], ``distances_m`` [H, G, P]; ``digest`` stands for
    all of it.
    """

    names: Tuple[str, ...]
    panoramas: Tensor
    goals: Tensor
    distances_m: Tensor
    digest: str

    def pairs(self, goals: int, each: int, generator: torch.Generator) -> Tuple[Tensor, Tensor, Tensor]:
        """Draw ``goals`` goal views and ``each`` panoramas of the same home for every one of them.

        Returns uint8 [goals, 128, 128, 3], [goals, each, 64, 256, 3] and metres [goals, each]. Distances are drawn
        evenly over bands of half a metre up to 4 m, where decisions are made, and more rarely beyond.
        """
        device = self.distances_m.device
        home = torch.randint(len(self.names), (goals,), device=device, generator=generator)
        goal = torch.randint(self.goals.shape[1], (goals,), device=device, generator=generator)
        distances = self.distances_m[home, goal]
        band = (distances.clamp(max=_BAND_M * (_BANDS - 0.5)) / _BAND_M).long()
        ones = torch.ones_like(distances)
        crowd = torch.zeros(goals, _BANDS, device=device).scatter_add_(1, band, ones).gather(1, band)
        weight = (torch.exp(-(distances - _NEAR_M).clamp(min=0.0) / _FALL_M) + _LEAST_WEIGHT) / crowd
        weight[~torch.isfinite(distances)] = 0.0
        chosen = torch.multinomial(weight, each, replacement=True, generator=generator)
        return self.goals[home, goal], self.panoramas[home[:, None], chosen], distances.gather(1, chosen)


def load_splits(folder: Path, device: str) -> dict[str, Homes]:
    """Return the homes in ``folder`` by split; Refusal where training or validation homes are missing."""
    splits = homes_by_split(folder, device)
    for split in (TRAIN, VALIDATION):
        if split not in splits:
            raise Refusal(
                f"{folder} has no homes of split {split!r}.",
                f"Run `python -m harness.studies.learnt_score.make_data --homes N --split {split} --out {folder}`.",
            )
    return splits


def homes_by_split(folder: Path, device: str) -> dict[str, Homes]:
    """Return the homes in ``folder`` by split, whichever are there."""
    paths: dict[str, List[Path]] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        paths.setdefault(path.name.rpartition("-")[0], []).append(path)
    return {split: _load(found, device) for split, found in paths.items()}


def _load(paths: Sequence[Path], device: str) -> Homes:
    """Read homes into one array a kind; Refusal where their sizes differ or a file is of another home or format."""
    files = [read_tensors(path) for path in paths]
    for path, file in zip(paths, files):
        named = (file.metadata.get("format"), file.metadata.get("home"))
        if named != (FORMAT, path.name[: -len(SUFFIX)]):
            raise Refusal(f"{path} calls itself {named[1]!r} in format {named[0]!r}.", "Make the data again.")
        if file.tensors["distances_m"].shape != files[0].tensors["distances_m"].shape:
            raise Refusal(f"{path} has other sizes than {paths[0]}.", "Make the data again, with equal sizes.")
    stacked = {name: np.stack([file.tensors[name] for file in files]) for name in files[0].tensors}
    return Homes(
        tuple(file.metadata["home"] for file in files),
        torch.from_numpy(stacked["panoramas"]).to(device),
        torch.from_numpy(stacked["goals"]).to(device),
        torch.from_numpy(stacked["distances_m"]).to(device),
        digest([file.sha256 for file in files]),
    )


def as_images(pixels: Tensor) -> Tensor:
    """Return uint8 [B, H, W, 3] as float32 [B, 3, H, W] in 0..1."""
    return pixels.permute(0, 3, 1, 2).contiguous().float() / 255.0


def halved(goals: Tensor) -> Tensor:
    """Return goal views of 128 pixels averaged down to the 64 of the network."""
    return functional.avg_pool2d(goals, 2)
