"""Boxes of annotated objects, for tasks that ask what the agent is looking at."""

from __future__ import annotations

from typing import Any, Iterable, Tuple

from harness.contracts.cameras import Vec3
from harness.contracts.observations import ObjectBox


def object_boxes(objects: Iterable[Any]) -> Tuple[ObjectBox, ...]:
    """Return the boxes of the simulator's semantic objects, those without a category or an extent left out."""
    boxes = []
    for item in objects:
        box = item.obb
        if item.category is None or not float(box.volume) > 0.0:
            continue
        x, y, z, w = (float(value) for value in box.rotation)
        centre, size = _vec3(box.center), _vec3(box.sizes)
        boxes.append(ObjectBox(int(item.semantic_id), item.category.name(), centre, size, (w, x, y, z)))
    return tuple(boxes)


def _vec3(values: Any) -> Vec3:
    return (float(values[0]), float(values[1]), float(values[2]))
