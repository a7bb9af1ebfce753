"""Boxes of annotated objects, for tasks that ask what the agent is looking at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Tuple

from harness.contracts.cameras import Vec3


@dataclass(frozen=True)
class ObjectBox:
    """An annotated object: the number that the ids channel shows, its category, and its axis-aligned box in metres."""

    id: int
    category: str
    centre: Vec3
    size: Vec3


def object_boxes(objects: Iterable[Any]) -> Tuple[ObjectBox, ...]:
    """Return the boxes of the simulator's semantic objects, those without a category left out."""
    boxes = []
    for item in objects:
        if item.category is None:
            continue
        centre, size = item.aabb.center, item.aabb.sizes
        boxes.append(ObjectBox(int(item.semantic_id), item.category.name(), _vec3(centre), _vec3(size)))
    return tuple(boxes)


def _vec3(values: Any) -> Vec3:
    return (float(values[0]), float(values[1]), float(values[2]))
