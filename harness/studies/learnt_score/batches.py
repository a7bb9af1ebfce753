"""Training data on the device, and the pairs of views that are drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.studies.learnt_score.home_data import FORMAT, SUFFIX
from tasks.ignav.scores.learnt_file import read_tensors

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
