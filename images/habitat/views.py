"""The images of a rig's cameras in the open scene.

A panorama is drawn with the body at its base yaw and rolled, so that a turn by whole columns is an exact roll and all
turns at one place cost one drawing. The latest views are kept: rollouts share poses, and an agent walks where it has
imagined.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from images.habitat.engine import Engine
from images.habitat.equirect import CubeStitcher
from images.habitat.motion import Body, Steps
from images.habitat.rigs import DEPTH, IDS, RGB, inner_face_pixels, sensor_names

_BYTES_KEPT = 32 << 20

_Key = Tuple[str, Body, bool, bool]


class SceneViews:
    """What the cameras see in one scene, on a body anywhere in it."""

    def __init__(self, engine: Engine, steps: Steps, face_pixels: int, with_ids: bool) -> None:
        self._engine = engine
        self._steps = steps
        self._face_pixels = face_pixels
        self._with_ids = with_ids
        self._stitchers: Dict[Tuple[int, int, int], CubeStitcher] = {}
        self._kept: OrderedDict[_Key, View] = OrderedDict()
        self._bytes = 0

    def forget(self) -> None:
        """Drop the views that are kept; call when another scene is opened."""
        self._kept.clear()
        self._bytes = 0

    def view(self, camera: Camera, body: Body, depth: bool = False, ids: bool = False) -> View:
        """Return what ``camera`` sees on ``body``."""
        if ids and not self._with_ids:
            raise Refusal("the environment was started without semantics.", "Start it with semantics=True.")
        if camera.kind != EQUIRECT:
            return self._remembered(camera, body, depth, ids)
        columns = camera.width * (self._steps.turn_deg * body.heading + camera.yaw_deg) / 360.0
        if columns != int(columns):
            raise Refusal(
                f"a turn by {self._steps.turn_deg} degrees is no whole number of columns of camera {camera.name!r}.",
                "Choose a panorama width of which the turn is a whole number of columns.",
            )
        level = Body(body.position, 0, body.base_deg)
        return self._remembered(camera, level, depth, ids).rolled(int(columns))

    def _remembered(self, camera: Camera, body: Body, depth: bool, ids: bool) -> View:
        key = (camera.name, body, depth, ids)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        self._engine.place(body)
        view = self._drawn(camera, depth, ids)
        self._kept[key] = view
        self._bytes += _size(view)
        while self._bytes > _BYTES_KEPT and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        return view

    def _drawn(self, camera: Camera, depth: bool, ids: bool) -> View:
        join = self._joiner(camera)
        rgb = join[RGB](self._read(camera, RGB))
        depth_image = join[DEPTH](self._read(camera, DEPTH)) if depth else None
        id_image = join[IDS](self._read(camera, IDS)) if ids else None
        return View(camera, rgb, depth_image, id_image)

    def _read(self, camera: Camera, channel: str) -> List[npt.NDArray[Any]]:
        return [self._engine.read(name) for name in sensor_names(camera, channel)]

    def _joiner(self, camera: Camera) -> Dict[str, Callable[[List[npt.NDArray[Any]]], npt.NDArray[Any]]]:
        """Return by channel how a camera's sensors become its image, in the contract's dtype."""
        if camera.kind != EQUIRECT:
            return {
                RGB: lambda images: np.ascontiguousarray(images[0][:, :, :3]),
                DEPTH: lambda images: np.ascontiguousarray(images[0], np.float32),
                IDS: lambda images: np.ascontiguousarray(images[0].astype(np.int32)),
            }
        size = (camera.height, camera.width, inner_face_pixels(camera, self._face_pixels))
        if size not in self._stitchers:
            self._stitchers[size] = CubeStitcher(*size)
        stitcher = self._stitchers[size]
        return {
            RGB: stitcher.rgb,
            DEPTH: stitcher.depth,
            IDS: lambda images: stitcher.ids([image.astype(np.int32) for image in images]),
        }


def _size(view: View) -> int:
    return sum(image.nbytes for image in (view.rgb, view.depth, view.ids) if image is not None)
