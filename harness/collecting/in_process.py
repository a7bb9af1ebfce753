"""Homes that this process draws and walks itself: no service, because frames would be copied twice for nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Optional

from harness.collecting.simulators import Frame, OpenScene
from harness.contracts.actions import Primitive
from harness.contracts.cameras import Camera, Pose
from harness.contracts.errors import Refusal
from images.embedded.cache import HomeCache
from images.embedded.environment import Scene, SceneViews, make_scene
from images.embedded.habitat_scenes import export_homes
from images.embedded.homebytes import home_digest
from images.embedded.motion import Body, body_at


class InProcessWalks:
    """One home at a time; baked homes are kept in a folder that all processes share."""

    def __init__(self, simulator: str, cache_dir: str, camera: Camera, depth: bool = False) -> None:
        self.simulator = simulator
        self._depth = depth
        self._homes = HomeCache(cache_dir)
        self.camera = camera
        self._scene: Optional[Scene] = None
        self._opened: Optional[OpenScene] = None
        self._views: Optional[SceneViews] = None
        self._body = Body(0.0, 0.0, 0)

    def open(self, scene: str, seed: int) -> OpenScene:
        """Open a home, building it unless it is in the folder; it has one storey, so ``seed`` changes nothing."""
        if self._opened is None or self._opened.name != scene:
            self.close()  # before the next is built: two homes and a bake would double the memory
            home = self._homes.load(scene)
            self._scene = make_scene(scene, home)
            self._views = SceneViews(self._scene)
            self._opened = OpenScene(scene, home_digest(home), self._scene.navigator.top_down_map())
        return self._opened

    def place(self, pose: Pose) -> Frame:
        """Put the body at ``pose``."""
        scene = self._walked()
        scene.navigator.check(pose.position, "start", f"scene {scene.name!r}")
        self._body = body_at(pose)
        return self._frame(False)

    def step(self, action: Primitive) -> Frame:
        """Execute one action."""
        self._body, collided = self._walked().navigator.move(self._body, action)
        return self._frame(collided)

    def close(self) -> None:
        """Forget the home."""
        self._scene = self._opened = self._views = None

    def _frame(self, collided: bool) -> Frame:
        assert self._views is not None
        view = self._views.view(self.camera, self._body, self._depth)
        return Frame(view.rgb, self._body.pose(), collided, view.depth)

    def _walked(self) -> Scene:
        if self._scene is None:
            raise Refusal("no scene is open.", "Call open first.")
        return self._scene


def export_scenes(names: Sequence[str], cache_dir: str, folder: Path, report: Callable[[str], None]) -> None:
    """Write homes as scenes for Habitat into ``folder``, those that it lacks; ``report`` gets a line before each."""
    homes = HomeCache(cache_dir)
    digests = {name: home_digest(homes.load(name)) for name in names}
    export_homes(digests, folder, homes.load, report)
