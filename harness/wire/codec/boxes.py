"""Boxes of the objects of a scene."""

from __future__ import annotations

from typing import Any, Sequence, Tuple

from harness.contracts.cameras import Pose
from harness.contracts.observations import ObjectBox
from harness.wire import limits
from harness.wire.codec.basic_messages import read_pose, read_vec3, write_pose, write_vec3
from harness.wire.codec.messages import present
from harness.wire.limits import at_least_zero, few, text, whole


def write_object_boxes(boxes: Sequence[ObjectBox], message: Any, where: str = "boxes") -> None:
    """Fill an ObjectBoxes message."""
    few(boxes, where, limits.MAX_BOXES)
    message.SetInParent()
    for index, box in enumerate(boxes):
        _write_box(box, message.boxes.add(), f"{where}[{index}]")


def read_object_boxes(message: Any, where: str = "boxes") -> Tuple[ObjectBox, ...]:
    """Return the boxes in their order."""
    few(message.boxes, where, limits.MAX_BOXES)
    return tuple(_read_box(box, f"{where}[{index}]") for index, box in enumerate(message.boxes))


def _write_box(box: ObjectBox, message: Any, where: str) -> None:
    message.id = whole(box.id, f"{where}.id", 0, limits.MAX_ID)
    message.category = text(box.category, f"{where}.category")
    write_pose(Pose(box.centre, box.rotation), message.pose, f"{where}.pose")
    for edge in box.size:
        at_least_zero(edge, f"{where}.size")
    write_vec3(box.size, message.size, f"{where}.size")


def _read_box(message: Any, where: str) -> ObjectBox:
    pose = read_pose(present(message, "pose", where), f"{where}.pose")
    size = read_vec3(present(message, "size", where), f"{where}.size")
    for edge in size:
        at_least_zero(edge, f"{where}.size")
    number = whole(message.id, f"{where}.id", 0, limits.MAX_ID)
    return ObjectBox(number, text(message.category, f"{where}.category"), pose.position, size, pose.rotation)
