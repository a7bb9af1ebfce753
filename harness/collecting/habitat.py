"""Habitat behind the environment service, one service a process: several share a GPU, and none shares a crash.

The walkable map of a scene is asked from the simulator; who walks it is the same code as in embedded homes.
"""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Optional

from harness.collecting.fields import FAR, Ways
from harness.collecting.frames import Frame, OpenScene
from harness.collecting.layouts import file_digest
from harness.collecting.machine import Machine
from harness.contracts.actions import Primitive
from harness.contracts.cameras import Camera, Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.observations import Observation, TopDownMap, ViewRequest
from harness.runtimes.process import start_process
from harness.runtimes.specs import ENVIRONMENT, ServiceLimits, ServiceSpec
from harness.wire.client import Deadlines, EnvironmentClient

ENTRY_POINT = "images.habitat_collect.environment:HabitatCollectEnvironment"
ANYWHERE = "anywhere"
"""Tag of an episode whose start the environment draws, since nobody knows a scene before it is open."""

START_S = 180.0
_RECORD = "exported.json"
_ORIGIN = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))


class HabitatBackend:
    """One scene at a time of a service that this process started."""

    def __init__(self, camera: Camera, machine: Machine, log: Path) -> None:
        self._camera = camera
        self._scenes_dir = Path(machine.scenes_dir)
        self._views = [ViewRequest(camera.name)]
        self._opened: Optional[OpenScene] = None
        self._stack = ExitStack()
        options = {
            "rig": [asdict(camera)],
            "scenes_dir": machine.scenes_dir,
            "gpu_device_id": 0 if machine.gpu else -1,
            "navmesh": dict(machine.navmesh),
            "face_pixels": 0,
        }
        variables = {"CUDA_VISIBLE_DEVICES": machine.gpu} if machine.gpu else {}
        spec = ServiceSpec(ENVIRONMENT, "habitat", ENTRY_POINT, (), machine.python, options, {}, variables)
        service = self._stack.enter_context(start_process(spec, ServiceLimits(start_s=START_S), log))
        self._client = EnvironmentClient(service.socket, Deadlines())
        self._simulator = self._client.describe().simulator

    @property
    def camera(self) -> Camera:
        """The recorded camera."""
        return self._camera

    @property
    def simulator(self) -> str:
        """The simulator's version, as it says itself."""
        return self._simulator

    def open(self, scene: str, seed: int) -> OpenScene:
        """Open a scene on the storey of a random place."""
        digest = self._digest(scene)
        observation = self._client.reset(_episode(scene, _ORIGIN, (ANYWHERE,)), seed, [], []).observation
        reachable = _reachable(self._client.top_down_map(), observation.pose)
        self._opened = OpenScene(scene, digest, reachable, observation.pose.position[1])
        return self._opened

    def place(self, pose: Pose) -> Frame:
        """Put the body at ``pose``."""
        if self._opened is None:
            raise Refusal("no scene is open.", "Call open first.")
        reply = self._client.reset(_episode(self._opened.name, pose, ()), 0, self._views, [])
        return self._frame(reply.observation)

    def step(self, action: Primitive) -> Frame:
        """Execute one action."""
        return self._frame(self._client.step([action], self._views)[0])

    def close(self) -> None:
        """Stop the service."""
        self._stack.close()

    def _frame(self, observation: Observation) -> Frame:
        return Frame(observation.views[self._camera.name].rgb, observation.pose, observation.collided)

    def _digest(self, scene: str) -> str:
        """Return the digest of the home that a scene's file was exported from, else that of the file."""
        path = self._scenes_dir / f"{scene}.glb"
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


def _reachable(top_down: TopDownMap, body: Pose) -> TopDownMap:
    """Return the part of a map that can be walked to from ``body``."""
    row = math.floor((body.position[2] - top_down.origin[1]) / top_down.cell_m)
    column = math.floor((body.position[0] - top_down.origin[0]) / top_down.cell_m)
    field = Ways.of(top_down.walkable, round(1000 * top_down.cell_m)).field(row, column)
    return TopDownMap(field < FAR, top_down.origin, top_down.cell_m)


def _episode(scene: str, start: Pose, tags: tuple[str, ...]) -> Episode:
    return Episode("collect", "collect", "", "", scene, scene, start, start, 0.0, 0.0, 0, tags)
