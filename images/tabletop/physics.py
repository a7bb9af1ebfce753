"""MuJoCo's world: the arm and the things of a scene, with a state that is saved and restored whole.

MuJoCo's own sums go through the C library's sine and cosine, whose last bits differ between CPUs. What carries over
from one step to the next is therefore rounded (`steady`): such differences vanish before they grow, unless a
number lies within them of the middle between two multiples. Measured, see README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import Quaternion, yaw_to_quaternion
from harness.contracts.errors import EpisodeError
from images.embedded.raster import compiled
from images.tabletop import arm
from images.tabletop.scenes import BUTTON, FREE, TABLE_M, Thing

Floats = npt.NDArray[np.float64]

TICK_STEPS = 20
STEP_S = 0.002
TABLE_LOW, TABLE_HIGH = (-0.55, -0.75), (0.85, 0.75)
"""The table's top in metres."""

BASE_X = -0.31
PRESSED_M = 0.006
BUTTON_TRAVEL_M = 0.012
_STEADY = float(1 << 20)
_THICK_M = 0.04
_DAMPING = (60.0, 60.0, 60.0, 60.0, 6.0, 6.0, 6.0)
"""Of the joints in N m s: the package's 100 and 10 let the servos reach only 0.9 radians a second."""

_STIFF = (0.9, 0.95, 0.001, 0.5, 1.0)
"""MuJoCo's own stiffness of contacts but for the last number: at 1 it calls no `pow`, whose bits differ too."""

_TORSION_M = 0.05
_GRIPPER_SERVOS = ("r_gripper_finger_joint", "l_gripper_finger_joint")
_GRIP = 2000.0
"""Newtons a metre: the package's 500 let go of what is held at one end."""

_ARM_TOUCHES, _THING_TOUCHES = 2, 3


def steady(values: Any) -> Any:
    """Return numbers rounded to multiples of 2^-20 (a micrometre)."""
    return np.rint(np.asarray(values, np.float64) * _STEADY) / _STEADY


@compiled
def settle(positions, velocities, warm_start):  # type: ignore[no-untyped-def]
    """Round three vectors in place as `steady` does: it is done after every physics step."""
    for values in (positions, velocities, warm_start):
        for k in range(values.shape[0]):
            values[k] = np.rint(values[k] * _STEADY) / _STEADY


@dataclass(frozen=True, eq=False)
class State:
    """All that the next tick depends on: positions, velocities, the servos' targets and the solver's warm start."""

    numbers: Floats


class World:
    """One scene's physics. Not thread-safe."""

    def __init__(self, things: Sequence[Thing]) -> None:
        """Compile arm, table and ``things``, and let them come to rest."""
        import mujoco

        self.engine: Any = mujoco
        mujoco.set_mju_user_warning(lambda text: None)  # its own handler writes a file where the process runs
        self.model: Any = _model(mujoco, things)
        self.data: Any = mujoco.MjData(self.model)
        self._carried = (self.data.qpos, self.data.qvel, self.data.qacc_warmstart)
        model = self.model
        self.tip: int = model.site(arm.TIP).id
        joints = [model.joint(name) for name in arm.JOINTS]
        self.arm_qpos = np.array([joint.qposadr[0] for joint in joints])
        self.arm_dofs = np.array([joint.dofadr[0] for joint in joints])
        self.arm_range: Floats = np.array([model.jnt_range[joint.id] for joint in joints])
        self.finger_qpos = np.array([model.joint(name).qposadr[0] for name in arm.FINGERS])
        self._bodies: Dict[str, int] = {model.body(index).name: index for index in range(model.nbody)}
        self._buttons = {
            thing.name: int(model.joint(thing.name).qposadr[0]) for thing in things if thing.kind == BUTTON
        }
        self._thing_geoms = [
            index for index in range(model.ngeom) if int(model.geom_conaffinity[index]) == _THING_TOUCHES
        ]
        self._kind = mujoco.mjtState.mjSTATE_INTEGRATION
        self.data.qpos[self.arm_qpos] = arm.HOME
        self.data.qpos[self.finger_qpos] = arm.FINGER_OPEN_M
        self.data.ctrl[:7] = arm.HOME
        self.data.ctrl[7:9] = arm.FINGER_OPEN_M
        settle(*self._carried)
        self._look()

    def advance(self, control: Sequence[float], steps: int = TICK_STEPS) -> None:
        """Go on by one control tick with these targets of the nine servos; EpisodeError where the physics broke."""
        self.data.ctrl[:] = steady(control)
        step, model, data, carried = self.engine.mj_step, self.model, self.data, self._carried
        for _ in range(steps):
            step(model, data)
            settle(*carried)
        self._check()
        self._look()

    def key(self) -> bytes:
        """Return what stands for all that the next tick depends on, the errors of handling included."""
        touching: bytes = self.model.geom_contype[self._thing_geoms].tobytes()
        return self.save().numbers.tobytes() + touching

    def save(self) -> State:
        """Return the present state."""
        numbers = np.empty(self.engine.mj_stateSize(self.model, self._kind))
        self.engine.mj_getState(self.model, self.data, numbers, self._kind)
        return State(numbers)

    def restore(self, state: State) -> None:
        """Put a saved state back: what follows has the same bits as if nothing had happened since."""
        self.engine.mj_resetData(self.model, self.data)  # forgets warnings too
        self.engine.mj_setState(self.model, self.data, state.numbers, self._kind)
        self._look()

    def things(self) -> Floats:
        """Return where all that can be moved is: its joints' positions."""
        return np.delete(self.data.qpos, np.concatenate((self.arm_qpos, self.finger_qpos)))

    def put_things(self, places: Floats) -> None:
        """Show the things where `things` had them, while the arm stays; `restore` is what goes on from a state."""
        others = np.ones(len(self.data.qpos), bool)
        others[self.arm_qpos] = others[self.finger_qpos] = False
        self.data.qpos[others] = places
        self._look()

    def let_things_through(self, through: bool) -> None:
        """Have loose things touch the table and the arm alone, or all again."""
        self.model.geom_contype[self._thing_geoms] = 0 if through else 1

    def poses(self, bodies: Sequence[str]) -> Tuple[Floats, Floats]:
        """Return positions [B, 3] and rotations [B, 3, 3] of bodies, rounded."""
        indices = [self._bodies[name] for name in bodies]
        return steady(self.data.xpos[indices]), steady(self.data.xmat[indices]).reshape(-1, 3, 3)

    def place(self, body: str) -> Tuple[float, float, float]:
        """Return where a body is, rounded."""
        x, y, z = steady(self.data.xpos[self._bodies[body]]).tolist()
        return (x, y, z)

    def upright(self, body: str) -> float:
        """Return the cosine between a body's z axis and up."""
        return float(steady(self.data.xmat[self._bodies[body]][8]))

    def depth(self, button: str) -> float:
        """Return how far a button is pressed, in metres."""
        return float(-self.data.qpos[self._buttons[button]])

    def pressed(self, button: str) -> bool:
        """Say whether a button is down."""
        return self.depth(button) >= PRESSED_M

    def tip_pose(self) -> Tuple[Floats, Floats]:
        """Return the tip's position [3] and rotation [3, 3], rounded."""
        return steady(self.data.site_xpos[self.tip]), steady(self.data.site_xmat[self.tip]).reshape(3, 3)

    def finger_gap(self) -> float:
        """Return how far the fingers are apart, in metres."""
        return float(steady(self.data.qpos[self.finger_qpos]).sum())

    def _check(self) -> None:
        """Raise EpisodeError after a warning: MuJoCo goes on with a world that it reset, or with contacts left out."""
        counts = np.asarray(self.data.warning.number)
        if counts.any():
            names = [self.engine.mjtWarning(int(kind)).name for kind in np.flatnonzero(counts)]
            raise EpisodeError(f"MuJoCo warned of {', '.join(names)} at {self.data.time:.2f} s of its time.")

    def _look(self) -> None:
        """Work out where everything is, without forces."""
        self.engine.mj_kinematics(self.model, self.data)
        self.engine.mj_comPos(self.model, self.data)


