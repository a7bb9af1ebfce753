"""The convention of panoramas as docs/plugins.md says it, executed from there, is that of the renderer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contracts.actions import STOP, TURN_LEFT, Primitive
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.observations import RGB, ViewRequest
from images.embedded.cameras import equirect_rays
from tests.images.embedded.tiny_environment import TinyEnvironment, tiny_episode

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
VIEWS = [ViewRequest("front"), ViewRequest("pano")]


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    section = PAGE.read_text(encoding="utf-8").split("## Panoramas")[1].split("\n## ")[0]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(code) == 1 and "heading is in the centre" in section
    names: dict[str, Any] = {"numpy": np}
    exec(code[0], names)
    return names


@pytest.fixture(scope="module")
def environment() -> TinyEnvironment:
    environment = TinyEnvironment()
    environment.reset(tiny_episode(), 0, [])
    return environment


def looked_at(environment: TinyEnvironment, name: str, turns: int = 0) -> RGB:
    actions = [Primitive(TURN_LEFT, 22.5)] * turns or [Primitive(STOP, 0.0)]
    rgb = environment.step(actions, VIEWS)[-1].views[name].rgb
    environment.step([Primitive(TURN_LEFT, 22.5)] * ((16 - turns) % 16) or [Primitive(STOP, 0.0)], VIEWS)
    return rgb


def test_every_pixel_looks_where_the_page_says(documented: dict[str, Any]) -> None:
    left, up = (np.radians(angles) for angles in documented["directions"](128, 256))
    rays = equirect_rays(Camera("pano", EQUIRECT, 128, 256, 360.0, 1.25), 0.0)
    assert np.allclose(rays.column_x, -np.sin(left)) and np.allclose(rays.column_z, -np.cos(left))
    assert np.allclose(rays.row_y, np.tan(up))


def test_the_front_view_is_the_middle_of_the_panorama(documented: dict[str, Any], environment: TinyEnvironment) -> None:
    """Along the horizon the columns within 45 degrees of the centre show what a camera straight ahead shows."""
    front, pano = looked_at(environment, "front"), looked_at(environment, "pano")
    left, _ = documented["directions"](*pano.shape[:2])

    def error(angles: np.ndarray) -> float:
        inside = np.abs(angles) < 40.0
        columns = ((0.5 - 0.5 * np.tan(np.radians(angles[inside]))) * front.shape[1]).astype(int)
        horizon = front[front.shape[0] // 2, columns].astype(int)
        return float(np.abs(pano[pano.shape[0] // 2, inside].astype(int) - horizon).mean())

    right = error(np.array(left))
    for wrong in (90.0, 180.0, -90.0):  # the heading at the edge, or at a quarter
        elsewhere = (np.array(left) - wrong + 180.0) % 360.0 - 180.0
        assert right < 0.5 * error(elsewhere)
    assert right < 0.5 * error(-np.array(left)), "the image is not mirrored"


@pytest.mark.parametrize("turns", [1, 3, 8])
def test_a_turn_to_the_left_is_the_roll_that_the_page_gives(
    documented: dict[str, Any], environment: TinyEnvironment, turns: int
) -> None:
    before, after = looked_at(environment, "pano"), looked_at(environment, "pano", turns)
    assert np.array_equal(after, documented["turned"](before, 22.5 * turns))
