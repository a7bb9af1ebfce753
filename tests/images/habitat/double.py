"""A thin double of habitat-sim: the part that `images/habitat/engine.py` asks, over scenes of rectangular floors.

A scene's GLB is JSON here: its floors, whether it is annotated, or that it is broken. What the real simulator does in
those cases, as its sources have it, this one does too: a scene without annotations has no semantic scene, a simulator
that failed to load a scene keeps half of it and believes that the one before is still open, and a machine without EGL
ends the process. The simulator itself was at hand where ``WIW_HABITAT_PYTHON`` names an interpreter, and only there.
"""

from __future__ import annotations

import json
import math
import os
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from images.habitat.scenes import DATASET_CONFIGS, write_stage_config
from tests.images.habitat.rectangles import Island, RectanglePathfinder

__version__ = "0.3.2 (double)"
BLOCK = 64
NO_EGL = "WIW_DOUBLE_HAS_NO_EGL"
ROOT = Path(__file__).resolve().parents[3]


def write_floors(folder: Path, name: str, floors: Sequence[Island], mesh: Optional[Sequence[Island]] = None) -> Path:
    """Write the scene called ``name`` with its configuration; ``mesh`` are the floors of the navmesh file beside it."""
    path = folder / f"{name}.glb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"floors": [vars(floor) for floor in floors]}))
    if mesh is not None:
        path.with_suffix(".navmesh").write_text(json.dumps([vars(floor) for floor in mesh]))
    config = DATASET_CONFIGS.get(name.partition("/")[0])
    if config is None:
        write_stage_config(path)
    else:
        (folder / config).write_text("{}")
    return path


