"""The double against the real sources of RLBench and PyRep: same classes, methods, parameters, order and defaults.

Set WIW_RLBENCH_SOURCE and WIW_PYREP_SOURCE to checkouts of stepjam/RLBench and stepjam/PyRep. The sources are parsed,
not imported: importing PyRep needs CoppeliaSim.
"""

from __future__ import annotations

import ast
import inspect
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import pytest

from images.rlbench.frames import camera_pose
from images.rlbench.simulator import _NO_DEMO, CAMERAS
from tests.images.rlbench import double
from tests.images.rlbench.test_frames import rotate

VARIABLES = {"rlbench": "WIW_RLBENCH_SOURCE", "pyrep": "WIW_PYREP_SOURCE"}
SIMPLE = (bool, int, float, str, type(None), tuple)

READ_ATTRIBUTES = (
    "gripper_pose",
    "gripper_open",
    "misc",
    *(f"{c}_{k}" for c in CAMERAS for k in ("rgb", "depth", "mask")),
)
MISC_KEYS = ("_extrinsics", "_intrinsics", "_far")


def tree_of(module: str) -> ast.Module:
    """Return the parsed real module, or skip."""
    package = module.partition(".")[0]
    folder = os.environ.get(VARIABLES[package])
    if not folder:
        pytest.skip(f"{VARIABLES[package]} names no checkout of the real {package}")
    path = Path(folder) / (module.replace(".", "/") + ".py")
    assert path.is_file(), f"{path} does not exist"
    return ast.parse(path.read_text(encoding="utf-8"))


def named(body: List[ast.stmt], name: str) -> Any:
    """Return the class or function of that name."""
    for statement in body:
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef)) and statement.name == name:
            return statement
    return None


def real_method(tree: ast.Module, of: ast.ClassDef, name: str) -> Any:
    """Return a method of a class or of its bases in the same module."""
    found = named(of.body, name)
    for base in of.bases:
        if found is None and isinstance(base, ast.Name):
            parent = named(tree.body, base.id)
            found = real_method(tree, parent, name) if parent is not None else None
    return found


def real_parameters(function: ast.FunctionDef) -> List[Tuple[str, Optional[str]]]:
    """Return (name, default as source or None) of each parameter."""
    names = [argument.arg for argument in function.args.args]
    defaults: List[Optional[str]] = [None] * (len(names) - len(function.args.defaults))
    defaults += [ast.unparse(default) for default in function.args.defaults]
    return list(zip(names, defaults))


def check_parameters(ours: Any, real: ast.FunctionDef, where: str) -> None:
    """The double's parameters are the first of the real ones; the real ones beyond them must have defaults."""
    theirs = real_parameters(real)
    mine = list(inspect.signature(ours).parameters.values())
    by_name = dict(theirs)
    for place, parameter in enumerate(mine):
        assert parameter.name in by_name, f"{where} has no parameter {parameter.name}"
        if parameter.default is inspect.Parameter.empty:
            assert theirs[place][0] == parameter.name, f"{where}: {parameter.name} is not parameter {place}"
            assert by_name[parameter.name] is None, f"{where}: {parameter.name} has a default"
        elif isinstance(parameter.default, SIMPLE) and parameter.default is not None:
            assert by_name[parameter.name] == repr(parameter.default), f"{where}: default of {parameter.name}"
        else:
            assert by_name[parameter.name] is not None, f"{where}: {parameter.name} has no default"
    missing = [name for name, default in theirs if default is None and name not in {p.name for p in mine}]
    assert not missing, f"{where} also needs {missing}"


@pytest.mark.parametrize(
    ("module", "thing"), [(module, thing) for module, things in double.MODULES.items() for thing in things]
)
def test_the_double_is_called_as_the_real_one_is(module: str, thing: Any) -> None:
    tree = tree_of(module)
    real = named(tree.body, thing.__name__)
    assert real is not None, f"{module} has no {thing.__name__}"
    if inspect.isfunction(thing):
        check_parameters(thing, real, thing.__name__)
        return
    for name, method in vars(thing).items():
        if inspect.isfunction(method) and (name == "__init__" or not name.startswith("_")):
            found = real_method(tree, real, name)
            assert found is not None, f"{thing.__name__} has no method {name}"
            check_parameters(method, found, f"{thing.__name__}.{name}")


def test_a_task_is_made_and_asked_as_the_double_is() -> None:
    tree = tree_of("rlbench.backend.task")
    task = named(tree.body, "Task")
    for name in ("__init__", "success", "variation_count"):
        check_parameters(getattr(double.ButtonTask, name), real_method(tree, task, name), f"Task.{name}")


def test_the_attributes_that_are_read_exist() -> None:
    tree = tree_of("rlbench.backend.observation")
    names = [name for name, _ in real_parameters(named(named(tree.body, "Observation").body, "__init__"))]
    assert set(READ_ATTRIBUTES) <= set(names)
    scene = ast.unparse(tree_of("rlbench.backend.scene"))
    for camera in CAMERAS:
        assert f"'{camera}_camera'" in scene
    for key in (*MISC_KEYS, "variation_index"):
        assert key in scene
    for name in ("_obs_config.front_camera", "fc_ob.mask", "_set_camera_properties"):
        assert name in scene, "cameras are no longer switched through the configuration object"


