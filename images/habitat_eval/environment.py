"""The environment of published evaluation: habitat-sim 0.2.5, with the published rig as default.

Everything is in `images.habitat`; this module only says what the published evaluation starts from. A suite gives its
own rig and navmesh settings, which then are part of its hash.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from images.habitat.environment import HabitatEnvironment
from images.habitat.options import PUBLISHED_NAVMESH

CAMERA_HEIGHT_M = 1.0

_FOUR_YAWS = (("aeqa_front", 0.0), ("aeqa_left", 90.0), ("aeqa_right", -90.0), ("aeqa_back", 180.0))

RIG: Sequence[Mapping[str, Any]] = (
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
        rig: Sequence[Mapping[str, Any]] = RIG,
        navmesh: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> None:
        """Take the options of `HabitatEnvironment`; without ``navmesh``, the published walkable area."""
        super().__init__(rig=rig, navmesh=navmesh or PUBLISHED_NAVMESH, **options)
