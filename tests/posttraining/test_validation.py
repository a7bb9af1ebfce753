"""Which candidate is the best depends on the training alone: not on failures, interruptions or the machine's speed."""

from __future__ import annotations

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

    def __init__(self, job: Any, folder: Path, name: str) -> None:
        self._step = int(name.rpartition("-")[2])
        self._name = name

    def done(self) -> bool:
        return not Asked.slow

    def result(self) -> Regrets:
        if self._name in Asked.fails:
            Asked.fails.discard(self._name)
            raise WiwError("out of memory")
        return Regrets({"a": float(self._step), "b": float(self._step)}, {"a": "one", "b": "two"})

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


@pytest.mark.parametrize("slow", [False, True])
def test_a_measurement_that_fails_or_is_slow_ends_no_training_and_is_made_up_for(
    walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    monkeypatch.setattr(Asked, "slow", slow)
    Asked.fails = {"step-00000010"}
    assert main(words(walks, tmp_path / "ck", *MORE)) == 0
    assert steps(tmp_path / "ck") == [10, 20, 30] and record(tmp_path / "ck")["validation"]["best"] == 10


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
