"""Reference `homing`: classical image homing, from the real present view alone.

It is what a robot could do before world models: find the goal's picture in the panorama, and tell from its apparent
size how far the place is where it was taken. Scene-based homing by matching warped snapshots is that of Franz,
Schoelkopf, Mallot and Buelthoff 1998 ("Where did I take that snapshot?"), with equal distance of everything around;
scale as the cue of nearness that of Churchill and Vardy 2008 ("Homing in scale space"). The goal is a pinhole view of
unknown heading here, so the warps are crops at every heading and zoom, and the match is the classical score's
description: colour histograms in cells and oriented gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Sequence

import numpy as np

from harness.contracts.cameras import EQUIRECT, PINHOLE
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.contracts.portable import PI, TWO_PI, atan2, sincos
from harness.planning.evidence import EndScores
from harness.planning.proposals import End, Proposal
from harness.planning.revisers import Similarity
from harness.planning.score_protocol import Score
from tasks.ignav.scores import descriptors
from tasks.ignav.scores.classical import Description, Weights, describe
from tasks.ignav.scores.crops import CropMap, Image, crop_into, crop_map, reduce_to
from tasks.navigation.odometry import Odometry

HEADINGS = 16
SIZE = 32
"""Pixels of a crop: few, because a crop at zoom 2 has no more of its own in the panorama."""

ZOOMS = (1.0, 1.4, 0.7, 2.0, 2.8, 4.0)
"""How much larger the goal view shows things than the present view; without zoom first, which wins ties."""

DEPTH_M = 2.5
"""How far everything is taken to be: at zoom z the goal view was taken DEPTH_M * (1 - 1 / z) metres ahead."""


HOMING = "homing"
"""Evidence of the reviser: where classical image homing believes the goal to be."""


class NearestToMatch(Similarity):
    """The reviser: takes the end nearest to where classical image homing believes the goal to be."""

    evidence = HOMING


@dataclass(frozen=True)
class Match:
    """How well one crop of the present view matches the goal view; ``heading`` counts leftwards from ahead."""

    score: float
    heading: int
    zoom: float

    def place(self) -> Odometry:
        """Return where the goal view was taken, seen from here; here itself without zoom."""
        distance_m = DEPTH_M * (1.0 - 1.0 / self.zoom)
        sine, cosine = sincos(self.heading * TWO_PI / HEADINGS)
        return Odometry(-distance_m * sine, -distance_m * cosine)


class Homing:
    """Scores an end by how near it comes to the place of the best match, by commanded actions.

    Without zoom that place is here, so that staying wins.
    """

    def __init__(self, goal: View) -> None:
        camera = goal.camera
        if camera.kind != PINHOLE or camera.height != camera.width:
            raise Refusal(
                f"the reference homing needs a square pinhole goal, not {camera.kind} "
                f"{camera.height} x {camera.width}.",
                "Play it in a tier that shows such a goal.",
            )
        self._goal = describe(reduce_to(goal.rgb, SIZE, SIZE))
        self._hfov_deg = camera.hfov_deg

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        """Return minus the distance of each end, and of here, to where the goal seems to be."""
        goal = self.best_match(view).place()
        reached = (Odometry().advance(proposal.actions(end)) for end in ends)
        return EndScores(tuple(-place.distance(goal) for place in reached), -Odometry().distance(goal))

    def best_match(self, view: View) -> Match:
        """Return the crop of the present panorama that looks most like the goal."""
        if view.camera.kind != EQUIRECT:
            raise Refusal(
                f"the reference homing cannot look round in a {view.camera.kind} view.",
                "Play it in a tier whose agent sees panoramas.",
            )
        fine = np.ascontiguousarray(view.rgb.astype(np.float32))
        coarse = reduce_to(view.rgb, view.camera.height // 2, view.camera.width // 2)
        best = Match(-math.inf, 0, 1.0)
        for zoom in ZOOMS:
            panorama = coarse if zoom <= 1.0 else fine  # about one pixel of the panorama a pixel of the crop
            crop = _zoomed_map(panorama.shape[0], panorama.shape[1], self._hfov_deg, zoom)
            for heading in range(HEADINGS):
                score = similarity(self._goal, describe(_crop_at(panorama, crop, heading)))
                if score > best.score:
                    best = Match(score, heading, zoom)
        return best


def homing(score: Score, goal: View) -> Homing:
    """Return what scores by homing, which makes no use of the tier's score."""
    return Homing(goal)


def similarity(one: Description, other: Description) -> float:
    """Return the classical score of two descriptions, in 0..2.5."""
    weights = Weights()
    return float(
        weights.cells * descriptors.dot(one.cells, other.cells)
        + weights.whole * descriptors.dot(one.whole, other.whole)
        + weights.hog * descriptors.dot(one.hog, other.hog)
    )


@lru_cache(maxsize=32)
def _zoomed_map(height: int, width: int, hfov_deg: float, zoom: float) -> CropMap:
    """Return the map of a crop whose tangent of half the field of view is ``zoom`` times smaller than the goal's."""
    sine, cosine = sincos(hfov_deg * PI / 360.0)
    return crop_map(height, width, SIZE, atan2(sine / zoom, cosine) * 360.0 / PI)


def _crop_at(panorama: Image, crop: CropMap, heading: int) -> Image:
    image = np.empty((SIZE, SIZE, 3), np.float32)
    shift = -(heading * panorama.shape[1] // HEADINGS)
    crop_into(panorama, crop.column, crop.row, crop.right, crop.down, shift, image)
    return image
