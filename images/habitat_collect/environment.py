"""The environment of published data collection: habitat-sim 0.3.2, panoramas from larger cube faces.

Everything is in `images.habitat`; this module only says what the published collection starts from.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from images.habitat.environment import HabitatEnvironment

CAMERA_HEIGHT_M = 1.5
"""As published; evaluation looks from 1.0 m."""

FACE_PIXELS = 768

RIG: Sequence[Mapping[str, Any]] = (
    {
        "name": "pano",
        "kind": "equirect",
        "height": 1000,
        "width": 2000,
        "hfov_deg": 360.0,
        "height_m": CAMERA_HEIGHT_M,
    },
)

NAVMESH: Mapping[str, Any] = {"source": "file", "agent_height": 1.0, "agent_radius": 0.1}
"""The walkable area that comes with the licensed scenes."""


class HabitatCollectEnvironment(HabitatEnvironment):
    """habitat-sim with the panorama of published collection unless the options say otherwise."""

    def __init__(
        self,
        rig: Sequence[Mapping[str, Any]] = RIG,
        navmesh: Optional[Mapping[str, Any]] = None,
        face_pixels: int = FACE_PIXELS,
        **options: Any,
    ) -> None:
        """Take the options of `HabitatEnvironment`."""
        super().__init__(rig=rig, navmesh=NAVMESH if navmesh is None else navmesh, face_pixels=face_pixels, **options)
