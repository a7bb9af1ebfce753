"""The cameras of the published data collection: other ones than those of its evaluation."""

from __future__ import annotations

from harness.contracts.cameras import EQUIRECT, Camera, Rig

COLLECTION_RIG = Rig((Camera("pano", EQUIRECT, 1000, 2000, 360.0, 1.5),))
"""One panorama from 1.5 m above the floor; the published evaluation looks from 1.0 m."""

COLLECTION_FACE_PIXELS = 768
"""The side of the cube faces that the panorama is joined from."""
