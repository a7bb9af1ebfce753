"""Everything that an environment may call is compiled before it can be reached."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="the embedded homes need the extra `embedded`")

from images.embedded import warm_up

ROOT = Path(__file__).parents[3]

PLAY = """
import sys
from harness.contracts import kernels
from harness.contracts.actions import Candidate
from harness.contracts.cameras import Pose
from harness.contracts.observations import ViewRequest
from images.embedded import warm_up
from images.embedded.environment import RIG, EmbeddedEnvironment
from tasks.suite import load_suite

told = []
warm_up.compile_kernels(told.append)
again = []
warm_up.compile_kernels(again.append)
suite = load_suite("embedded-v1", "ignav")
environment = EmbeddedEnvironment(sys.argv[1])
late = []
with kernels.telling(lambda done, known: late.append(done)):
    for episode in suite.episodes("easy", "validation")[:1] * 2:
        cameras = [ViewRequest(camera.name) for camera in RIG.cameras]
        environment.reset(episode, 0, cameras)
        environment.render([Pose.of(episode.payload["goal"])], cameras)
        space = environment.describe().action_spaces[0]
        environment.step(space.primitives, cameras)
        list(environment.imagine([Candidate(space.primitives)], "pano", [[0, 1]]))
        environment.rollout_poses([Candidate(space.primitives)], [[0, 1]])
        start, goal = episode.start.position, Pose.of(episode.payload["goal"]).position
        environment.geodesic_distance(start, goal), environment.shortest_path(start, goal)
        environment.is_navigable(goal), environment.top_down_map(), environment.object_boxes()
        environment.close()
print(told[-1].replace(" ", "_"), len(again), len(late))
"""


@pytest.mark.slow
def test_no_call_compiles_after_the_start(tmp_path: Path) -> None:
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    command = [sys.executable, "-c", PLAY, str(tmp_path / "homes")]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told, again, late = done.stdout.split()
    assert told.startswith("compiling_kernels,_") and (again, late) == ("0", "0")
    compiled, known = (int(part) for part in told.removeprefix("compiling_kernels,_").split("_of_"))
    assert compiled == known > 20


def test_one_process_compiles_and_the_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads stand for processes: a lock of `flock` belongs to who opened the file."""
    monkeypatch.setattr(warm_up, "kernel_folder", lambda file, module: tmp_path / "folder")
    compiling, go_on = threading.Event(), threading.Event()
    used: list[int] = []

    def use() -> None:
        used.append(1)
        compiling.set()
        assert go_on.wait(30.0)

    monkeypatch.setattr(warm_up, "use_all_kernels", use)
    said: list[str] = []
    first = threading.Thread(target=warm_up.compile_kernels, args=(lambda text: None,))
    first.start()
    assert compiling.wait(30.0)
    waits = threading.Event()

    def hear(text: str) -> None:
        said.append(text)
        waits.set()

    second = threading.Thread(target=warm_up.compile_kernels, args=(hear,))
    second.start()
    assert waits.wait(30.0)
    go_on.set()
    first.join()
    second.join()
    assert used == [1] and "waiting" in said[0]


def test_where_nothing_can_be_kept_it_compiles_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_up, "kernel_folder", lambda file, module: None)
    used: list[int] = []
    monkeypatch.setattr(warm_up, "use_all_kernels", lambda: used.append(1))
    warm_up.compile_kernels(lambda text: None)
    assert used == [1]
