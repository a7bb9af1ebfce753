"""A world model in one class with one method: replace what `imagine` does by your model.

As it stands it assumes that everything is on a sphere around the camera and looks at that sphere from where the actions
lead. That is no good world model, but an honest one: it passes ``plugin check``.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.action_numbers import motions
from harness.contracts.actions import Action
from harness.contracts.cameras import EQUIRECT
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel

Floats = npt.NDArray[np.float64]
Place = Tuple[float, float, float]
"""Where the camera is: metres to the right and to the back of the conditioning view, and radians to its left."""


class Model(WorldModel):
    """Constant-depth reprojection of panoramas."""

    def __init__(self, manifest: ModelManifest) -> None:
        """Load what is needed once: weights belong here. ``manifest.settings`` are the settings of plugin.toml."""
        super().__init__(manifest)
        self.depth_m = float(manifest.settings.get("depth_m", 2.5))

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the frames that ``request.frames`` asks for: frame i is the view after action i.

        Everything comes from the request: the view, the actions, the seed. Keep nothing between requests.
        """
        if request.camera.kind != EQUIRECT:
            raise Refusal(f"this model imagines panoramas, not {request.camera.kind} views.")
        places = places_after(request.candidate.actions)
        frames = [seen_from(request.view, places[index], self.depth_m) for index in request.frames]
        return Rollout(request.id, np.stack(frames), request.camera)


def places_after(actions: Sequence[Action]) -> List[Place]:
    """Return where the camera is before the first action and after each; unknown actions raise Refusal."""
    right, back, left_rad = 0.0, 0.0, 0.0
    places = [(right, back, left_rad)]
    for ahead_m, _, turn_deg in motions(actions):
        right -= ahead_m * np.sin(left_rad)
        back -= ahead_m * np.cos(left_rad)
        left_rad += np.radians(turn_deg)
        places.append((right, back, left_rad))
    return places


def seen_from(view: RGB, place: Place, depth_m: float) -> RGB:
    """Return the panorama seen from ``place`` if all that ``view`` shows is ``depth_m`` away from its camera."""
    height, width = view.shape[:2]
    right, back, left_rad = place
    reach = min(1.0, 0.9 * depth_m / max(np.hypot(right, back), 1e-9))
    start = np.array([right, 0.0, back]) * reach
    rays = directions(height, width, left_rad)
    along = rays @ start
    distance = -along + np.sqrt(along * along + depth_m * depth_m - start @ start)
    x, up, z = np.moveaxis(start + rays * distance[..., None], -1, 0)
    columns = (0.5 - np.arctan2(-x, -z) / (2.0 * np.pi)) * width
    rows = (0.5 - np.arctan2(up, np.hypot(x, z)) / np.pi) * height
    picked: RGB = view[np.clip(rows.astype(np.int64), 0, height - 1), columns.astype(np.int64) % width]
    return picked


def directions(height: int, width: int, left_rad: float) -> Floats:
    """Return the unit direction (right, up, back) of each pixel of a panorama whose heading is turned to the left."""
    azimuth = (0.5 - (np.arange(width) + 0.5) / width) * 2.0 * np.pi + left_rad
    elevation = ((0.5 - (np.arange(height) + 0.5) / height) * np.pi)[:, None]
    level = np.cos(elevation)
    up = np.broadcast_to(np.sin(elevation), (height, width))
    return np.stack([-np.sin(azimuth) * level, up, -np.cos(azimuth) * level], axis=-1)
