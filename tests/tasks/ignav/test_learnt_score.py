"""The learnt score: headings change no bit, other weights are refused, and every CPU computes the same."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.cameras import Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.planning.config import LoopConfig, PartConfig
from tasks.ignav.parts import PARTS
from tasks.ignav.scores import learnt_weights
from tasks.ignav.scores.learnt import GoalComparer
from tasks.ignav.scores.learnt_file import read_metadata, read_tensors, write_tensors
from tasks.ignav.scores.learnt_kernels import exponential
from tasks.ignav.scores.learnt_network import network_from
from tests.e2e.portable_roots import machines
from tests.tasks.ignav.learnt_weights import FRONT, PANO, picture, random_tensors, scores, write_weights

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def comparer() -> GoalComparer:
    return GoalComparer(network_from(random_tensors()), View(FRONT, picture(100, 128)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for the project's weights."""
    monkeypatch.setattr(learnt_weights, "WEIGHTS_FOLDER", tmp_path)
    return tmp_path


@given(x=st.floats(-690.0, 0.0))
@settings(deadline=None)
def test_the_exponential_is_that_of_the_library(x: float) -> None:
    assert exponential(x) == pytest.approx(math.exp(x), rel=2e-14)


def test_the_exponential_of_very_small_numbers_is_zero() -> None:
    assert exponential(0.0) == 1.0 and exponential(-701.0) == 0.0 and exponential(-1e300) == 0.0


def test_scores_differ_between_places_and_are_minus_a_distance(comparer: GoalComparer) -> None:
    found = [comparer([View(PANO, picture(seed))]) for seed in range(3)]
    assert len(set(found)) == 3 and all(-9.0 <= score <= 0.0 for score in found)


@pytest.mark.parametrize("seed", [1, 2])
def test_turning_changes_no_bit_of_the_score(comparer: GoalComparer, seed: int) -> None:
    here = picture(seed)
    level = comparer([View(PANO, here)])
    assert all(comparer([View(PANO, np.roll(here, turns * 16, axis=1))]) == level for turns in range(1, 16))


def test_only_the_last_view_of_an_end_counts(comparer: GoalComparer) -> None:
    views = [View(PANO, picture(seed)) for seed in (2, 3)]
    assert comparer(views) == comparer(views[1:]) != comparer(views[:1])


def test_each_heading_is_judged_by_what_it_shows_alone(comparer: GoalComparer) -> None:
    here = picture(4)
    level = comparer.at_headings(View(PANO, here))
    assert np.array_equal(comparer.at_headings(View(PANO, np.roll(here, 48, axis=1))), np.roll(level, -3))
    behind = here.copy()
    behind[:, :64] = 0
    assert comparer.at_headings(View(PANO, behind))[0] == level[0]
    assert comparer.at_headings(View(PANO, behind))[6] != level[6]


def test_a_larger_panorama_is_averaged_down(comparer: GoalComparer) -> None:
    large = np.kron(picture(5), np.ones((2, 2, 1), np.uint8))
    camera = Camera("large", "equirect", 256, 512, 360.0, 1.25)
    assert comparer([View(camera, large)]) == comparer([View(PANO, picture(5))])


def test_wrong_cameras_are_refused(comparer: GoalComparer) -> None:
    with pytest.raises(Refusal, match="cannot look round in a pinhole view"):
        comparer([View(FRONT, picture(0, 128))])
    network = network_from(random_tensors())
    for camera in (PANO, Camera("narrow", "pinhole", 128, 128, 60.0, 1.25)):
        with pytest.raises(Refusal, match="needs a square pinhole goal of 90 degrees"):
            GoalComparer(network, View(camera, picture(0, camera.width)))


def test_a_tier_names_weights_with_their_digest(folder: Path) -> None:
    sha256 = write_weights(folder)
    score = PARTS.make_score(PartConfig("learnt", {"weights": "random", "sha256": sha256}))
    expected = GoalComparer(network_from(random_tensors()), View(FRONT, picture(1, 128)))([View(PANO, picture(2))])
    assert score.against(View(FRONT, picture(1, 128)))([View(PANO, picture(2))]) == expected


def test_weights_that_are_not_the_suites_are_refused(folder: Path) -> None:
    right, other = write_weights(folder), write_weights(folder, "other", seed=1)
    with pytest.raises(Refusal, match=f"has the SHA-256 {right}, the suite was made with {other}"):
        PARTS.make_score(PartConfig("learnt", {"weights": "random", "sha256": other}))
    with pytest.raises(Refusal, match=r"missing\.safetensors, are not here"):
        PARTS.make_score(PartConfig("learnt", {"weights": "missing", "sha256": right}))
    with pytest.raises(Refusal, match="cannot be the name"):
        PARTS.make_score(PartConfig("learnt", {"weights": "../secret", "sha256": right}))
    with pytest.raises(Refusal, match="sha256"):
        PARTS.make_score(PartConfig("learnt", {"weights": "random"}))


def test_it_judges_panoramas_only() -> None:
    part = PartConfig("learnt", {})
    loop = LoopConfig(PartConfig("dog-legs"), part, PartConfig("similarity"), 1, 0.0, "pano", "front", ("self",))
    assert PARTS.judges(loop, "panorama") and not PARTS.judges(loop, "perspective")


def test_incomplete_or_broken_weights_are_refused() -> None:
    tensors = random_tensors()
    with pytest.raises(Refusal, match=r"lack 'output\.weight'"):
        network_from({name: tensor for name, tensor in tensors.items() if name != "output.weight"})
    tensors["goal.0.bias"][3] = np.nan
    with pytest.raises(Refusal, match=r"not finite in 'goal\.0\.bias'"):
        network_from(tensors)


def test_tensor_files_are_read_as_written_and_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    tensors: dict[str, npt.NDArray[Any]] = {
        "b": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "a": np.array([1.5, -2.0], np.float32),
    }
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    sha256 = write_tensors(first, tensors, {"z": "1", "y": "2"})
    assert write_tensors(second, dict(reversed(tensors.items())), {"y": "2", "z": "1"}) == sha256
    file = read_tensors(first)
    assert file.sha256 == sha256 and file.metadata == {"y": "2", "z": "1"} == read_metadata(first)
    assert all(np.array_equal(file.tensors[name], tensor) for name, tensor in tensors.items())
    library = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    loaded = library.load_file(first)
    assert all(np.array_equal(loaded[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("kept", [0, 4, 40, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.safetensors"
    write_tensors(path, {"a": np.zeros(8, np.float32)}, {})
    path.write_bytes(path.read_bytes()[:kept])
    for read in (read_tensors, read_metadata):
        with pytest.raises(Refusal, match=r"cut\.safetensors"):
            read(path)


@pytest.mark.slow
def test_scores_have_the_same_bits_on_other_cpus(tmp_path: Path) -> None:
    expected = scores()
    for name, machine in machines(tmp_path).items():
        if name == "native":
            continue
        command = [*machine.interpreter, "-m", "tests.tasks.ignav.learnt_weights"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **machine.environment}
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        assert json.loads(done.stdout) == expected, name


def test_a_run_without_the_scores_weights_is_refused_before_it_begins(folder: Path) -> None:
    with pytest.raises(Refusal, match=r"missing\.safetensors, are not here"):
        PARTS.check_score(PartConfig("learnt", {"weights": "missing", "sha256": "00" * 32}))
    PARTS.check_score(PartConfig("learnt", {"weights": "random", "sha256": write_weights(folder)}))
    PARTS.check_score(PartConfig("classical", {}))
