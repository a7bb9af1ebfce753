"""Training the learnt score: a tiny one runs through, its export is the network, and splits cannot be mixed up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (the extra `models`)")

from harness.contracts.errors import Refusal  # noqa: E402
from harness.studies.learnt_score import train  # noqa: E402
from harness.studies.learnt_score.batches import load_splits  # noqa: E402
from harness.studies.learnt_score.fit import (  # noqa: E402
    CLEAN,
    CONDITIONS,
    errors_on,
    two_hot,
)
from harness.studies.learnt_score.make_data import FORMAT  # noqa: E402
from harness.studies.learnt_score.network import DistanceNetwork, exported  # noqa: E402
from tasks.ignav.scores.learnt_file import read_tensors, write_tensors  # noqa: E402
from tasks.ignav.scores.learnt_network import network_from  # noqa: E402


def write_home(folder: Path, name: str, goals: int = 3, says: str = "") -> None:
    """Write a home of noise, with distances of all bands."""
    generator = np.random.default_rng(len(name) + int(name[-4:]))
    tensors: dict[str, npt.NDArray[Any]] = {
        "panoramas": generator.integers(0, 256, (8, 64, 256, 3)).astype(np.uint8),
        "goals": generator.integers(0, 256, (goals, 128, 128, 3)).astype(np.uint8),
        "distances_m": (generator.random((goals, 8)) * 6.0).astype(np.float32),
    }
    write_tensors(folder / f"{name}.safetensors", tensors, {"format": FORMAT, "home": says or name})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train-0000", "train-0001", "validation-0000", "test-0000"):
        write_home(folder, name)
    return folder


def random_network() -> DistanceNetwork:
    """Return a network in use (not in training) whose batch norms are not the identity."""
    torch.manual_seed(0)
    network = DistanceNetwork()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.05, 0.3)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    network.eval()
    return network


def test_the_score_without_torch_is_the_network() -> None:
    network = random_network()
    score = network_from(exported(network))
    generator = np.random.default_rng(0)
    goal = generator.integers(0, 256, (64, 64, 3)).astype(np.float32)
    bands = generator.integers(0, 256, (3, 64, 256, 3)).astype(np.float32)
    with torch.inference_mode():
        panoramas = torch.from_numpy(bands).permute(0, 3, 1, 2)[None] / 255.0 - 0.5
        logits = network(torch.from_numpy(goal).permute(2, 0, 1)[None] / 255.0 - 0.5, panoramas)
        expected = network.decided(logits)[0].numpy()
    features = score.goal_features(goal)
    assert np.abs([score.distance_m(features, band) for band in bands] - expected).max() < 1e-4
    assert np.ptp(expected) > 1e-3


@pytest.mark.parametrize("distance", [0.0, 0.02, 0.5, 2.7, 5.99, 30.0])
def test_two_hot_shares_have_the_distance_as_their_mean(distance: float) -> None:
    edges = random_network().distances_m
    shares = two_hot(torch.tensor([distance]), edges)
    assert float(shares.sum()) == pytest.approx(1.0, abs=1e-6) and int((shares > 0).sum()) <= 2
    assert float((shares * edges).sum()) == pytest.approx(min(distance, 5.999), abs=1e-4)


def test_a_tiny_training_writes_weights_errors_and_card(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.safetensors"
    arguments = ["--data", str(data), "--out", str(out), "--device", "cpu", "--smoke", "--seconds", "1"]
    assert train.main(arguments) == 0
    file = read_tensors(out)
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["sha256"] == file.sha256 and record["bytes"] == out.stat().st_size <= train.MOST_BYTES
    assert record["difference_m"] < 1e-3 and record["steps"] >= 1
    assert set(record["errors"]) == {"validation", "test"} and set(record["errors"]["test"]) == set(CONDITIONS)
    network_from(file.tensors)
    card = out.with_suffix(".md").read_text()
    assert file.sha256 in card and f"train {' '.join(arguments)}" in card.replace("'", "")
    assert "| validation | 1 | validation-0000 to validation-0000 | choose the checkpoint |" in card
    assert "| test | 1 | test-0000 to test-0000 | report |" in card


def test_errors_are_of_the_same_pairs_at_every_call(data: Path) -> None:
    homes = load_splits(data, "cpu")["validation"]
    first, second = (errors_on(random_network(), homes, CLEAN, 1, 2) for _ in range(2))
    assert first == second
    assert sum(band.pairs for band in first.bands) == 32
    assert first.bands[-1].error_m > 0.0


def test_pairs_are_of_one_home_and_carry_their_distance(data: Path) -> None:
    homes = load_splits(data, "cpu")["train"]
    goals, panoramas, distances = homes.pairs(20, 4, torch.Generator().manual_seed(0))
    for goal, views, metres in zip(goals, panoramas, distances):
        home, number = next((h, g) for h in range(2) for g in range(3) if torch.equal(homes.goals[h, g], goal))
        places = [next(p for p in range(8) if torch.equal(homes.panoramas[home, p], view)) for view in views]
        assert torch.equal(homes.distances_m[home, number, places], metres)


def test_missing_or_mixed_data_is_refused(data: Path, tmp_path: Path) -> None:
    write_home(data, "test-0001", says="train-0007")
    with pytest.raises(Refusal, match="calls itself 'train-0007'"):
        load_splits(data, "cpu")
    (data / "test-0001.safetensors").unlink()
    write_home(data, "train-0002", goals=4)
    with pytest.raises(Refusal, match=r"train-0002.* has other sizes"):
        load_splits(data, "cpu")
    (data / "train-0002.safetensors").unlink()
    (data / "validation-0000.safetensors").unlink()
    with pytest.raises(Refusal, match=r"no homes of split 'validation'"):
        load_splits(data, "cpu")
    assert train.main(["--data", str(data), "--out", str(tmp_path / "x.bin")]) == 2
