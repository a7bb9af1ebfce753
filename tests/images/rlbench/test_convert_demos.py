"""Demos become plain starts once: a confined process opens each pickle, and the environment opens none after it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contracts.errors import Refusal
from images.rlbench.convert_demos import CHILD, confine, convert
from images.rlbench.demos import DEMO_FILE, START_FILE, read_start, start_path
from tests.images.rlbench.stored_demos import demo_bytes, state_of, write_demo


def test_a_start_says_what_its_demo_said(tmp_path: Path) -> None:
    write_demo(tmp_path / "demos", number=0)
    write_demo(tmp_path / "demos", task="stack_cups", number=4, num_reset_attempts=None)
    assert convert(tmp_path / "demos", tmp_path / "out") == (2, {})
    for task, number in (("push_buttons", 0), ("stack_cups", 4)):
        place = f"{task}/variation1/episodes/episode{number}"
        before = read_start(tmp_path / "demos" / place / DEMO_FILE)
        after = read_start(tmp_path / "out" / place / START_FILE)
        assert (after.variation, after.attempts) == (before.variation, before.attempts)
        assert after.digest(task) == before.digest(task)
    drawn = np.random.RandomState()
    drawn.set_state(after.random_state)
    assert drawn.randint(1 << 30) == np.random.RandomState(5).randint(1 << 30)


def test_the_environment_takes_the_start_where_there_is_one(tmp_path: Path) -> None:
    demo = write_demo(tmp_path)
    assert start_path(demo.parent) == demo
    convert(tmp_path, tmp_path)
    assert start_path(demo.parent) == demo.with_name(START_FILE)


def test_a_conversion_goes_on_where_it_stopped_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    write_demo(tmp_path / "demos", number=0)
    broken = write_demo(tmp_path / "demos", number=1)
    broken.write_bytes(b"no pickle")
    other = write_demo(tmp_path / "demos", variation=9, number=2)  # it is of variation 1
    made, refused = convert(tmp_path / "demos", tmp_path / "out")
    assert made == 1 and set(refused) == {str(broken), str(other)}
    assert "is of variation 1" in refused[str(other)]
    broken.write_bytes(demo_bytes())
    assert convert(tmp_path / "demos", tmp_path / "out")[0] == 2
    with pytest.raises(Refusal, match="holds no stored demo"):
        convert(tmp_path / "out", tmp_path / "none")


class Attack:
    """Pickles as a call of a function that writes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch attacked",)


def test_what_a_pickle_would_run_is_not_run(tmp_path: Path) -> None:
    attacked = write_demo(tmp_path / "demos")
    attacked.write_bytes(pickle.dumps(Attack()))
    _, refused = convert(tmp_path / "demos", tmp_path / "out")
    assert "system" in refused[str(attacked)] and not Path("attacked").exists() and not (tmp_path / "out").exists()


REAL = """
import inspect, pickle, sys, types
import numpy as np
source, target = sys.argv[1:]
for name in ("rlbench", "rlbench.backend"):  # packages without what they import, which needs the simulator
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [f"{source}/{name.replace('.', '/')}"]
from rlbench.backend.observation import Observation
from rlbench.demo import Demo
fields = list(inspect.signature(Observation.__init__).parameters)[1:]
misc = {"variation_index": 1, "near": np.float64(0.01)}
values = {**dict.fromkeys(fields), "gripper_pose": np.zeros(7), "misc": misc}
np.random.seed(5)
demo = Demo([Observation(**values)], random_seed=np.random.get_state(), num_reset_attempts=3)
with open(target, "wb") as file:
    pickle.dump(demo, file)
"""


def test_a_demo_of_the_real_classes_is_converted(tmp_path: Path) -> None:
    source = os.environ.get("WIW_RLBENCH_SOURCE")
    if not source:
        pytest.skip("WIW_RLBENCH_SOURCE names no checkout of the real rlbench")
    demo = tmp_path / "push_buttons" / "variation1" / "episodes" / "episode0" / DEMO_FILE
    demo.parent.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", REAL, source, str(demo)], check=True)
    assert convert(tmp_path, tmp_path) == (1, {})
    start = read_start(demo.with_name(START_FILE))
    assert (start.variation, start.attempts) == (1, 3)
    np.testing.assert_array_equal(start.random_state[1], state_of(5)[1])


CONFINED = """
import os, sys
from images.rlbench.convert_demos import confine
confine()
for attempt in (lambda: open("made", "w"), lambda: open("/etc/passwd"), lambda: os.pipe(), lambda: bytearray(3 << 30)):
    try:
        attempt()
    except (OSError, MemoryError) as error:
        print(type(error).__name__)
    else:
        print("allowed")
"""


def test_the_process_that_opens_pickles_can_open_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["OSError", "OSError", "OSError", "MemoryError"]
    assert callable(confine) and not Path("made").exists()


@pytest.mark.parametrize("change", ["words", "numbers", "pickled", "cut"])
def test_a_damaged_start_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / START_FILE
    words = state_of(5)[1]
    numbers = np.array([1, 2, 624, 0], np.int64)
    arrays = {"numbers": numbers, "words": words, "normal": np.zeros(1)}
    if change == "words":
        arrays["words"] = words[:9]
    elif change == "numbers":
        arrays["numbers"] = np.array([-1, 2, 624, 0], np.int64)
    elif change == "pickled":
        arrays["words"] = np.array([Attack()], dtype=object)
    np.savez(path, **arrays)
    if change == "cut":
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(Refusal, match=r"the start .* is refused"):
        read_start(path)


def test_the_command_says_what_it_made(tmp_path: Path) -> None:
    write_demo(tmp_path / "demos")
    command = [sys.executable, "-m", "images.rlbench.convert_demos", str(tmp_path / "demos"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1 starts in ") and "1/1 push_buttons/variation1/episodes/episode0" in done.stderr
    child = [sys.executable, "-m", "images.rlbench.convert_demos", CHILD]
    told = subprocess.run(child, input=b"no pickle", capture_output=True, check=True).stdout
    assert told.startswith(b'{"refused": "the demo is refused')
