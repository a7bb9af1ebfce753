"""The arm: a Franka Panda, whose description and meshes the package ``gymnasium-robotics`` ships (Apache-2.0).

The project commits no meshes of others. The package itself is never imported: only its files are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Tuple

from harness.contracts.errors import Refusal
from images.tabletop.meshes import Mesh, Vec3, read_stl, thinned

GET_PACKAGES = "Install the extra tabletop: pip install -c constraints.txt '.[tabletop]'."

JOINTS = tuple(f"robot:panda0_joint{k}" for k in range(1, 8))
FINGERS = ("robot:panda0_finger_joint1", "robot:panda0_finger_joint2")
BASE, HAND = "panda0_link0", "panda0_link7"
TIP = "end_effector"
TIP_M = 0.245
"""Where the grasp is, along the last link's z: the fingers are longer than the site of the package says."""

FINGER_OPEN_M = 0.04
HOME = (0.0, -0.55, 0.0, -2.3, 0.0, 0.18, 0.0)
"""Joint angles at the beginning of an episode, in radians."""

_FOLDER = Path("envs/assets/kitchen_franka/franka_assets")
_HAND_M = 0.107
_FINGER_SCALE: Vec3 = (1.75, 1.0, 1.75)
_CELL_M = 0.015
_HAND_CELL_M = 0.008


@dataclass(frozen=True, eq=False)
class ArmPart:
    """What is drawn at a body of the arm: its mesh, tint (linear RGB) and how much it shines."""

    body: str
    mesh: Mesh
    tint: Vec3
    gloss: float


def folder() -> Path:
    """Return the folder of the arm's files; Refusal where the package is missing."""
    spec = find_spec("gymnasium_robotics")
    if spec is None or spec.origin is None:
        raise Refusal("the Panda's files are missing: there is no package gymnasium-robotics.", GET_PACKAGES)
    place = Path(spec.origin).parent / _FOLDER
    if not (place / "chain.xml").is_file():
        raise Refusal(f"the Panda's files are not in {place}.", GET_PACKAGES)
    return place


@lru_cache(maxsize=1)
def description() -> str:
    """Return the arm as one MuJoCo model in XML, without what is only drawn (that is not MuJoCo's here)."""
    place = folder()
    assets, chain, actuator = (_inner((place / f"{name}.xml").read_text()) for name in ("assets", "chain", "actuator"))
    assets = re.sub(r"<mesh name=\"\w+_viz\"[^>]*/>", "", assets)
    chain = re.sub(r"<geom [^>]*class=\"panda_viz\"[^>]*/>", "", chain)
    return (
        f'<mujoco><compiler angle="radian" meshdir="{place / "meshes"}"/>{assets}'
        f"<worldbody>{chain}</worldbody>{actuator}</mujoco>"
    )


def _inner(text: str) -> str:
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    found = re.search(r"<mujocoinclude>(.*)</mujocoinclude>", text, flags=re.DOTALL)
    if found is None:
        raise Refusal("the Panda's description has another form than the pinned package's.", GET_PACKAGES)
    return re.sub(r"<compiler[^>]*/>", "", found.group(1))


@lru_cache(maxsize=1)
def parts() -> Tuple[ArmPart, ...]:
    """Return what is drawn of the arm."""
    place = folder() / "meshes" / "visual"
    white, grey, black = (0.86, 0.86, 0.85), (0.30, 0.31, 0.33), (0.035, 0.036, 0.04)
    links = [
        ArmPart(f"panda0_link{k}", thinned(read_stl(place / f"link{k}.stl"), _CELL_M), white, 0.35) for k in range(7)
    ]
    flange = ArmPart(HAND, thinned(read_stl(place / "link7.stl"), _HAND_CELL_M), grey, 0.5)
    hand_mesh = thinned(read_stl(place / "hand.stl"), _HAND_CELL_M).moved((0.0, 0.0, _HAND_M), -45.0)
    hand = ArmPart(HAND, hand_mesh, white, 0.35)
    finger = thinned(read_stl(place / "finger.stl", _FINGER_SCALE), _HAND_CELL_M / 2.0)
    left = ArmPart("panda0_leftfinger", finger, black, 0.5)
    right = ArmPart("panda0_rightfinger", finger.moved((0.0, 0.0, 0.0), 180.0), black, 0.5)
    return (*links, flange, hand, left, right)
