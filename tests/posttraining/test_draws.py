"""What a step draws follows from seed and step; how clips are held out and paired."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import Refusal
from harness.posttraining.clips import held_out, items_of, of_first_homes
from harness.posttraining.draws import Batches, draw_seed, learning_rate, share
from harness.posttraining.open_data import open_data
from harness.posttraining.recipe import TrainingRecipe
from tests.posttraining.world import make_walks

TRAINING = TrainingRecipe(steps=100, learning_rate=1.0, batch_size=4, accumulate=2, warmup_steps=9, schedule="cosine")


def test_every_clip_comes_once_before_any_comes_again() -> None:
    batches = Batches(24, TRAINING, 0)
    drawn = [row for step in range(6) for micro in range(2) for row in batches.rows(step, micro)]
    assert sorted(drawn[:24]) == sorted(drawn[24:]) == list(range(24)) and drawn[:24] != drawn[24:]


def test_a_step_draws_the_same_whoever_asks_and_when() -> None:
    asked = Batches(7, TRAINING, 3)
    assert asked.rows(50, 1) == Batches(7, TRAINING, 3).rows(50, 1) != Batches(7, TRAINING, 4).rows(50, 1)
    assert (
        len({draw_seed(0, step, micro, process) for step in range(5) for micro in range(2) for process in range(2)})
        == 20
    )


def test_processes_share_a_batch() -> None:
    rows = Batches(24, TRAINING, 0).rows(0, 0)
    assert sorted(share(rows, 0, 2) + share(rows, 1, 2)) == sorted(rows) and len(share(rows, 0, 2)) == 2


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate(TRAINING, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1.0 and max(rates) == 1.0 and 0.0 < rates[-1] < 0.001
    assert learning_rate(replace(TRAINING, schedule="constant"), 99) == 1.0


def test_whole_homes_are_held_out_and_the_seed_says_which(tmp_path: Path) -> None:
    items = items_of([open_data(make_walks(tmp_path), 6)])
    chosen = set()
    for seed in range(5):
        train, kept = held_out(items, seed)
        assert not {item.scene for item in train} & {item.scene for item in kept} and len(kept) == 3
        assert len(train) + len(kept) == len(items)
        chosen.add(kept[0].scene)
    assert len(chosen) > 1
    with pytest.raises(Refusal, match="all clips are of one home"):
        held_out(items[:1], 0)


def test_the_first_homes_are_a_part_of_more(tmp_path: Path) -> None:
    items = items_of([open_data(make_walks(tmp_path), 6)])
    scenes = sorted({item.scene for item in items})
    for homes in range(1, len(scenes) + 1):
        assert {item.scene for item in of_first_homes(items, homes)} == set(scenes[:homes])
    assert of_first_homes(items, 0) == items
    with pytest.raises(Refusal, match=f"data.homes is 99, and {len(scenes)} homes are there"):
        of_first_homes(items, 99)


def test_clips_are_paired_within_their_home(monkeypatch: Any) -> None:
    pytest.importorskip("torch", reason="post-training needs the extra models (torch)")
    from harness.posttraining.action_use import pairs_of

    scenes = ["a", "a", "b", "c", "a", "c"]
    assert pairs_of(scenes) == [(0, 1), (4, 0), (2, 3), (3, 5)]
    assert pairs_of(["a"]) == []


def test_a_use_of_actions_is_shown_by_an_interval_over_homes() -> None:
    pytest.importorskip("torch", reason="post-training needs the extra models (torch)")
    from harness.posttraining.action_use import summarised

    homes = [f"home {n // 4}" for n in range(40)]
    correct = [1.0 + 0.01 * (n % 7) for n in range(40)]
    better = summarised({"correct": correct, "shuffled": [c + 0.02 for c in correct], "none": correct}, homes, 80)
    assert better.uses_actions and better.none_minus_correct.value == 0.0 and better.homes == 10
    noisy = [c + (0.5 if n % 2 else -0.48) for n, c in enumerate(correct)]
    assert not summarised({"correct": correct, "shuffled": noisy, "none": correct}, homes, 80).uses_actions