def double_python(folder: Path, **variables: str) -> Path:
    """Write a package `habitat_sim` below ``folder``; return a program that is this Python with it."""
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    (packages / "habitat_sim.py").write_text(f"from {__name__} import *\nfrom {__name__} import __version__\n")
    program = folder / "python"
    exports = " ".join(f'{name}="{value}"' for name, value in {"PYTHONPATH": f"{packages}:{ROOT}", **variables}.items())
    program.write_text(f'#!/bin/sh\nexport {exports}\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    return program


class PathFinder(RectanglePathfinder):
    """Floors that one walks on, with the functions that move, draw and measure."""

    def __init__(self) -> None:
        super().__init__([])
        self.is_loaded = False
        self._draws = np.random.default_rng(0)

    def take(self, floors: Sequence[Mapping[str, float]]) -> bool:
        super().__init__([Island(**floor) for floor in floors])
        self.is_loaded = True
        return True

    def load_nav_mesh(self, path: str) -> bool:
        return self.take(json.loads(Path(path).read_text()))

    def seed(self, seed: int) -> None:
        self._draws = np.random.default_rng(seed)

    def get_random_navigable_point(self) -> Any:
        island = self._islands[int(self._draws.integers(len(self._islands)))]
        x, z = self._draws.uniform(0.0, 1.0, 2) * (island.size_x, island.size_z)
        return np.array((x, island.y, z), np.float32)

    def find_path(self, path: Any) -> bool:
        if self.get_island(path.requested_start) != self.get_island(path.requested_end):
            return False
        path.points = [path.requested_start, path.requested_end]
        path.geodesic_distance = float(np.linalg.norm(path.requested_end - path.requested_start))
        return True


class Agent:
    """A body: where it stands, how it looks, and the simulator's own motion."""

    def __init__(self, simulator: Simulator, actions: Mapping[str, Any]) -> None:
        self._simulator, self._actions = simulator, actions
        self.position, self.yaw = np.zeros(3, np.float32), 0.0

    @property
    def scene_node(self) -> Any:
        x, y, z = (float(value) for value in self.position)
        half = self.yaw / 2.0
        turn = SimpleNamespace(scalar=math.cos(half), vector=SimpleNamespace(x=0.0, y=math.sin(half), z=0.0))
        return SimpleNamespace(absolute_translation=SimpleNamespace(x=x, y=y, z=z), rotation=turn)

    def set_state(self, state: Any, reset_sensors: bool) -> None:
        self.position = np.asarray(state.position, np.float32)
        w, _, y, _ = state.rotation
        self.yaw = 2.0 * math.atan2(y, w)

    def act(self, name: str) -> bool:
        spec = self._actions[name]
        if spec.name != "move_forward":
            self.yaw += math.radians(spec.actuation.amount) * (1.0 if spec.name == "turn_left" else -1.0)
            return False
        ahead = np.array((-math.sin(self.yaw), 0.0, -math.cos(self.yaw)))
        there = (self.position + ahead * spec.actuation.amount).astype(np.float32)
        if not self._simulator.pathfinder.is_navigable(there, 0.5):
            return True
        self.position = there
        return False


class Sensor:
    """One image of coloured squares that scene, place and direction decide; depth between 1 and 5 m."""

    def __init__(self, simulator: Simulator, spec: Any) -> None:
        self._simulator, self._spec = simulator, spec

    def draw_observation(self) -> None:
        return None

    def get_observation(self) -> Any:
        agent, spec = self._simulator.get_agent(0), self._spec
        turned = round(math.degrees(agent.yaw + spec.orientation[1]) % 360.0 * 8)
        seen = (self._simulator.scene, [round(float(v), 4) for v in agent.position], turned, spec.orientation[0])
        draws = np.random.default_rng(zlib.crc32(repr(seen).encode()))
        height, width = spec.resolution
        blocks = (-(-height // BLOCK), -(-width // BLOCK))
        if spec.sensor_type == SensorType.DEPTH:
            return _spread((1.0 + 4.0 * draws.random(blocks)).astype(np.float32), height, width)
        if spec.sensor_type == SensorType.SEMANTIC:
            return np.zeros((height, width), np.uint32)
        return _spread(draws.integers(0, 256, (*blocks, 4), np.uint8), height, width)


def _spread(blocks: Any, height: int, width: int) -> Any:
    """Return an image of squares, which video can store."""
    return blocks.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:height, :width]


class Simulator:
    """Opens one scene after the other."""

    open_count = 0

    def __init__(self, configuration: Any) -> None:
        if os.environ.get(NO_EGL):
            print("Platform::WindowlessEglApplication::tryCreateContext(): no EGL devices found", flush=True)
            os.abort()
        type(self).open_count += 1
        if type(self).open_count > 1:
            raise RuntimeError("two simulators are open")
        self.config: Any = None
        self.pathfinder = PathFinder()
        self.scene = ""
        self.semantic_scene: Optional[Any] = None
        self._broken = False
        self._take(configuration)
        self.config = configuration

    def reconfigure(self, configuration: Any) -> None:
        if self.config.backend.scene_id == configuration.backend.scene_id:
            return
        if self._broken:
            raise RuntimeError("the scene graph of a scene that failed to load is still there")
        self._take(configuration)
        self.config = configuration

    def _take(self, configuration: Any) -> None:
        self.scene = configuration.backend.scene_id
        text = Path(self.scene).read_text(errors="replace")
        try:
            content = json.loads(text)
        except ValueError:
            self._broken = True
            type(self).open_count -= self.config is None
            raise RuntimeError(f"Importer: cannot open {self.scene}") from None
        self.content: Dict[str, Any] = content
        annotated = content.get("objects")
        self.semantic_scene = SimpleNamespace(objects=annotated) if annotated is not None else None
        self.pathfinder.take(content["floors"])
        (agent,) = configuration.agents
        self._agent = Agent(self, agent.action_space)
        self._sensors = {spec.uuid: Sensor(self, spec) for spec in agent.sensor_specifications}

    def get_agent(self, number: int) -> Agent:
        return self._agent

    def recompute_navmesh(self, pathfinder: PathFinder, settings: Any) -> bool:
        return pathfinder.take(self.content["floors"])

    def cast_ray(self, ray: Any, reach: float) -> Any:
        x, y, z = (float(value) for value in ray.origin)
        floors = [Island(**floor) for floor in self.content["floors"]]
        above = [f for f in floors if f.y - 0.05 > y and 0.0 <= x <= f.size_x and 0.0 <= z <= f.size_z]
        return SimpleNamespace(hits=above)

    def close(self) -> None:
        type(self).open_count -= 1


class _Loose(SimpleNamespace):
    """An object that takes any attribute, as the simulator's settings do."""


SimulatorConfiguration = AgentConfiguration = AgentState = NavMeshSettings = CameraSensorSpec = ShortestPath = _Loose
SensorType = SimpleNamespace(COLOR="color", DEPTH="depth", SEMANTIC="semantic")
SensorSubType = SimpleNamespace(PINHOLE="pinhole")
geo = SimpleNamespace(Ray=lambda origin, direction: SimpleNamespace(origin=origin, direction=direction))
agent = SimpleNamespace(
    ActionSpec=lambda name, actuation: SimpleNamespace(name=name, actuation=actuation),
    ActuationSpec=lambda amount: SimpleNamespace(amount=amount),
)


def Configuration(backend: Any, agents: List[Any]) -> Any:
    """Return a configuration of one backend and its agents."""
    return SimpleNamespace(backend=backend, agents=agents)


def _quaternion(w: float, x: float, y: float, z: float) -> Tuple[float, float, float, float]:
    return (w, x, y, z)


if not hasattr(np, "quaternion"):
    np.quaternion = _quaternion  # type: ignore[attr-defined]
