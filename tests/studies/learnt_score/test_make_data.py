"""Training data of the learnt score: real views, true distances, equal bytes however they were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.studies.learnt_score import make_data
from harness.studies.learnt_score.make_data import FORMAT, HomeJob, is_done, views_and_distances
from images.embedded.environment import RIG, Scene, make_scene
from images.embedded.homes import build_home
from tasks.ignav.scores.learnt_file import read_tensors

SIZES = ("--panoramas", "6", "--goals", "2", "--split", "train")


def job(folder: Path, name: str = "train-0000", seed: int = 0) -> HomeJob:
    return HomeJob(name, str(folder), str(folder / "cache"), 6, 2, seed)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene("train-0000", build_home(10_000_000))


@pytest.mark.slow
def test_views_are_real_and_distances_are_walked(scene: Scene, tmp_path: Path) -> None:
    found = views_and_distances(scene, job(tmp_path))
    again = views_and_distances(scene, job(tmp_path))
    other = views_and_distances(scene, job(tmp_path, seed=1))
    assert all(np.array_equal(found[name], again[name]) for name in found)
    assert not np.array_equal(found["panoramas"], other["panoramas"])
    assert found["panoramas"].shape == (6, 64, 256, 3) and found["goals"].shape == (2, 128, 128, 3)
    assert found["distances_m"].shape == (2, 6) and np.isfinite(found["distances_m"]).all()
    assert found["panoramas"].std(axis=(1, 2, 3)).min() > 5.0


@pytest.mark.slow
def test_bands_are_the_middle_of_the_agents_panorama(scene: Scene, tmp_path: Path) -> None:
    from harness.contracts import seeds

    found = views_and_distances(scene, job(tmp_path))
    generator = seeds.generator(0, "train-0000", -1, -1, "learnt score panoramas")
    view = scene.renderer.render(RIG.camera("pano"), scene.navigator.sample(generator), 0.0)
    assert np.array_equal(found["panoramas"][0], view.rgb[32:96])


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes_and_what_is_there_is_kept(tmp_path: Path) -> None:
    cache = ("--cache", str(tmp_path / "cache"))
    for workers in ("1", "2"):
        out = ("--out", str(tmp_path / workers), "--workers", workers, "--homes", "2")
        assert make_data.main([*SIZES, *cache, *out]) == 0
    files = [sorted((tmp_path / workers).iterdir()) for workers in ("1", "2")]
    assert [path.name for path in files[0]] == ["train-0000.safetensors", "train-0001.safetensors"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    assert read_tensors(files[0][0]).metadata["format"] == FORMAT
    before = [path.stat().st_mtime_ns for path in files[0]]
    files[0][1].unlink()
    assert is_done(job(tmp_path / "1")) and not is_done(job(tmp_path / "1", seed=1))
    assert make_data.main([*SIZES, *cache, "--out", str(tmp_path / "1"), "--homes", "2"]) == 0
    assert files[0][0].stat().st_mtime_ns == before[0]
    assert files[0][1].read_bytes() == files[1][1].read_bytes()


def test_an_unknown_split_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_data.main(["--homes", "1", "--split", "trian", "--out", str(tmp_path)]) == 2
    assert "Did you mean 'train'" in capsys.readouterr().err
