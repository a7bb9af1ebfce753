"""Views: which images there are, and the images themselves, which all lie together in front of their message.

A reply's images are one bytes field, its first (`messages.parse_with_payload`), so the reader neither parses nor copies
them. What a view says of its images repeats from step to step: it is read and written once and kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

import numpy.typing as npt

from harness.contracts.cameras import Camera
from harness.contracts.errors import LimitExceeded, Refusal
from harness.contracts.field_limits import FIX_SENDER, Few, Text
from harness.contracts.observations import Depth, View
from harness.wire.codec import mapper
from harness.wire.codec.messages import present
from harness.wire.codec.splice import Splice
from harness.wire.codec.tensors import array_over, bytes_of, checked_array, read_tensor, write_tensor
from harness.wire.generated import wiw_pb2
from harness.wire.limits import MAX_VIEWS

Arrays = List[npt.NDArray[Any]]

_CHANNELS = (("rgb", "uint8"), ("depth", "float32"), ("ids", "int32"))
_KEPT = 256
_KEPT_BYTES = 1024
"""What passed all checks is kept, since the views of a run are few; nothing large or countless, because a stranger may
have sent it."""
_NAME, _VIEWS = Text(), Few(MAX_VIEWS)


class _Image(NamedTuple):
    """What is known of an image before its bytes are looked at."""

    channel: str
    dtype: str
    shape: Tuple[int, ...]
    size: int


class _Head(NamedTuple):
    """A view without its images."""

    name: str
    camera: Camera
    images: Tuple[_Image, ...]


_read_heads: Dict[bytes, _Head] = {}
_written_cameras: Dict[int, Tuple[Camera, bytes]] = {}


class Images:
    """The images of a reply, taken one after another."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, image: _Image, where: str) -> npt.NDArray[Any]:
        """Return the next image: a read-only array where it lies, or a copy if its numbers lie across the words."""
        end = self._at + image.size
        if end > len(self._data):
            left = len(self._data) - self._at
            shape = list(image.shape)
            what = f"{where} has {left} bytes left; {image.dtype} {shape} needs {image.size}."
            raise LimitExceeded(what, FIX_SENDER)
        array = array_over(self._data[self._at : end], image.dtype, image.shape, where)
        self._at = end
        return array

    def finish(self, where: str) -> None:
        """Raise LimitExceeded if bytes are left that belong to no view."""
        if self._at != len(self._data):
            raise LimitExceeded(f"{where} has {len(self._data) - self._at} bytes beyond its images.", FIX_SENDER)


def check_depth(depth: Depth, where: str) -> None:
    """Raise Refusal if a depth image has values below zero (0 means that nothing was hit)."""
    if depth.size and float(depth.min()) < 0.0:
        raise Refusal(f"{where} holds values below zero.", FIX_SENDER)


def write_depth(depth: Depth, camera: Camera, where: str) -> Splice:
    """Return a Tensor message of a depth image of ``camera``."""
    tensor = write_tensor(depth, "float32", (camera.height, camera.width), where)
    check_depth(depth, where)
    return tensor


def read_depth(message: Any, camera: Camera, where: str) -> Depth:
    """Return a depth image of ``camera`` in metres."""
    depth: Depth = read_tensor(message, "float32", (camera.height, camera.width), where)
    check_depth(depth, where)
    return depth


def encoded_camera(camera: Camera, where: str) -> bytes:
    """Return a camera as an encoded Camera message; the same object is checked and encoded once."""
    kept = _written_cameras.get(id(camera))
    if kept is not None and kept[0] is camera:  # kept alive here, so nothing else has its id
        return kept[1]
    message = wiw_pb2.Camera()
    mapper.write(Camera, camera, message, where)
    encoded: bytes = message.SerializeToString()
    if type(camera) is Camera:  # frozen, unlike what a derived class may be
        _keep(_written_cameras, id(camera), (camera, encoded))
    return encoded


def _keep(kept: Dict[Any, Any], key: Any, value: Any) -> None:
    """Add to a cache of few entries; a full one begins anew."""
    if len(kept) >= _KEPT:
        kept.clear()
    kept[key] = value


@lru_cache(maxsize=_KEPT)
def _encoded_view(name: str, camera: bytes, depth: bool, ids: bool) -> bytes:
    """Return a NamedView message; cached, because the views of a run are few."""
    view = wiw_pb2.View(camera=wiw_pb2.Camera.FromString(camera), depth=depth, ids=ids)
    encoded: bytes = wiw_pb2.NamedView(name=name, view=view).SerializeToString()
    return encoded


def write_view(name: str, view: View, images: Arrays, where: str) -> bytes:
    """Return an encoded NamedView message and append the images of the view."""
    camera = view.camera
    height, width = camera.height, camera.width
    encoded = encoded_camera(camera, where)
    images.append(checked_array(view.rgb, "uint8", (height, width, 3), f"{where}.rgb"))
    if view.depth is not None:
        images.append(checked_array(view.depth, "float32", (height, width), f"{where}.depth"))
        check_depth(view.depth, f"{where}.depth")
    if view.ids is not None:
        images.append(checked_array(view.ids, "int32", (height, width), f"{where}.ids"))
    return _encoded_view(_NAME.check(name, where), encoded, view.depth is not None, view.ids is not None)


def _checked_head(message: Any, where: str) -> _Head:
    name = _NAME.check(message.name, where)
    view = present(message, "view", where)
    camera = mapper.read(Camera, present(view, "camera", where), f"{where}.camera")
    images = []
    for channel, dtype in _CHANNELS:
        if channel == "rgb" or getattr(view, channel):
            shape = (camera.height, camera.width, 3) if channel == "rgb" else (camera.height, camera.width)
            images.append(_Image(channel, dtype, shape, bytes_of(dtype, shape, f"{where}.{channel}")))
    return _Head(name, camera, tuple(images))


def _read_head(message: Any, where: str) -> _Head:
    """Return name, camera and images of a NamedView; equal messages are checked once."""
    encoded: bytes = message.SerializeToString()
    kept = _read_heads.get(encoded)
    if kept is None:
        kept = _checked_head(message, where)
        if len(encoded) <= _KEPT_BYTES:
            _keep(_read_heads, encoded, kept)
    return kept


def read_view(message: Any, images: Images, where: str) -> Tuple[str, View]:
    """Return name and images of one camera; every image has the camera's size."""
    head = _read_head(message, where)
    at = f"{where}.{head.name}"
    arrays = {image.channel: images.take(image, f"{at}.{image.channel}") for image in head.images}
    depth = arrays.get("depth")
    if depth is not None:
        check_depth(depth, f"{at}.depth")
    return head.name, View(head.camera, arrays["rgb"], depth, arrays.get("ids"))


def add_views(views: Mapping[str, View], message: Splice, field: int, images: Arrays, where: str) -> None:
    """Append views by camera name to a repeated field of ``message``, and their images to ``images``."""
    _VIEWS.check(views, where)
    for name, view in views.items():
        message.add_encoded(field, write_view(name, view, images, f"{where}.{name}"))


def read_views(messages: Any, images: Images, where: str) -> Dict[str, View]:
    """Return views by camera name; a name given twice is refused."""
    _VIEWS.check(messages, where)
    views: Dict[str, View] = {}
    for message in messages:
        name, view = read_view(message, images, where)
        if name in views:
            raise Refusal(f"{where} has {name!r} twice.", FIX_SENDER)
        views[name] = view
    return views
