"""Which of the simulator's sensors make up the cameras of a rig.

A pinhole camera is one sensor a channel; an equirectangular camera is six, the faces of a cube (`equirect`). Nothing
here needs the simulator, so that the plan can be tested without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Sequence, Tuple

from harness.contracts.cameras import EQUIRECT, Camera, Rig
from harness.contracts.portable import PI
from images.habitat.equirect import FACES, face_hfov_deg, face_size

RGB = "rgb"
DEPTH = "depth"
IDS = "ids"
CHANNELS = (RGB, DEPTH, IDS)


@dataclass(frozen=True)
class Sensor:
    """One sensor of the simulator: ``orientation`` is (pitch, yaw, roll) in radians, turned in that order."""

    uuid: str
    channel: str
    resolution: Tuple[int, int]
    hfov_deg: float
    height_m: float
    orientation: Tuple[float, float, float]


def sensors(rig: Rig, channels: Sequence[str], face_pixels: int) -> List[Sensor]:
    """Return all sensors of a rig. ``face_pixels`` 0 means half the width of each panorama."""
    return [
        sensor for camera in rig.cameras for channel in channels for sensor in _of_camera(camera, channel, face_pixels)
    ]


def sensor_names(camera: Camera, channel: str) -> List[str]:
    """Return the names of a camera's sensors: one for a pinhole, those of the `FACES` for a panorama."""
    name = f"{camera.name}.{channel}"
    return [f"{name}.{face.name}" for face in FACES] if camera.kind == EQUIRECT else [name]


def inner_face_pixels(camera: Camera, face_pixels: int) -> int:
    """Return how many pixels of a panorama's face cover 90 degrees."""
    return face_pixels or camera.width // 2


def _of_camera(camera: Camera, channel: str, face_pixels: int) -> Iterator[Sensor]:
    names = sensor_names(camera, channel)
    if camera.kind != EQUIRECT:
        turned = _orientation(camera.pitch_deg, camera.yaw_deg)
        size = (camera.height, camera.width)
        yield Sensor(names[0], channel, size, camera.hfov_deg, camera.height_m, turned)
        return
    pixels = inner_face_pixels(camera, face_pixels)
    side, hfov_deg = face_size(pixels), face_hfov_deg(pixels)
    for name, face in zip(names, FACES):
        turned = _orientation(face.pitch_deg, face.yaw_deg)
        yield Sensor(name, channel, (side, side), hfov_deg, camera.height_m, turned)


def _orientation(pitch_deg: float, yaw_deg: float) -> Tuple[float, float, float]:
    return (pitch_deg * PI / 180.0, yaw_deg * PI / 180.0, 0.0)
