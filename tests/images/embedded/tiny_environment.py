"""The embedded environment with the tiny home as its only scene."""

from __future__ import annotations

from harness.contracts.cameras import Pose, Vec3, yaw_to_quaternion
from harness.contracts.episodes import Episode
from images.embedded.environment import EmbeddedEnvironment
from images.embedded.mesh import Home
from tests.image_goals import image_goal_episode
from tests.images.embedded.tiny_home import tiny_home


class TinyEnvironment(EmbeddedEnvironment):
    """An environment that finds the tiny home under every name."""

    def __init__(self) -> None:
        super().__init__("no cache of homes is needed")

    def load_home(self, name: str) -> Home:
        return tiny_home()


def tiny_episode(
    start: Vec3 = (1.0, 0.0, 3.0), start_yaw_deg: float = -67.5, goal: Vec3 = (6.0, 0.0, 2.8), scene: str = "tiny"
) -> Episode:
    """Return an episode in the tiny home; its reference values are not filled in."""
    return image_goal_episode(
        id="tiny-00",
        task="ignav",
        tier="easy",
        split="validation",
        scene=scene,
        home=scene,
        start=Pose(start, yaw_to_quaternion(start_yaw_deg)),
        goal=Pose(goal, yaw_to_quaternion(90.0)),
        radius_m=0.5,
        geodesic_m=1.0,
        reference_actions=1,
    )
