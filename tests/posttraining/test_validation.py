"""Which candidate is the best depends on the training alone: not on failures, interruptions or the machine's speed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

torch = pytest.importorskip("torch", reason="post-training needs the extra models (torch)")

from harness.cli.app import main  # noqa: E402
from harness.contracts.errors import WiwError  # noqa: E402
from harness.posttraining import training, validation  # noqa: E402
from harness.posttraining.bank_regret import Regrets  # noqa: E402
from tests.posttraining.test_training import record, weights, words  # noqa: E402
from tests.posttraining.world import make_walks  # noqa: E402


class Asked:
    """A measurement without a process: later candidates are worse, and the first try of one may fail."""

    fails: ClassVar[set[str]] = set()
    slow: ClassVar[bool] = False
    assignments: ClassVar[set[tuple[str, ...]]] = set()

    def __init__(self, job: Any, folder: Path, name: str) -> None:
        Asked.assignments.add(job.assignments)
        self._step = int(name.rpartition("-")[2])
        self._name = name

    def done(self) -> bool:
        return not Asked.slow

    def result(self) -> Regrets:
        if self._name in Asked.fails:
            Asked.fails.discard(self._name)
            raise WiwError("out of memory")
        homes = {"a": "one", "b": "two"}
        return Regrets({"a": float(self._step), "b": float(self._step)}, homes, {"a": 1.0, "b": 0.0}, homes)

    def stop(self) -> None:
        """Nothing goes on."""


@pytest.fixture
def walks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(validation, "Measuring", Asked)
    monkeypatch.setattr(Asked, "fails", set())
    monkeypatch.setattr("harness.posttraining.bank_regret.check_asked", lambda *_: None)
    return make_walks(tmp_path)


MORE = ("--validate-every", "10", "--set", "training.steps=30")


def steps(out: Path) -> list[int]:
    return [entry["step"] for entry in record(out)["validation"]["curve"]]


def test_candidates_are_asked_with_the_settings_that_they_are_trained_with(walks: Path, tmp_path: Path) -> None:
    Asked.assignments.clear()
    assert main(words(walks, tmp_path / "ck", *MORE)) == 0
    assert Asked.assignments == {("noise=0.01",)}


@pytest.mark.parametrize("slow", [False, True])
def test_a_measurement_that_fails_or_is_slow_ends_no_training_and_is_made_up_for(
    walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    monkeypatch.setattr(Asked, "slow", slow)
    Asked.fails = {"step-00000010"}
    assert main(words(walks, tmp_path / "ck", *MORE)) == 0
    assert steps(tmp_path / "ck") == [10, 20, 30] and record(tmp_path / "ck")["validation"]["best"] == 10


def test_what_training_waits_for_is_the_saving_of_a_candidate_and_that_is_written_down(
    walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A validation that never ends holds nothing up; saving that takes a tenth of a second does, after a kill too."""
    more = ("--validate-every", "10", "--set", "training.steps=50")
    monkeypatch.setattr(Asked, "slow", True)
    offer, save = validation.Validation.offer, training.Trainer.save

    def slow_offer(*given: Any) -> None:
        time.sleep(0.1)
        offer(*given)

    def dies(trainer: Any) -> None:
        save(trainer)
        if trainer.step == 20:
            raise MemoryError

    monkeypatch.setattr(validation.Validation, "offer", slow_offer)
    with monkeypatch.context() as patch:
        patch.setattr(training.Trainer, "save", dies)
        with pytest.raises(MemoryError):
            main(words(walks, tmp_path / "ck", *more))
    assert main(words(walks, tmp_path / "ck", *more)) == 0
    found = record(tmp_path / "ck")["validation"]
    assert 0.5 <= found["held_up_s"] <= found["trained_s"] and found["step_s_beside"] < 0.1
    assert found["held_up_share"] == pytest.approx(found["held_up_s"] / found["trained_s"], abs=2e-3)
    assert all(entry["success"]["value"] == 0.5 and entry["success"]["n"] == 2 for entry in found["curve"])
    page = (tmp_path / "ck" / "training.html").read_text()
    assert "success in 2 validation episodes" in page and "Validation held training up for" in page


def test_killed_right_after_a_state_was_saved_no_candidate_is_missing(
    walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "ck"
    assert main(words(walks, whole, *MORE)) == 0
    save = training.Trainer.save
    for step in (10, 20, 30):

        def dies(trainer: Any, step: int = step) -> None:
            save(trainer)
            if trainer.step == step:
                raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr(training.Trainer, "save", dies)
            with pytest.raises(MemoryError):
                main(words(walks, out, *MORE))
    assert main(words(walks, out, *MORE)) == 0
    assert steps(out) == steps(whole) == [10, 20, 30] and weights(out) == weights(whole)
