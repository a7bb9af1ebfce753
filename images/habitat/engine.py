"""The one simulator of the process: opens scenes, puts the body somewhere, moves it, and reads single sensors.

habitat-sim aborts when a second simulator meets one that was not closed, and making one takes seconds while opening
another scene takes a fraction of one: so there is never more than one, reconfigured from scene to scene. Everything
that imports habitat_sim is here.
"""

from __future__ import annotations

import gc
import math
import traceback
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Primitive
from harness.contracts.cameras import Vec3
from harness.contracts.errors import EpisodeError, Refusal, ServiceError, WiwError
from images.habitat.motion import Body, Steps
from images.habitat.options import FROM_FILE, NavmeshSettings
from images.habitat.rigs import DEPTH, IDS, RGB, Sensor
from images.habitat.scenes import SceneFiles

_SIMULATOR_SEED = 42
"""As published. Nothing that is played draws random numbers in the simulator."""

_TURN_TOLERANCE = 1e-5
"""|1 - dot| of the simulator's rotation and the exact one: 0.5 degrees would be 1e-5 (turns are 22.5)."""

_COVER_REACH_M = 100.0
_COVER_START_M = 0.1


@dataclass(frozen=True)
class EngineOptions:
    """What does not change between scenes. ``gpu_device_id`` -1 renders on the CPU."""

    gpu_device_id: int
    steps: Steps
    navmesh: NavmeshSettings
    allow_sliding: bool
    with_physics: bool


