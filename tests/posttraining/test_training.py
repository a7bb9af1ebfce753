"""From data to a checkpoint: the same bytes after any interruption, a card that is accepted, and clear refusals."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="post-training needs the extra models (torch)")

from safetensors import SafetensorError  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from harness.cli.app import main  # noqa: E402
from harness.posttraining import pipeline, state  # noqa: E402
from harness.worldmodels.cards import check_card  # noqa: E402
from harness.worldmodels.catalog import load_catalog  # noqa: E402
from harness.worldmodels.preparing import Choice, check, prepare  # noqa: E402
from tests.posttraining.world import HELD_OUT, TOY, WALKS, make_walks  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_walks(tmp_path_factory.mktemp("walks"))


def words(walks: Path, out: Path, *more: str) -> list[str]:
    return ["posttrain", "toy", "--plugins", str(TOY), "--data", str(walks), "--out", str(out), "--no-bank", *more]


def weights(out: Path) -> bytes:
    return (out / "toy.safetensors").read_bytes()


def record(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "training.json").read_text())
    return found


def test_a_checkpoint_comes_with_a_card_that_is_accepted(walks: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "ck"
    assert main(words(walks, out)) == 0
    card = check_card(out)
    assert card.licence == "Apache-2.0" and card.steps == 40 and card.training_data == ("walks",)
    assert card.hyperparameters["training.learning_rate"] == 0.02 and card.hyperparameters["seed"] == 0
    assert set(card.weights) == {"toy.safetensors"} and len(str(card.hyperparameters["code"])) == 64
    curve = record(out)["curve"]
    assert [entry["step"] for entry in curve] == [10, 20, 30, 40]
    assert curve[-1]["losses"]["loss"] < 0.5 * curve[0]["losses"]["loss"]
    page = (out / "training.html").read_text()
    assert page.count("<polyline") == 4 and "walks (15 clips)" in page and "shuffled minus correct" in page
    said = capsys.readouterr().out
    assert "FTtoy after 40 steps" in said and f"--weights {out}" in said
    assert main(words(walks, out)) == 0 and "is complete already" in capsys.readouterr().out


def test_equal_seeds_give_equal_bytes_and_others_do_not(walks: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(words(walks, tmp_path / name, "--seed", seed, "--set", "training.steps=6")) == 0
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


@pytest.mark.parametrize("keep", ["device", "memory", "disk"])
def test_where_clips_are_kept_changes_no_byte(walks: Path, tmp_path: Path, keep: str) -> None:
    more = ("--set", "training.steps=6", "--set", "training.checkpoint_every=2")
    assert main(words(walks, tmp_path / "a", *more)) == 0
    assert main(words(walks, tmp_path / "b", *more, "--set", f"training.keep={keep}")) == 0
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_killed_at_any_moment_the_same_command_ends_with_the_same_bytes(walks: Path, tmp_path: Path) -> None:
    more = ("--set", "training.steps=300", "--set", "training.checkpoint_every=20", "--set", "training.accumulate=2")
    assert main(words(walks, tmp_path / "whole", *more)) == 0
    out, work = tmp_path / "ck", tmp_path / "ck.work"
    state = work / "state.tensors"
    started = subprocess.Popen(
        [sys.executable, "benchmark.py", *words(walks, out, *more)], cwd=ROOT, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    while not state.exists() and started.poll() is None:
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert state.exists() and not out.exists()
    assert main(words(walks, out, *more)) == 0
    assert weights(out) == weights(tmp_path / "whole")
    losses = [[entry["losses"] for entry in record(place)["curve"]] for place in (out, tmp_path / "whole")]
    assert losses[0] == losses[1]


def test_ctrl_c_saves_and_says_how_to_go_on(walks: Path, tmp_path: Path) -> None:
    more = ("--set", "training.steps=100000", "--set", "training.checkpoint_every=100000")
    out = tmp_path / "ck"
    started = subprocess.Popen(
        [sys.executable, "benchmark.py", *words(walks, out, *more)], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert started.stderr is not None
    for line in started.stderr:
        if line.startswith("training"):
            break
    time.sleep(0.5)
    started.send_signal(signal.SIGINT)
    said = started.stderr.read()
    assert started.wait() == 3 and (tmp_path / "ck.work" / "state.tensors").exists() and not out.exists()
    assert "steps are done and saved; continue with  python benchmark.py posttrain toy" in said


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(walks: Path, tmp_path: Path, capsys: Any) -> None:
    more = ("--set", "training.checkpoint_every=5", "--set", "settings.break_at=14")
    assert main(words(walks, tmp_path / "ck", *more)) == 2
    said = capsys.readouterr().err
    assert "is nan in the steps up to 15" in said and "learning_rate" in said and "continue with" not in said
    assert "The state of step 10 is kept" in said
    from harness.posttraining.state import read_state

    kept = read_state(tmp_path / "ck.work")
    assert kept is not None and kept.facts["step"] == 10
    assert all(torch.isfinite(value).all() for value in kept.model.values())


def test_a_full_disk_is_said_with_the_command_that_goes_on(
    walks: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    def no_room(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    given = words(walks, tmp_path / "ck", "--set", "training.steps=2", "--set", "training.keep=disk")
    for place, what, does in ((state, "save_file", full), (os, "posix_fallocate", no_room)):
        with monkeypatch.context() as patch:
            patch.setattr(place, what, does)
            assert main(given) == 1
        said = capsys.readouterr().err
        assert "No space left on device" in said and "Then continue with: python benchmark.py posttrain" in said
        shutil.rmtree(tmp_path / "ck.work" / "prepared", ignore_errors=True)
    assert main(given) == 0


def test_other_settings_or_data_in_the_same_place_are_refused_by_name(walks: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "ck"
    assert main(words(walks, out, "--set", "training.steps=4")) == 0
    assert main(words(walks, out, "--set", "training.steps=5")) == 2
    assert "recipe.training.steps is 4 there and 5 here" in capsys.readouterr().err
    other = make_walks(tmp_path, replace(WALKS, seed=1))
    assert main(words(other, out, "--set", "training.steps=4")) == 2
    assert "data.walks is" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    assert main(words(walks, tmp_path / "mine")) == 2
    assert "exists and is no checkpoint of posttrain" in capsys.readouterr().err


def test_what_is_wrong_is_said_before_anything_starts(walks: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "ck"
    for given, what in (
        (["posttrain", "toi", "--plugins", str(TOY), "--data", str(walks), "--out", str(out)], "Did you mean 'toy'"),
        (["posttrain", "toy", "--plugins", str(TOY), "--out", str(out)], "posttrain needs data: --data DIR"),
        (["posttrain", "toy", "--plugins", str(TOY), "--data", str(walks)], "--out missing"),
        (words(walks, out, "--data", str(walks)), "two data sets are called 'walks'"),
        (words(walks, out, "--weights", str(tmp_path / "none")), "does not exist"),
        (words(walks, out, "--weights", str(TOY)), "toy_training:ToyTrainee cannot begin with the weights"),
        (words(walks, walks / "ck"), f"lies in {walks}, which the training reads"),
        (words(walks, out, "--set", "settings.colour=red"), "the toy has no setting 'colour'"),
        (words(walks, out, "--set", "training.gradient_checkpointing=true"), "cannot compute activations again"),
    ):
        assert main(given) == 2
        assert what in capsys.readouterr().err
        assert not out.exists()


def test_training_begins_with_weights_and_knows_them_by_their_bytes(walks: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(words(walks, tmp_path / "a", "--set", "training.steps=40")) == 0
    assert main(words(walks, tmp_path / "b", "--set", "training.steps=10", "--weights", str(tmp_path / "a"))) == 0
    first, second = (record(tmp_path / name)["curve"][0]["losses"]["loss"] for name in ("a", "b"))
    assert second < 0.8 * first
    again = words(walks, tmp_path / "b", "--set", "training.steps=10", "--weights", str(tmp_path / "a"))
    assert main(again) == 0
    assert main(words(walks, tmp_path / "c", "--set", "training.steps=8")) == 0
    (tmp_path / "a" / "toy.safetensors").write_bytes(weights(tmp_path / "c"))
    assert main(again) == 2
    assert "weights is" in capsys.readouterr().err


def test_a_smoke_takes_few_steps_on_few_clips(walks: Path, tmp_path: Path) -> None:
    assert main(words(walks, tmp_path / "ck", "--smoke")) == 0
    found = record(tmp_path / "ck")
    assert found["steps"] == 4 and found["data"][0]["clips"] == 8 and found["smoke"]


def test_a_smoke_of_a_model_whose_base_is_not_here_begins_with_random_weights_and_says_so(
    walks: Path, tmp_path: Path, capsys: Any
) -> None:
    family = shutil.copytree(TOY, tmp_path / "toy")
    declared = (family / "plugin.toml").read_text()
    missing = 'base_checkpoint = { source = "./none" }'
    (family / "plugin.toml").write_text(declared.replace('checkpoint = { source = "nobody/toy" }', missing))
    given = ["posttrain", "toy", "--plugins", str(family), "--data", str(walks), "--out", str(tmp_path / "ck")]
    assert main([*given, "--no-bank"]) == 2
    assert "the weights of ./none, which the training begins with, are not here" in capsys.readouterr().err
    assert main([*given, "--no-bank", "--smoke"]) == 0
    assert "This smoke begins with random ones." in capsys.readouterr().err
    assert check_card(tmp_path / "ck").hyperparameters["weights"] == "random"


def test_a_model_that_does_not_use_its_actions_is_stamped_so(walks: Path, tmp_path: Path, capsys: Any) -> None:
    deaf, told = tmp_path / "deaf", tmp_path / "told"
    held_out = make_walks(tmp_path, HELD_OUT)
    more = ("--held-out", str(held_out))
    assert main(words(walks, deaf, *more, "--set", "settings.deaf=true")) == 0
    assert "NOT SHOWN TO USE ITS ACTIONS, runs are stamped ignores-actions" in capsys.readouterr().out
    assert main(words(walks, told, *more)) == 0
    assert "uses its actions: loss by actions on 18 held-out clips of 6 homes" in capsys.readouterr().out
    assert check_card(deaf).stamps == ("ignores-actions",) and check_card(told).stamps == ()
    found = record(told)["action_use"]
    assert found["uses_actions"] and found["homes"] == 6
    assert found["loss"]["correct"]["value"] < found["loss"]["shuffled"]["value"]
    assert found["shuffled_minus_correct"]["low"] > 0.0 and "is not shown to use" in (deaf / "README.md").read_text()
    for folder, stamps in ((deaf, ("ignores-actions",)), (told, ())):
        manifest = load_catalog([TOY]).find("FTtoy").manifest
        choice = Choice(weights=str(folder))
        assert check(prepare(manifest, choice), choice).stamps == stamps


def test_data_of_one_home_leave_none_to_judge_by(tmp_path: Path, capsys: Any) -> None:
    alone = make_walks(tmp_path, replace(WALKS, scenes=("train-9000",), clips=4))
    assert main(words(alone, tmp_path / "ck")) == 2
    assert "all clips are of one home" in capsys.readouterr().err


def test_homes_that_judge_are_not_trained_on(walks: Path, tmp_path: Path) -> None:
    assert main(words(walks, tmp_path / "ck", "--set", "training.steps=2")) == 0
    found = record(tmp_path / "ck")
    assert (found["data"][0]["clips"], found["held_out"][0]["clips"]) == (15, 3)


def test_a_dry_run_says_memory_and_time_and_writes_nothing(walks: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(words(walks, tmp_path / "ck", "--dry-run", "--set", "training.steps=1000000")) == 0
    said = capsys.readouterr().out
    assert "FTtoy by the recipe toy, from random, on CPU" in said and "(408, 408 of them trained)" in said
    assert "1000000 steps of" in said and "15 to train on, 3 held out" in said
    assert main(words(walks, tmp_path / "ck", "--dry-run", "--json")) == 0
    plain = json.loads(capsys.readouterr().out)
    assert (
        plain["optimizer_gb"] > 2 * plain["parameters_gb"] > 0.0 and plain["total_s"] > plain["steps"] * plain["step_s"]
    )
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_checked_on_other_data(walks: Path, tmp_path: Path, capsys: Any) -> None:
    out, held_out = tmp_path / "ck", make_walks(tmp_path, HELD_OUT)
    assert main(words(walks, out)) == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    asked = ["posttrain", "--check", str(out), "--plugins", str(TOY), "--data", str(held_out), "--no-bank"]
    assert main(asked) == 0
    assert "uses its actions: loss by actions on 18 held-out clips" in capsys.readouterr().out
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert main([*asked, "--json"]) == 0 and json.loads(capsys.readouterr().out)["homes"] == 6
    card = (out / "README.md").read_text()
    (out / "README.md").write_text(card.replace("steps: 40\n", "steps: 4000\n", 1))
    assert main(asked) == 2 and "was changed after it was written" in capsys.readouterr().err
    (out / "README.md").write_text(card)
    (out / "toy.safetensors").write_bytes(weights(out)[:-4] + b"abcd")
    assert main(asked) == 2 and "is not what its card says" in capsys.readouterr().err
    (out / "toy.safetensors").write_bytes(before["toy.safetensors"])
    assert main([*asked, "--seed", "3"]) == 2
    assert "--check takes no --seed=3" in capsys.readouterr().err
    assert main(["posttrain", "--check", str(walks), "--plugins", str(TOY), "--data", str(held_out)]) == 2
    assert "is no checkpoint of posttrain" in capsys.readouterr().err


@pytest.mark.slow
def test_the_best_candidate_by_regret_is_the_result(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bank is asked for two candidates and at the end, in one state of each home."""
    monkeypatch.setattr(pipeline, "VALIDATION_STATES", 1)
    walks, out = make_walks(tmp_path), tmp_path / "ck"
    given = [word for word in words(walks, out, "--validate-every", "2", "--smoke") if word != "--no-bank"]
    assert main(given) == 0
    said = capsys.readouterr().out
    found = record(out)
    curve = found["validation"]["curve"]
    assert [entry["step"] for entry in curve] == [2, 4] and all(e["regret_m"]["n"] == 25 for e in curve)
    assert all(entry["success"]["n"] == 2 for entry in curve)
    assert found["validation"]["best"] == min(curve, key=lambda entry: entry["regret_m"]["value"])["step"]
    assert set(found["action_use"]["bank"]["regret_m"]) == {"FTtoy", "copy"}
    assert "regret in 25 states of the decision bank: FTtoy" in said
    last = tmp_path / "ck.work" / "last" / "toy.safetensors"
    assert last.is_file() and (last.read_bytes() == weights(out)) == (found["validation"]["best"] == 4)
    assert check_card(out).steps == 4


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """Gradients are exchanged: without noise, half of a batch on each of two processes gives the same weights."""
    walks = make_walks(tmp_path)
    more = ("--set", "settings.noise=0", "--set", "training.batch_size=6", "--set", "training.accumulate=2")
    assert main(words(walks, tmp_path / "one", *more)) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "benchmark.py"]
    for keep in ("memory", "disk"):
        given = words(walks, tmp_path / keep, *more, "--set", f"training.keep={keep}")
        done = subprocess.run(
            [*launch, *given], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("FTtoy after 40 steps") == 1
        states = [load_file(tmp_path / name / "toy.safetensors") for name in ("one", keep)]
        for name, value in states[0].items():
            assert torch.allclose(value, states[1][name], atol=1e-5), name