def test_a_reset_reads_only_the_variation_of_a_demo() -> None:
    tree = tree_of("rlbench.task_environment")
    source = ast.unparse(named(named(tree.body, "TaskEnvironment").body, "reset_to_demo"))
    assert "demo.restore_state()" in source and "demo._observations[0].misc['variation_index']" in source
    reset = ast.unparse(named(named(tree.body, "TaskEnvironment").body, "reset"))
    assert set(_attributes_of("demo", reset)) == {"num_reset_attempts"}


def test_a_path_ends_where_the_task_succeeds() -> None:
    tree = tree_of("rlbench.action_modes.arm_action_modes")
    source = ast.unparse(named(named(tree.body, "EndEffectorPoseViaPlanning").body, "action"))
    assert "scene.task.success()" in source and "break" in source and "InvalidActionError" in source


def test_the_gripper_is_open_above_one_half() -> None:
    tree = tree_of("rlbench.action_modes.gripper_action_modes")
    assert "action[0] > 0.5" in ast.unparse(named(named(tree.body, "Discrete").body, "action"))


def test_a_real_camera_sees_where_its_converted_pose_says() -> None:
    """A pixel's world point by PyRep's own code equals the one by the converted pose, looking along -z."""
    tree = tree_of("pyrep.objects.vision_sensor")
    functions = [
        named(tree.body, name)
        for name in ("_create_uniform_pixel_coords_image", "_transform", "_pixel_to_world_coords")
    ]
    method = named(named(tree.body, "VisionSensor").body, "pointcloud_from_depth_and_camera_params")
    method.decorator_list = []
    names: Dict[str, Any] = {"np": np}
    exec(compile(ast.Module([*functions, method], []), "vision_sensor", "exec"), names)
    size, focal = 8, 8 / (2 * np.tan(np.radians(20.0)))
    intrinsics = np.array([[-focal, 0.0, size / 2], [0.0, -focal, size / 2], [0.0, 0.0, 1.0]])
    angle = np.radians(30.0)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(
        [[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]]
    ) @ np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    matrix[:3, 3] = [1.5, 0.1, 1.2]
    depth = np.full((size, size), 2.0)
    points = names["pointcloud_from_depth_and_camera_params"](depth, matrix, intrinsics)
    pose = camera_pose(matrix)
    for row, column in ((0, 0), (3, 6), (7, 2)):
        right, up = (column - size / 2) / focal * 2.0, (size / 2 - row) / focal * 2.0
        seen = rotate(pose.rotation, (right, up, -2.0)) + np.array(pose.position)
        x, y, z = points[row, column]
        assert np.allclose(seen, (-y, z, -x), atol=1e-9)


def _attributes_of(name: str, source: str) -> List[str]:
    return [
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    ]


def test_a_live_demo_says_what_its_scene_was_made_from() -> None:
    """The random state is taken before the scene is made, and a dead simulator is not taken for a failed demo."""
    environment = named(tree_of("rlbench.task_environment").body, "TaskEnvironment")
    live = ast.unparse(named(environment.body, "_get_live_demos"))
    order = ("random_seed = np.random.get_state()", "self.reset()", "try:", "self._scene.get_demo(")
    places = [live.index(text) for text in (*order, "demo.random_seed = random_seed", f"RuntimeError('{_NO_DEMO}")]
    assert places == sorted(places), "the state is not taken before the reset, or the reset is inside the try"
    asked = ast.unparse(named(environment.body, "get_demos"))
    assert "self._get_live_demos(amount, callable_each_step, max_attempts)" in asked
    demo = named(tree_of("rlbench.demo").body, "Demo")
    for name in ("__len__", "__getitem__"):
        check_parameters(getattr(double.Demo, name), named(demo.body, name), f"Demo.{name}")
    for name in ("random_seed", "num_reset_attempts"):
        assert f"self.{name} = {name}" in ast.unparse(demo)


def test_a_live_demo_holds_every_step_and_ends_in_success() -> None:
    scene = ast.unparse(named(named(tree_of("rlbench.backend.scene").body, "Scene").body, "get_demo"))
    for text in (
        "demo.append(self.get_observation())",
        "self._demo_record_step(demo, record, callable_each_step)",
        "Demo was completed, but was not successful.",
        "processed_demo.num_reset_attempts = self._attempts + 1",
        "if self._obs_config.record_gripper_closing:",
    ):
        assert text in scene
    config = named(named(tree_of("rlbench.observation_config").body, "ObservationConfig").body, "__init__")
    assert dict(real_parameters(config))["record_gripper_closing"] == "False"
    recorded = named(named(tree_of("rlbench.backend.scene").body, "Scene").body, "_demo_record_step")
    assert "demo_list.append(self.get_observation())" in ast.unparse(recorded)
    assert "_DT = 0.05" in ast.unparse(tree_of("rlbench.task_environment"))


def test_an_arm_moves_as_slowly_as_the_check_of_a_data_set_believes() -> None:
    """A path's length is measured in the space of joints, and followed by at most 1 of it a second."""
    environment = named(named(tree_of("rlbench.environment").body, "Environment").body, "__init__")
    assert dict(real_parameters(environment))["arm_max_velocity"] == "1.0"
    path = ast.unparse(tree_of("pyrep.robots.configuration_paths.arm_configuration_path"))
    assert "np.sqrt(np.sum(np.square(prev_points - points)))" in path
    assert "max_vel = self._arm.max_velocity" in path and "[max_vel * vel_correction, max_accel, max_jerk]" in path