class Engine:
    """habitat-sim behind a few plain functions. Call `open` before anything else, and `close` at the end."""

    def __init__(self, sensors: Sequence[Sensor], options: EngineOptions) -> None:
        import habitat_sim  # type: ignore[import-not-found]

        self._habitat = habitat_sim
        self._sensors = list(sensors)
        self._options = options
        self._simulator: Any = None

    @property
    def version(self) -> str:
        """The simulator's name and version."""
        return f"habitat-sim {self._habitat.__version__}"

    @property
    def pathfinder(self) -> Any:
        """The walkable area of the open scene."""
        return self._open_simulator().pathfinder

    @property
    def semantic_objects(self) -> List[Any]:
        """The annotated objects of the open scene, as the simulator has them; none in a scene without annotations.

        Where a scene has none, the simulator has no semantic scene at all, or one without objects.
        """
        annotations = self._open_simulator().semantic_scene
        return [] if annotations is None else [item for item in annotations.objects if item is not None]

    def open(self, scene: SceneFiles) -> None:
        """Load ``scene`` and its walkable area. After an error no scene is open, and the next opens as if first.

        Raises EpisodeError for a scene that the simulator cannot load. A simulator that failed to load one keeps half
        of it, and believes that the scene before is still open: so it is closed, and the next scene makes a new one.
        """
        try:
            configuration = self._configuration(scene)
            if self._simulator is None:
                self._simulator = self._habitat.Simulator(configuration)
            else:
                self._simulator.reconfigure(configuration)
            self._load_navmesh(scene)
        except WiwError:
            self._discard()
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            traceback.print_exc()
            traceback.clear_frames(error.__traceback__)  # they hold a half-made simulator; two abort the process
            self._discard()
            raise EpisodeError(
                f"the simulator cannot open scene {scene.name!r} ({scene.mesh}): {what}.",
                "The file may be damaged or cut short: get it again, or leave the scene out.",
            ) from None

    def place(self, body: Body) -> None:
        """Put the agent where ``body`` stands, and check that it stands there."""
        self._agent().set_state(self._state(body), reset_sensors=False)
        position, rotation = self._where()
        if position != _single(body.position) or self._turn_error(rotation, body) > _TURN_TOLERANCE:
            raise ServiceError(
                f"the simulator put the agent at {position}, {rotation} instead of {body}.",
                "This version of habitat-sim is not usable; the supported ones are in docs/habitat.md.",
            )

    def act(self, body: Body, action: Primitive) -> Tuple[Body, bool]:
        """Return (body after ``action``, collided): the simulator's own motion from ``body``, nothing rendered.

        A pure function of the body: the agent is put there first. The heading counts whole turns, and the rotation
        that the simulator reports is checked against it.
        """
        self.place(body)
        collided = bool(self._agent().act(action.name))
        position, rotation = self._where()
        turns = {TURN_LEFT: 1, TURN_RIGHT: -1}.get(action.name, 0)
        moved = self._options.steps.turned(Body(position, body.heading, body.base_deg), turns)
        if turns or action.name == STOP:
            moved = Body(body.position, moved.heading, moved.base_deg)
        if self._turn_error(rotation, moved) > _TURN_TOLERANCE:
            raise ServiceError(f"after {action} the simulator looks along {rotation} instead of {moved}.")
        return moved, collided

    def read(self, uuid: str) -> npt.NDArray[Any]:
        """Return what one sensor sees from where the agent stands."""
        sensor = self._open_simulator()._sensors[uuid]
        sensor.draw_observation()
        return np.array(sensor.get_observation())

    def covered(self, position: Vec3) -> bool:
        """Say whether anything of the scene lies above ``position``."""
        geo = self._habitat.geo
        x, y, z = position
        ray = geo.Ray(np.array((x, y + _COVER_START_M, z)), np.array((0.0, 1.0, 0.0)))
        return bool(self._open_simulator().cast_ray(ray, _COVER_REACH_M).hits)

    def path(self, start: Vec3, goal: Vec3) -> Tuple[float, List[Vec3]]:
        """Return the length and the corners of a shortest way; infinity and none where there is no way.

        The simulator moves an end that is off the navmesh to the nearest place on it: check the ends before.
        """
        path = self._habitat.ShortestPath()
        path.requested_start = np.array(start, np.float32)
        path.requested_end = np.array(goal, np.float32)
        if not self.pathfinder.find_path(path):
            return math.inf, []
        return float(path.geodesic_distance), [(float(p[0]), float(p[1]), float(p[2])) for p in path.points]

    def close(self) -> None:
        """Close the simulator."""
        simulator, self._simulator = self._simulator, None
        if simulator is not None:
            simulator.close()

    def _discard(self) -> None:
        """Close a simulator that failed; what it says about that helps nobody."""
        try:
            self.close()
        except Exception:
            traceback.print_exc()
        gc.collect()

    def _open_simulator(self) -> Any:
        if self._simulator is None:
            raise Refusal("no scene is open.", "Call reset first.")
        return self._simulator

    def _agent(self) -> Any:
        return self._open_simulator().get_agent(0)

    def _where(self) -> Tuple[Vec3, Tuple[float, float, float, float]]:
        """Return the agent's position and rotation (w, x, y, z), without the states of its sensors."""
        node = self._agent().scene_node
        place, turn = node.absolute_translation, node.rotation
        return (place.x, place.y, place.z), (turn.scalar, turn.vector.x, turn.vector.y, turn.vector.z)

    def _state(self, body: Body) -> Any:
        w, x, y, z = self._options.steps.rotation(body)
        state = self._habitat.AgentState()
        state.position = np.array(body.position)
        state.rotation = np.quaternion(w, x, y, z)  # type: ignore[attr-defined]
        return state

    def _turn_error(self, rotation: Sequence[float], body: Body) -> float:
        exact = self._options.steps.rotation(body)
        return abs(1.0 - abs(sum(a * b for a, b in zip(rotation, exact))))

    def _load_navmesh(self, scene: SceneFiles) -> None:
        settings = self._options.navmesh
        if settings.source == FROM_FILE:
            if not scene.navmesh.is_file() or not self.pathfinder.load_nav_mesh(str(scene.navmesh)):
                raise Refusal(
                    f"the walkable area of scene {scene.name!r} is not in {scene.navmesh}.",
                    "Put the file there, or set the navmesh source to computed.",
                )
            return
        wanted = self._habitat.NavMeshSettings()
        for name, value in settings.for_simulator().items():
            setattr(wanted, name, value)
        if not self._simulator.recompute_navmesh(self.pathfinder, wanted):
            raise Refusal(f"no walkable area could be computed for scene {scene.name!r} with {settings}.")

    def _configuration(self, scene: SceneFiles) -> Any:
        habitat = self._habitat
        backend = habitat.SimulatorConfiguration()
        backend.scene_id = str(scene.mesh)
        if scene.dataset_config is not None:
            backend.scene_dataset_config_file = str(scene.dataset_config)
        backend.gpu_device_id = self._options.gpu_device_id
        backend.random_seed = _SIMULATOR_SEED
        backend.allow_sliding = self._options.allow_sliding
        backend.enable_physics = self._options.with_physics
        agent = habitat.AgentConfiguration()
        agent.height = self._options.navmesh.agent_height
        agent.radius = self._options.navmesh.agent_radius
        agent.sensor_specifications = [self._sensor(sensor) for sensor in self._sensors]
        agent.action_space = self._actions()
        return habitat.Configuration(backend, [agent])

    def _sensor(self, sensor: Sensor) -> Any:
        kinds = self._habitat.SensorType
        made = self._habitat.CameraSensorSpec()
        made.uuid = sensor.uuid
        made.sensor_type = {RGB: kinds.COLOR, DEPTH: kinds.DEPTH, IDS: kinds.SEMANTIC}[sensor.channel]
        made.sensor_subtype = self._habitat.SensorSubType.PINHOLE
        made.resolution = list(sensor.resolution)
        made.hfov = sensor.hfov_deg
        made.position = [0.0, float(sensor.height_m), 0.0]
        made.orientation = list(sensor.orientation)
        return made

    def _actions(self) -> Dict[str, Any]:
        """Return the actions by our names. A stop turns by 0 degrees: the simulator knows no stop and would raise."""
        agent = self._habitat.agent
        steps = self._options.steps
        amounts = {
            FORWARD: ("move_forward", steps.forward_m),
            TURN_LEFT: ("turn_left", steps.turn_deg),
            TURN_RIGHT: ("turn_right", steps.turn_deg),
            STOP: ("turn_left", 0.0),
        }
        return {
            name: agent.ActionSpec(control, agent.ActuationSpec(float(amount)))
            for name, (control, amount) in amounts.items()
        }


def _single(position: Vec3) -> Vec3:
    """Return a position as the simulator keeps it, in single precision."""
    x, y, z = (float(np.float32(value)) for value in position)
    return (x, y, z)
