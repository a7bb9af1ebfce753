"""Score `learnt`: minus the distance that a small network predicts between a goal view and an imagined panorama.

The network was trained on real views of training homes alone (docs/learnt_score.md). Turns of a panorama are exact
rolls and change no bit of the score, so no heading of the goal has to be known.
"""

from __future__ import annotations

import functools
from typing import Sequence

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, PINHOLE
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from tasks.ignav.scores.crops import Image, reduce_to
from tasks.ignav.scores.learnt_kernels import HEADINGS
from tasks.ignav.scores.learnt_network import (
    BAND_HEIGHT,
    BAND_WIDTH,
    GOAL_SIZE,
    GoalFeatures,
    Network,
    network_from,
)
from tasks.ignav.scores.learnt_weights import read_weights

GOAL_HFOV_DEG = 90.0
UNSEEN = 127.5
"""What stands for the headings that one view does not show."""

_PANORAMA_HEIGHT = 2 * BAND_HEIGHT


class Learnt:
    """Predicted distance with the weights of ``tasks/ignav/scores/<weights>.safetensors``; params are the suite's.

    ``sha256`` is the file's digest. It stands in the suite's data, so that the suite hash covers the weights: other
    weights are another score, and a file with other bytes is refused.
    """

    def __init__(self, weights: str, sha256: str) -> None:
        self.network = load_network(weights, sha256)

    def against(self, goal: View) -> GoalComparer:
        """Return the comparer for ``goal``, a square pinhole view of 90 degrees."""
        return GoalComparer(self.network, goal)


class GoalComparer:
    """Compares panoramas with one goal. Called with the views of an end, it scores the last one."""

    def __init__(self, network: Network, goal: View) -> None:
        camera = goal.camera
        if camera.kind != PINHOLE or camera.height != camera.width or camera.hfov_deg != GOAL_HFOV_DEG:
            raise Refusal(
                f"learnt score needs a square pinhole goal of {GOAL_HFOV_DEG:g} degrees, not {camera.kind} "
                f"{camera.height} x {camera.width} of {camera.hfov_deg:g} degrees.",
                "Name another goal camera in the suite's loop.",
            )
        self._network = network
        self._goal: GoalFeatures = network.goal_features(reduce_to(goal.rgb, GOAL_SIZE, GOAL_SIZE))

    def __call__(self, views: Sequence[View]) -> float:
        """Return minus the predicted distance in metres from where the last view was seen to the goal."""
        return -self._network.distance_m(self._goal, band_of(views[-1]))

    def at_headings(self, view: View) -> npt.NDArray[np.float64]:
        """Return the score of what each heading shows alone, the present one first and then leftwards round.

        For references that look round and imagine nothing: columns beyond a quarter of the panorama are grey.
        """
        band = band_of(view)
        scores = np.empty(HEADINGS)
        quarter = np.arange(-BAND_WIDTH // 8, BAND_WIDTH // 8)
        for heading in range(HEADINGS):
            columns = (BAND_WIDTH // 2 - heading * BAND_WIDTH // HEADINGS + quarter) % BAND_WIDTH
            shown = np.full_like(band, UNSEEN)
            shown[:, columns] = band[:, columns]
            scores[heading] = -self._network.distance_m(self._goal, shown)
        return scores


def band_of(view: View) -> Image:
    """Return the middle half of a panorama, float32 [64, 256, 3] in 0..255; Refusal for what is no panorama."""
    if view.camera.kind != EQUIRECT:
        raise Refusal(
            f"learnt score cannot look round in a {view.camera.kind} view.",
            "It compares panoramas: name an equirect agent camera in the suite's loop.",
        )
    whole = reduce_to(view.rgb, _PANORAMA_HEIGHT, BAND_WIDTH)
    return np.ascontiguousarray(whole[BAND_HEIGHT // 2 : BAND_HEIGHT // 2 + BAND_HEIGHT])


@functools.lru_cache(maxsize=4)
def load_network(weights: str, sha256: str) -> Network:
    """Return the network with the weights called ``weights``; Refusal where they are missing or others."""
    return network_from(read_weights(weights, sha256).tensors)
