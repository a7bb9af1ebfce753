"""Stored demos as RLBench's dataset generator pickles them: a Demo of Observations with the random state."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Tuple

import numpy as np


def state_of(seed: int) -> Tuple[Any, ...]:
    """Return numpy's legacy random state after seeding."""
    state = np.random.RandomState(seed).get_state(legacy=True)
    assert isinstance(state, tuple)
    return state


def demo_bytes(package: str = "rlbench", protocol: int = 3, **changes: Any) -> bytes:
    """Return a pickled demo whose classes live in ``package``; ``changes`` replace attributes of the Demo."""
    demo_class = type("Demo", (), {"__module__": f"{package}.demo"})
    observation_class = type("Observation", (), {"__module__": f"{package}.backend.observation"})
    modules: Dict[str, ModuleType] = {name: ModuleType(name) for name in (package, f"{package}.backend")}
    for name, thing in ((f"{package}.demo", demo_class), (f"{package}.backend.observation", observation_class)):
        modules[name] = ModuleType(name)
        setattr(modules[name], thing.__name__, thing)
    observation = observation_class()
    observation.__dict__.update(
        gripper_open=1.0,
        gripper_pose=np.array([0.3, 0.0, 1.4, 0.0, 1.0, 0.0, 0.0]),
        front_rgb=None,
        joint_positions=np.zeros(7, np.float32),
        misc={"variation_index": 1, "front_camera_near": np.float64(0.01), "joint_poses": [np.zeros(7)]},
    )
    demo = demo_class()
    demo.__dict__.update({"_observations": [observation], "random_seed": state_of(5), "num_reset_attempts": 2})
    demo.__dict__.update(changes)
    kept = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        return pickle.dumps(demo, protocol=protocol)
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def write_demo(folder: Path, task: str = "push_buttons", variation: int = 1, number: int = 0, **changes: Any) -> Path:
    """Write a demo where the environment looks for it."""
    path = folder / task / f"variation{variation}" / "episodes" / f"episode{number}" / "low_dim_obs.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(demo_bytes(**changes))
    return path
