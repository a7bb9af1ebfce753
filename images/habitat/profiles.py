"""What the published protocol starts from: evaluation on habitat-sim 0.2.5, data collection on 0.3.2.

Everything else is in `images.habitat.environment`. A suite gives its own rig and navmesh settings, which then are
part of its hash.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from harness.contracts.cameras import Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import NotNavigable
from harness.contracts.observations import Observation, ViewRequest
from harness.contracts.published_rigs import COLLECTION_FACE_PIXELS, COLLECTION_RIG
from images.habitat.environment import HabitatEnvironment
from images.habitat.navigation import WalkableArea
from images.habitat.options import PUBLISHED_NAVMESH

CAMERA_HEIGHT_M = 1.0

_FOUR_YAWS = (("aeqa_front", 0.0), ("aeqa_left", 90.0), ("aeqa_right", -90.0), ("aeqa_back", 180.0))

EVALUATION_RIG: Sequence[Mapping[str, Any]] = (
    {"name": "front", "kind": "pinhole", "height": 512, "width": 512, "hfov_deg": 90.0, "height_m": CAMERA_HEIGHT_M},
    {"name": "pano", "kind": "equirect", "height": 576, "width": 1024, "hfov_deg": 360.0, "height_m": CAMERA_HEIGHT_M},
    *(
        {
            "name": name,
            "kind": "pinhole",
            "height": 480,
            "width": 560,
            "hfov_deg": 105.0,
            "height_m": CAMERA_HEIGHT_M,
            "yaw_deg": yaw_deg,
            "pitch_deg": -10.0,
        }
        for name, yaw_deg in _FOUR_YAWS
    ),
)
"""Front view and panorama of image-goal navigation and recognition; the four views of embodied questions, tilted
10 degrees down."""


class HabitatEvalEnvironment(HabitatEnvironment):
    """habitat-sim with the published rig and walkable area unless the options say otherwise."""

    def __init__(
        self,
        rig: Sequence[Mapping[str, Any]] = EVALUATION_RIG,
        navmesh: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> None:
        """Take the options of `HabitatEnvironment`; without ``navmesh``, the published walkable area."""
        super().__init__(rig=rig, navmesh=navmesh or PUBLISHED_NAVMESH, **options)


FACE_PIXELS = COLLECTION_FACE_PIXELS

COLLECTED_RIG: Sequence[Mapping[str, Any]] = tuple(asdict(camera) for camera in COLLECTION_RIG.cameras)
"""As published: from 1.5 m; evaluation looks from 1.0 m."""

ANYWHERE = "anywhere"
"""Tag of an episode whose start is drawn here: a collector cannot name a position in a scene that is not open yet."""

_DRAWS = 1000


class HabitatCollectEnvironment(HabitatEnvironment):
    """habitat-sim with the panorama of published collection unless the options say otherwise."""

    def __init__(
        self,
        rig: Sequence[Mapping[str, Any]] = COLLECTED_RIG,
        navmesh: Optional[Mapping[str, Any]] = None,
        face_pixels: int = FACE_PIXELS,
        **options: Any,
    ) -> None:
        """Take the options of `HabitatEnvironment`; without ``navmesh``, the published walkable area."""
        super().__init__(rig=rig, navmesh=navmesh or PUBLISHED_NAVMESH, face_pixels=face_pixels, **options)

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Start an episode; one with the tag `ANYWHERE` starts at a random position that ``seed`` decides.

        Only the largest walkable part counts: beds and tables are walkable parts of their own.
        """
        if ANYWHERE in episode.tags:
            navigation = self._opened(episode.scene)
            pathfinder = self._engine.pathfinder
            largest = _largest_island(pathfinder, navigation)
            pathfinder.seed(seed % 2**31)
            for _ in range(_DRAWS):
                x, y, z = (float(value) for value in pathfinder.get_random_navigable_point())
                if pathfinder.get_island(np.array((x, y, z), np.float32)) == largest:
                    break
            else:
                raise NotNavigable(f"none of {_DRAWS} random positions of scene {episode.scene!r} is walkable.")
            start = Pose((x, y, z), (1.0, 0.0, 0.0, 0.0))
            episode = replace(episode, start=start)
        return super().reset(episode, seed, views)


def _largest_island(pathfinder: Any, navigation: WalkableArea) -> int:
    """Return the number of the largest part of the navmesh that counts as walkable."""
    islands = set(range(pathfinder.num_islands)) - navigation.left_out
    return max(sorted(islands), key=lambda island: float(pathfinder.island_area(island)))
