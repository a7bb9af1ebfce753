"""A simulator that is walked through the environment service, one a process: several share a GPU, none shares a crash.

The walkable map of a scene is requested from the simulator; who walks it is the same code as in homes that the
collecting process draws itself.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Optional

from harness.collecting.distance_fields import FAR, Ways
from harness.collecting.layouts import file_digest
from harness.collecting.plan import PLAIN, Recorded
from harness.collecting.services import Machine, SimulatorService, service_spec
from harness.collecting.simulators import Frame, OpenScene
from harness.contracts.actions import Primitive
from harness.contracts.cameras import Camera, Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.observations import Observation, TopDownMap, ViewRequest
from harness.contracts.scene_names import scene_file
from harness.contracts.walkable import read_walkable
from harness.running.services import SCENES_IN_CONTAINER
from harness.runtimes.environments import DeclaredEnvironment, EnvironmentFacts, collection_of
from harness.wire.client import Deadlines

ANYWHERE = "anywhere"
"""Tag of an episode whose start the environment draws, since nobody knows a scene before it is open."""

_RECORD = "exported.json"
_ORIGIN = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))


class WalkService:
    """One scene at a time of a service that this process started."""

    def __init__(
        self, environment: DeclaredEnvironment, camera: Camera, machine: Machine, log: Path, how: Recorded = PLAIN
    ) -> None:
        self.camera = camera
        self._scenes_dir = Path(machine.scenes_dir)
        self._views = [ViewRequest(camera.name, depth=how.depth)]
        self._opened: Optional[OpenScene] = None
        profile = collection_of(environment)
        options = profile.values(facts_of(camera, machine, how))
        spec = service_spec(environment, profile.entry_point, machine, options)
        self._service = SimulatorService(spec, Deadlines(), log)
        with self._service.asked() as client:
            self.simulator = client.describe().simulator

    def open(self, scene: str, seed: int) -> OpenScene:
        """Open a scene on the storey of a random place."""
        digest = self._digest(scene)
        with self._service.asked() as client:
            observation = client.reset(_episode(scene, _ORIGIN, (ANYWHERE,)), seed, [])
            reachable = _reachable(client.top_down_map(), observation.pose)
        walkable = read_walkable(observation.info)
        self._opened = OpenScene(scene, digest, reachable, observation.pose.position[1], walkable)
        return self._opened

    def place(self, pose: Pose) -> Frame:
        """Put the body at ``pose``."""
        if self._opened is None:
            raise Refusal("no scene is open.", "Call open first.")
        with self._service.asked() as client:
            return self._frame(client.reset(_episode(self._opened.name, pose, ()), 0, self._views))

    def step(self, action: Primitive) -> Frame:
        """Execute one action."""
        with self._service.asked() as client:
            return self._frame(client.step([action], self._views)[0])

    def close(self) -> None:
        """Stop the service."""
        self._service.stop()

    def _frame(self, observation: Observation) -> Frame:
        view = observation.views[self.camera.name]
        return Frame(view.rgb, observation.pose, observation.collided, view.depth)

    def _digest(self, scene: str) -> str:
        """Return the digest of the home that a scene's file was exported from, else that of the file."""
        path = scene_file(self._scenes_dir, scene)
        if not path.is_file():
            raise Refusal(f"there is no scene {path}.", "Export it or give another --scenes-dir (docs/collecting.md).")
        digest = file_digest(path)
        try:
            exported = json.loads((self._scenes_dir / _RECORD).read_text(encoding="utf-8")).get(scene)
        except FileNotFoundError:
            return digest
        if exported is not None and exported["glb"] != digest:
            raise Refusal(f"{path} is not the file that was exported.", "Export the home again.")
        return digest if exported is None else str(exported["home"])


def facts_of(camera: Camera, machine: Machine, how: Recorded) -> EnvironmentFacts:
    """Return what the environment is told; the walkable area is described by the suite, or by the environment itself.

    An empty description is never passed on: it would be another one than that of evaluation.
    """
    return EnvironmentFacts(
        scenes_folder=SCENES_IN_CONTAINER if machine.image_id else machine.scenes_dir,
        walkable_area=dict(machine.navmesh) or None,
        cameras=(camera,),
        gpu_index=0 if machine.gpu else -1,
        face_pixels=how.face_pixels,
        without_roofs=not how.keep_roofs,
    )


def _reachable(top_down: TopDownMap, body: Pose) -> TopDownMap:
    """Return the part of a map that can be walked to from ``body``."""
    row = math.floor((body.position[2] - top_down.origin[1]) / top_down.cell_m)
    column = math.floor((body.position[0] - top_down.origin[0]) / top_down.cell_m)
    field = Ways.of(top_down.walkable, round(1000 * top_down.cell_m)).field(row, column)
    return TopDownMap(field < FAR, top_down.origin, top_down.cell_m)


def _episode(scene: str, start: Pose, tags: tuple[str, ...]) -> Episode:
    return Episode("collect", "collect", "", "", scene, scene, start, 0, tags=tags)