def _model(mujoco: Any, things: Sequence[Thing]) -> Any:
    spec = mujoco.MjSpec.from_string(arm.description())
    spec.option.timestep = STEP_S
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    spec.site(arm.TIP).pos = [0.0, 0.0, arm.TIP_M]
    spec.body(arm.BASE).pos = [BASE_X, 0.0, TABLE_M]
    for body in spec.bodies:
        body.gravcomp = 1
    for geom in spec.geoms:
        if geom.type == mujoco.mjtGeom.mjGEOM_MESH:
            geom.contype, geom.conaffinity = _ARM_TOUCHES, 0
    for name, damping in zip(arm.JOINTS, _DAMPING):
        spec.joint(name).damping = [damping, 0.0, 0.0]  # linear and two further orders
    for finger in _GRIPPER_SERVOS:
        servo = spec.actuator(finger)
        servo.gainprm[0], servo.biasprm[1] = _GRIP, -_GRIP
    world = spec.worldbody
    middle = [(a + b) / 2.0 for a, b in zip(TABLE_LOW, TABLE_HIGH)]
    half = [(b - a) / 2.0 for a, b in zip(TABLE_LOW, TABLE_HIGH)]
    world.add_geom(
        name="table", type=mujoco.mjtGeom.mjGEOM_BOX, size=[*half, _THICK_M / 2.0],
        pos=[*middle, TABLE_M - _THICK_M / 2.0], contype=1, conaffinity=1,
    )  # fmt: skip
    for thing in things:
        _add(mujoco, world, thing)
    return spec.compile()


def _add(mujoco: Any, world: Any, thing: Thing) -> None:
    body = world.add_body(name=thing.name, pos=thing.position, quat=turned(thing.heading_deg))
    if thing.kind == FREE:
        body.add_freejoint(name=thing.name)
    elif thing.kind == BUTTON:
        body.add_joint(
            name=thing.name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, 1], range=[-BUTTON_TRAVEL_M, 0.0],
            limited=True, stiffness=[150.0, 0.0, 0.0], damping=[4.0, 0.0, 0.0], armature=0.05, springref=0.004,
        )  # fmt: skip
        body.gravcomp = 1
    kinds = {"box": mujoco.mjtGeom.mjGEOM_BOX, "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER}
    for solid in thing.solids:
        size: List[float] = [*solid.size, 0.0, 0.0][:3]
        body.add_geom(
            type=kinds[solid.kind], size=size, pos=solid.position, quat=solid.quaternion, mass=solid.mass,
            friction=[thing.friction, _TORSION_M, 0.0002], condim=4, contype=1, conaffinity=_THING_TOUCHES,
            solref=[0.006, 1.0], solimp=_STIFF, priority=1,
        )  # fmt: skip


def turned(heading_deg: float) -> Quaternion:
    """Return the rotation about z by an angle, as w, x, y, z."""
    w, _, s, _ = yaw_to_quaternion(heading_deg)
    return (w, 0.0, 0.0, s)
