"""What is drawn from public randomness: the same for everybody, and nothing that a submitter could choose."""

from __future__ import annotations

import hashlib
import json
import random
import shlex
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.auditing.audit import Audited
from harness.cli.app import main
from harness.contracts.errors import Refusal
from harness.leaderboard.drawing import drawn_rows, fresh_seed
from harness.leaderboard.submitting import examine
from harness.leaderboard.verifying import Known, verify
from tasks.suite import load_suite
from tests.leaderboard.conftest import DIGEST, IMAGE, ROWS, Ready, write_run

ROUND = "drand 5230141 8c1f5a0e"
HASH = "ab" * 32


def test_anybody_can_draw_the_same_seed() -> None:
    seed = fresh_seed(ROUND, IMAGE, HASH)
    assert seed == hashlib.sha256(f"{ROUND}\n{DIGEST}\n{HASH}\n".encode()).hexdigest()[:16]
    words = ["printf '%s\\n'", shlex.quote(ROUND), DIGEST, HASH, "| sha256sum | cut -c1-16"]
    said = subprocess.run(["sh", "-c", " ".join(words)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == seed


def test_every_part_counts_and_the_name_of_the_image_does_not() -> None:
    seeds = {
        fresh_seed(ROUND, IMAGE, HASH),
        fresh_seed(f"{ROUND}0", IMAGE, HASH),
        fresh_seed(ROUND, f"sized@sha256:{'00' * 32}", HASH),
        fresh_seed(ROUND, IMAGE, "cd" * 32),
    }
    assert len(seeds) == 4
    assert fresh_seed(ROUND, f"other.example/name@{DIGEST}", HASH) == fresh_seed(ROUND, IMAGE, HASH)


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1\n2", "1\n", "\t", "ü", "1" * 1001, "a\x00b"])
def test_what_two_people_could_write_differently_is_no_randomness(text: str) -> None:
    with pytest.raises(Refusal, match="--randomness"):
        fresh_seed(text, IMAGE, HASH)


def test_a_tag_is_not_drawn_for() -> None:
    with pytest.raises(Refusal, match="names no digest"):
        fresh_seed(ROUND, "sized:latest", HASH)


def on_fresh_homes(ready: Ready, folder: Path, seed: str) -> Path:
    """Return the bundle of a run on the fresh homes of a seed."""
    run = write_run(folder / f"on-{seed}", ready.suite, "two", split=f"fresh-{seed}")
    return ready.having(run).bundle(folder / f"{seed}.zip")


def test_a_bundle_on_other_homes_than_drawn_is_refused(ready: Ready, tmp_path: Path) -> None:
    drawn = fresh_seed(ROUND, IMAGE, ready.suite.hash("precise"))
    honest, chosen = (on_fresh_homes(ready, tmp_path, seed) for seed in (drawn, "00000000feedc0de"))
    asked = Known(randomness=ROUND)
    assert verify(honest, asked).reasons == ()
    assert [reason.code for reason in verify(chosen, asked).reasons] == ["other-homes"]
    assert verify(chosen).reasons == () and any("--randomness" in said for said in verify(chosen).unchecked)


def test_public_homes_alone_are_named_and_another_image_than_registered_is_refused(
    ready: Ready, tmp_path: Path
) -> None:
    bundle = ready.bundle(tmp_path / "bundle.zip")
    found = verify(bundle, Known(randomness=ROUND, image=f"any.example/name@{DIGEST}"))
    assert found.reasons == () and any("in public ones alone" in said for said in found.unchecked)
    other = verify(bundle, Known(image=f"sized@sha256:{'00' * 32}"))
    assert [reason.code for reason in other.reasons] == ["other-image"]


def test_the_command_prints_what_plays_the_drawn_homes(
    ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = ready.bundle(tmp_path / "bundle.zip")
    assert main(["verify", str(bundle), "--draw", "--randomness", ROUND]) == 0
    seed = fresh_seed(ROUND, IMAGE, ready.suite.hash("precise"))
    first, words = capsys.readouterr().out.splitlines()
    assert first.endswith(f"precise  fresh seed {seed}")
    assert f"--wm-image {IMAGE} --wm warp --task ignav --suite embedded-v1 --tier precise" in words
    assert words.endswith(f"--split fresh --fresh-seed {seed} --episodes all --stop self")
    suite = load_suite("embedded")
    assert main(["verify", "--draw", "--image", IMAGE, "--tier", "easy", "--randomness", ROUND, "--json"]) == 0
    (drawn,) = json.loads(capsys.readouterr().out)["drawn"]
    assert drawn["fresh_seed"] == fresh_seed(ROUND, IMAGE, suite.hash("easy"))
    assert "--wm " not in drawn["command"] and drawn["suite_hash"] == suite.hash("easy")


@pytest.mark.parametrize(
    "words",
    [
        ["--draw", "--image", IMAGE],
        ["--draw", "--randomness", ROUND],
        ["b.zip", "--draw", "--image", IMAGE, "--randomness", ROUND],
        ["b.zip", "--tier", "easy"],
        ["b.zip", "--draw", "--probe", "--randomness", ROUND],
        ["--draw", "--image", IMAGE, "--signer", "ab", "--randomness", ROUND],
        ["--draw", "--image", IMAGE, "--task", "ignva", "--randomness", ROUND],
        ["--draw", "--image", "sized:latest", "--randomness", ROUND],
        ["--draw", "--image", IMAGE, "--tier", "none", "--randomness", ROUND],
        [],
    ],
)
def test_a_draw_that_cannot_be_made_costs_a_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *words]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.fixture(scope="module")
def audited(made: Ready) -> Audited:
    return examine(made.asked).runs[0]


def test_rows_are_drawn_equally_often_without_replacement(audited: Audited) -> None:
    counts: Counter[str] = Counter()
    for number in range(600):
        drawn = [row.key.folder_name for _, row in drawn_rows([audited], HASH, f"round {number}", 4)]
        assert len(set(drawn)) == 4
        counts.update(drawn)
    expected = 600 * 4 / ROWS
    assert len(counts) == ROWS and sum((n - expected) ** 2 / expected for n in counts.values()) < 31.3  # p = 0.001


def test_neither_order_nor_another_count_changes_who_is_drawn(audited: Audited) -> None:
    rows = list(audited.rows)
    random.Random(1).shuffle(rows)
    first = [row.key for _, row in drawn_rows([audited], HASH, ROUND, 5)]
    assert first == [row.key for _, row in drawn_rows([replace(audited, rows=tuple(rows))], HASH, ROUND, 5)]
    assert first == [row.key for _, row in drawn_rows([audited], HASH, ROUND, ROWS)][:5]
    assert first != [row.key for _, row in drawn_rows([audited], "cd" * 32, ROUND, 5)]


@pytest.mark.parametrize("count", [0, -1, ROWS + 1])
def test_more_rows_than_there_are_cannot_be_drawn(audited: Audited, count: int) -> None:
    with pytest.raises(Refusal, match=f"not in 1..{ROWS}"):
        drawn_rows([audited], HASH, ROUND, count)
