"""`submit`: what is accepted makes equal bytes, and what is not is refused with every reason."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.contracts.errors import Refusal
from harness.leaderboard import admission, signing
from harness.leaderboard.submitting import examine, submit
from harness.leaderboard.verifying import Known, verify
from harness.records.errors import RecordError
from tests.leaderboard.conftest import COMMIT, IMAGE, ROWS, Ready, at_commit, write_run
from tests.studies.small_suite import solved_by

SOLVED = sum(solved_by(0.6)[:ROWS])


def test_a_bundle_holds_and_the_same_runs_make_the_same_bytes(ready: Ready, tmp_path: Path) -> None:
    first, second = ready.bundle(tmp_path / "first.zip"), ready.bundle(tmp_path / "second.zip")
    assert first.read_bytes() == second.read_bytes()
    found = verify(first)
    assert found.reasons == () and found.holds and found.manifest is not None
    (run,) = found.manifest.runs
    assert (run.run_id, run.episodes) == ("one", ROWS) and run.success == pytest.approx(SOLVED / ROWS)
    assert found.signer == signing.key_id(ready.key) and found.trusted is None
    assert any("another version" in said for said in found.unchecked)  # of the small suite
    names = set(found.manifest.files)
    assert sum(name.endswith("trajectory.json") for name in names) == ROWS
    assert sum(name.endswith("video.mp4") for name in names) == 4
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_a_signer_that_is_not_known_is_told(ready: Ready, tmp_path: Path) -> None:
    bundle = ready.bundle(tmp_path / "bundle.zip")
    other = tmp_path / "other.pem"
    signing.new_key(other)
    assert verify(bundle, Known([signing.key_id(ready.key)])).holds
    assert not verify(bundle, Known([signing.key_id(other)])).holds


Change = Callable[[Ready, Path], Ready]


def another(**changes: Any) -> Change:
    """Let the run be one with other facts of its identity."""
    return lambda ready, folder: ready.having(write_run(folder / "others", ready.suite, "other", **changes))


def in_place(edit: Callable[[Path], None]) -> Change:
    def change(ready: Ready, folder: Path) -> Ready:
        edit(ready.run)
        return ready

    return change


def edited(run: Path) -> None:
    """Let one episode claim that it was solved."""
    file = next(f for f in sorted(run.glob("episodes/*/trajectory.json")) if '"state":"failed"' in f.read_text())
    file.write_text(file.read_text().replace('"state":"failed"', '"state":"ok"'))


def called_otherwise(run: Path) -> None:
    """Let a run name its suite by another of the suite's names."""
    record = json.loads((run / "run.json").read_text())
    record["identity"]["suite"] = "embedded"
    (run / "run.json").write_text(json.dumps(record))


def with_another_model(ready: Ready, folder: Path) -> Ready:
    return ready.having(ready.run, write_run(folder / "others", ready.suite, "other", wm="copy"))


REFUSED: dict[str, Change] = {
    "process-runtime": another(wm_image=None),
    "partial": another(played=ROWS - 1),
    "partial ": another(episodes_subset="12"),
    "not-test": another(split="validation"),
    "stamped": another(stamps=("random-weights",)),
    "stamped ": another(stamps=("uncarded",)),
    "stamped  ": another(stamps=("unsandboxed",)),
    "other-suite": another(suite_hash="0" * 64),
    "other-loop": another(specs={"search": {"candidates": 4}}),
    "other-loop ": another(specs={"rig": {}, "note": "a table of its own"}),
    "other-loop  ": another(specs={"search": {}}),
    "other-suite ": in_place(called_otherwise),
    "damaged": in_place(edited),
    "dirty-tree": in_place(lambda run: at_commit(run, f"{COMMIT}+")),
    "dirty-tree ": in_place(lambda run: at_commit(run, "")),
    "twice": lambda ready, folder: ready.having(ready.run, ready.run),
    "several-models": with_another_model,
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_nobody_should_believe_is_refused_by_its_code(ready: Ready, tmp_path: Path, code: str) -> None:
    wrong = REFUSED[code](ready, tmp_path)
    examined = examine(wrong.asked)
    assert code.strip() in {reason.code for reason in examined.reasons}
    with pytest.raises(Refusal, match="not submitted"):
        submit(wrong.asked, examined, ready.key, tmp_path / "bundle.zip")
    assert not (tmp_path / "bundle.zip").exists()


@pytest.mark.parametrize("image", ["sized:latest", "sized", "sized@sha256:5e", f"sized@sha256:{'00' * 32}"])
def test_an_image_is_named_by_the_digest_that_it_was_played_with(ready: Ready, image: str) -> None:
    from dataclasses import replace

    found = {reason.code for reason in examine(replace(ready.asked, image=image)).reasons}
    assert found == ({"other-image"} if image.endswith("00") else {"no-digest", "other-image"})


def test_no_bundle_takes_the_place_of_a_folder_or_a_pipe(ready: Ready, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(RecordError, match="not a plain file"):
            ready.bundle(place)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_missing_card_is_a_reason(ready: Ready) -> None:
    (ready.asked.card / "README.md").unlink()
    assert [reason.code for reason in examine(ready.asked).reasons] == ["uncarded"]


def test_a_private_key_is_its_owners_and_never_replaced(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    signing.new_key(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(Refusal, match="exists already"):
        signing.new_key(key)
    key.write_text("nothing")
    with pytest.raises(Refusal, match="no private key"):
        signing.sign(b"", key)


def test_the_commands_say_the_same(
    ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["submit", str(ready.run), "--image", IMAGE, "--card", str(ready.asked.card)]
    assert main([*words, "--dry-run"]) == 0 and "nothing is missing" in capsys.readouterr().out
    assert main(words) == 2 and "--new-key" in capsys.readouterr().err
    assert main([*words, "--key", str(ready.key), "--out", "b.zip"]) == 0
    assert main(["verify", "b.zip", "--json"]) == 0
    said = capsys.readouterr().out
    assert json.loads(said[said.index("{") :])["holds"] is True
    shutil.rmtree(ready.run / "episodes")
    assert main([*words, "--dry-run"]) == 1
    assert capsys.readouterr().out.startswith("damaged: one: ")
    assert main(["verify", "nothing.zip"]) == 2


def test_without_the_packages_the_extra_is_named(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "securesystemslib", None)
    with pytest.raises(Refusal, match="the extra leaderboard"):
        signing.key_id(ready.key)


def test_accepted_stamps_are_few() -> None:
    assert {"retried", "ignores-actions", "approximate"} == admission.HARMLESS
