"""Playing episodes again: what equals its record holds, what does not is refuted, and what breaks is counted apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from harness.auditing.audit import Audited, audit
from harness.cli.app import main
from harness.cli.verifying import VerifyArguments, _place
from harness.contracts.episodes import Episode
from harness.contracts.results import ERROR, FAILED, OK, PLANNED, TIMEOUT, EpisodeResult
from harness.leaderboard import admission, chances, replaying
from harness.leaderboard.bundle import Manifest
from harness.leaderboard.comparing import Pair, Replay, pair, refutations, summed
from harness.leaderboard.drawing import drawn_rows
from harness.leaderboard.replaying import Asked, replay
from harness.leaderboard.submitting import Submission, examine, submit
from harness.leaderboard.verifying import verify
from harness.records import provenance
from harness.records.episode_files import read_episode
from harness.records.folder import RunFolder
from harness.records.identity import ImageRecord, RunIdentity
from harness.records.resuming import WM_GPU
from harness.running import runs
from harness.running.continuing import Continuation
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.progress import ProgressCallback, RunOutcome
from harness.running.run_options import RunOptions
from harness.running.sameness import check_same
from harness.worldmodels.catalog import load_catalog
from tasks.suite import load_suite
from tests.leaderboard.conftest import DIGEST, IMAGE, ROWS, Ready
from tests.records.written import write_trajectory
from tests.running import fake

ROUND = "drand 5230141 8c1f5a0e"
BUNDLE = "ab" * 32
EPISODES = 6


def ended(state: str, digest: str = "d", episode: str = "e", error: str = "", **metrics: float) -> EpisodeResult:
    return EpisodeResult(episode, "home", 0, state, metrics, digest, error)


LATE = "world model 'x' did not answer Imagine within 6 s"


@pytest.mark.parametrize(
    ("record", "again", "shows", "cause"),
    [
        (ended(OK, spl=0.5), ended(OK, spl=0.5), "equal", ""),
        (ended(OK, spl=0.5), ended(OK, spl=0.500001), "equal", ""),
        (ended(FAILED), ended(FAILED, "other"), "otherwise", ""),
        (ended(OK), ended(FAILED, "other"), "otherwise", ""),
        (ended(OK, spl=0.9), ended(OK, spl=0.5), "other-metrics", ""),
        (ended(OK), ended(OK, spl=0.5), "other-metrics", ""),
        (ended(OK), ended(FAILED), "other-metrics", ""),
        (ended(OK), ended(TIMEOUT, "", error=LATE), "not-replayed", "too-slow"),
        (ended(OK), ended(ERROR, "", error="ended while in use: exit code 3"), "not-replayed", "crashed"),
        (ended(FAILED), ended(PLANNED, ""), "not-replayed", "other"),
        (ended(ERROR, ""), ended(OK), "unclaimed", ""),
        (ended(TIMEOUT, ""), ended(ERROR, "", error=LATE), "unclaimed", "too-slow"),
    ],
)
def test_what_a_pair_shows(record: EpisodeResult, again: EpisodeResult, shows: str, cause: str) -> None:
    found = pair("run", record, again, exact=True)
    assert (found.shows, found.cause) == (shows, cause)


def pairs(exact: bool, lost: int = 0, won: int = 0, same: int = 0, broken: int = 0) -> list[Pair]:
    """Return pairs that ended otherwise to the worse or better, equally, or that could not be played again."""
    kinds = [(OK, FAILED)] * lost + [(FAILED, OK)] * won + [(OK, OK)] * same
    played = [pair("run", ended(a), ended(b, "other"), exact) for a, b in kinds]
    return played + [pair("run", ended(OK), ended(ERROR, "", error=LATE), exact)] * broken


def codes(found: Replay) -> list[str]:
    return [reason.code for reason in refutations(found)]


def test_where_equal_bits_are_promised_one_other_episode_refutes() -> None:
    found = summed([pair("run", ended(OK), ended(OK), True)] * 5 + pairs(True, same=1), 400, ROUND, False)
    assert codes(found) == ["other-trajectory"] and found.p is None and found.equal == 5


def test_elsewhere_only_lost_successes_refute_that_chance_does_not_lose() -> None:
    assert codes(summed(pairs(False, lost=6, same=20), 400, ROUND, False)) == []
    lost = summed(pairs(False, lost=7, same=20), 400, ROUND, False)
    assert codes(lost) == ["fewer-successes"] and lost.p == pytest.approx(2**-7)
    assert codes(summed(pairs(False, lost=7, won=5, same=20), 400, ROUND, False)) == []
    assert codes(summed(pairs(False, won=20), 400, ROUND, False)) == []


def test_technical_failures_refute_nothing_and_are_never_dropped() -> None:
    found = summed([*pairs(True, broken=3), pair("run", ended(OK), ended(OK), True)], 400, ROUND, False)
    assert codes(found) == [] and not found.complete
    assert found.technical == {"too-slow": 3} and found.drawn == 4
    assert [chance.probability for chance in found.chances] == [chances.caught(400, s, 1) for s in chances.SHARES]


def test_the_same_trajectory_with_other_metrics_refutes_whatever_is_promised() -> None:
    forged = pair("run", ended(OK, spl=0.9), ended(OK, spl=0.5), False)
    assert codes(summed([forged], 400, ROUND, False)) == ["other-metrics"]


def test_every_pair_fits_a_line_of_json() -> None:
    for each in pairs(True, lost=1, broken=1):
        assert json.loads(json.dumps(vars(each))) == vars(each)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """A finished run of the fake player, whose manifest promises equal bits."""
    plan = fake.plan(EPISODES, seeds=(0, 1))
    manifest = replace(load_catalog().find("none").manifest, deterministic=True)
    identity = replace(
        plan.identity,
        wm_manifest=asdict(manifest),
        wm_manifest_hash=manifest.digest(),
        wm_image=ImageRecord("sized:1", DIGEST),
    )
    folder = runs.create(replace(plan, identity=identity), tmp_path_factory.mktemp("recorded"))
    played_in_process(folder, {}, lambda episode: None)
    return audit(RunFolder.open(folder.path))


def played_in_process(
    folder: RunFolder, misbehave: dict[str, str], on_progress: Callable[[str], None], at_most: int = 100
) -> None:
    """Play what is planned as workers do, without starting any; ``misbehave``: episode -> the error that it ends in."""
    with folder.lock():
        journal = folder.journal_to_write()
        for row in [row for row in journal.rows() if row.result.state == PLANNED][:at_most]:
            key, error = row.key, misbehave.get(row.key.episode, "")
            on_progress(key.episode)
            if error:
                journal.commit(key, replace(row.result, state=ERROR, error=error), 1)
                continue
            made = fake.played(folder.identity.episode(key.episode), key.seed)
            state = OK if made.trajectory.solved else FAILED
            result = replace(row.result, state=state, metrics=made.metrics, trajectory_digest=made.trajectory.digest())
            journal.commit(key, result, 1, write_trajectory(folder, key, made.trajectory, result))
        journal.close()


class Verifier:
    """What a replay of the fake player's run finds here: the image, and how the player misbehaves."""

    def __init__(self) -> None:
        self.misbehave: dict[str, str] = {}
        self.identity: dict[str, Any] = {}
        self.played: list[str] = []
        self.interrupted_after = 100

    def plan(self, folder: RunFolder, continuation: Continuation) -> RunPlan:
        return replace(fake.plan(1), identity=replace(folder.identity, **self.identity))

    def find_image(self, reference: str) -> ImageRecord:
        return ImageRecord(reference, DIGEST)

    def resume(self, path: Path, plan: RunPlan, on_progress: ProgressCallback, retry_errors: bool) -> RunOutcome:
        folder = RunFolder.open(path)
        if retry_errors:
            with folder.lock():
                journal = folder.journal_to_write()
                journal.plan_again()
                journal.close()
        played_in_process(folder, self.misbehave, self.played.append, self.interrupted_after)
        return RunOutcome(path, {}, "", self.interrupted_after < 100, 0.0)


def telling(folder: RunFolder) -> AbstractContextManager[ProgressCallback]:
    return nullcontext(lambda progress: None)


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> Verifier:
    made = Verifier()
    monkeypatch.setattr(replaying, "plan_again", made.plan)
    monkeypatch.setattr(replaying, "find_image", made.find_image)
    monkeypatch.setattr(runs, "resume", made.resume)
    return made


MANIFEST = Manifest(1, "none", IMAGE, "", 0.0, {}, (), {})


def again(verifier: Verifier, recorded: Audited, out: Path, count: int = 4, **how: Any) -> Replay:
    verifier.played.clear()
    return replay(Asked(count, ROUND, out, **how), MANIFEST, BUNDLE, [recorded], telling)


def drawn_episode(recorded: Audited, count: int = 4) -> str:
    return drawn_rows([recorded], BUNDLE, ROUND, count)[0][1].key.episode


def test_an_honest_bundle_is_equal_to_the_last_bit_and_nothing_is_played_twice(
    verifier: Verifier, recorded: Audited, tmp_path: Path
) -> None:
    found = again(verifier, recorded, tmp_path)
    drawn = {(row.key.episode, row.key.seed) for _, row in drawn_rows([recorded], BUNDLE, ROUND, 4)}
    assert {(each.episode, each.seed) for each in found.pairs} == drawn and len(verifier.played) == 4
    assert found.equal == 4 and found.complete and found.p is None and codes(found) == []
    assert found.of == 2 * EPISODES
    assert again(verifier, recorded, tmp_path) == found and verifier.played == []


def test_records_that_were_never_played_are_refuted(verifier: Verifier, recorded: Audited, tmp_path: Path) -> None:
    rows = [replace(row, result=replace(row.result, trajectory_digest="f" * 64)) for row in recorded.rows]
    assert codes(again(verifier, replace(recorded, rows=tuple(rows)), tmp_path)) == ["other-trajectory"]


def test_what_cannot_be_played_is_told_and_can_be_tried_again(
    verifier: Verifier, recorded: Audited, tmp_path: Path
) -> None:
    name = drawn_episode(recorded)
    verifier.misbehave = {name: LATE}
    broken = again(verifier, recorded, tmp_path)
    failed = [each for each in broken.pairs if each.episode == name]
    assert {each.shows for each in failed} == {"not-replayed"} and all(each.error for each in failed)
    assert not broken.complete and broken.drawn == 4 and codes(broken) == []
    verifier.misbehave = {}
    assert not again(verifier, recorded, tmp_path).complete and verifier.played == []
    assert again(verifier, recorded, tmp_path, retry_errors=True).complete
    assert set(verifier.played) == {name}


def test_an_interrupted_replay_goes_on_where_it_stopped(verifier: Verifier, recorded: Audited, tmp_path: Path) -> None:
    verifier.interrupted_after = 1
    with pytest.raises(KeyboardInterrupt):
        again(verifier, recorded, tmp_path)
    verifier.interrupted_after = 100
    first = len(verifier.played)
    assert again(verifier, recorded, tmp_path).equal == 4 and first == 1 and len(verifier.played) == 3


def test_an_image_that_is_another_model_than_the_run_says_is_not_played(
    verifier: Verifier, recorded: Audited, tmp_path: Path
) -> None:
    verifier.identity = {"stop": "oracle"}
    found = again(verifier, recorded, tmp_path)
    assert found.equal == 0 and not found.complete and "stop was 'self'" in found.pairs[0].error
    assert not list(tmp_path.iterdir())


def test_what_a_process_played_is_never_taken_for_the_image(
    verifier: Verifier, recorded: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resume(path: Path, plan: RunPlan, on_progress: ProgressCallback, retry_errors: bool) -> RunOutcome:
        check_same(RunFolder.open(path).identity, plan.identity)
        return verifier.resume(path, plan, on_progress, retry_errors)

    monkeypatch.setattr(runs, "resume", resume)
    assert again(verifier, recorded, tmp_path, as_process=True).equal == 4
    found = again(verifier, recorded, tmp_path)
    assert found.equal == 0 and not found.complete and "wm_image was None" in found.pairs[0].error


def test_another_device_does_not_go_on_with_a_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for cpu, as_process in (("one", False), ("another", False), ("one", True)):
        monkeypatch.setattr(provenance, "hardware", lambda cpu=cpu: {"cpu": cpu, "machine": "x", "gpus": []})
        names.add(_place(VerifyArguments(replay=3, replay_randomness=ROUND, as_process=as_process), BUNDLE))
    assert len(names) == 3 and all(name.startswith(BUNDLE[:16]) for name in names)


def test_a_stranger_is_never_played_as_a_process(verifier: Verifier, recorded: Audited, tmp_path: Path) -> None:
    identity: RunIdentity = replace(recorded.folder.identity, wm="somebodys")
    folder = RunFolder(recorded.folder.path, replace(recorded.folder.record, identity=identity), "")
    found = again(verifier, replace(recorded, folder=folder), tmp_path, as_process=True)
    assert not found.complete and "did not come with the harness" in found.pairs[0].error


def test_another_device_is_compared_by_success(
    verifier: Verifier, recorded: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "hardware", lambda: {"cpu": "another", "machine": "x86_64", "gpus": []})
    found = again(verifier, recorded, tmp_path, count=2)
    assert not any(each.exact for each in found.pairs) and found.p == 1.0 and found.equal == 2


@pytest.mark.parametrize(
    ("gpus", "exact"), [([], False), (["A", "B"], False), (["A", "A"], True), (None, False), (7, False), ([{}], False)]
)
def test_bits_are_asked_of_a_gpu_only_where_it_is_known_which_it_was(
    verifier: Verifier, recorded: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: Any, exact: bool
) -> None:
    here = {"cpu": "a", "machine": "x86_64", **({} if gpus is None else {"gpus": gpus})}
    monkeypatch.setattr(replaying, "hardware", lambda: here)
    record = recorded.folder.record
    record = replace(record, provenance=replace(record.provenance, hardware=here), execution={"again": [WM_GPU]})
    run = replace(recorded, folder=RunFolder(recorded.folder.path, record, ""))
    assert [each.exact for each in again(verifier, run, tmp_path, count=1).pairs] == [exact]


NO_REPLAY = ["--workers", "2", "--wm-gpu", "0"]


def test_a_replay_that_cannot_be_asked_for_costs_a_sentence(
    ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(ready.bundle(tmp_path / "bundle.zip"))
    with_text = ["--replay-randomness", ROUND, "--out", str(tmp_path / "out")]
    for words in (
        ["--replay", "3"],
        ["--replay", "3", "--randomness", ROUND],
        ["--replay", "3", "--randomness", ROUND, *with_text],
        ["--replay", "3", "--replay-randomness", "two\nlines"],
        with_text,
        ["--replay", str(ROWS + 1), *with_text],
        ["--as-process"],
        ["--replay", "-1"],
        NO_REPLAY,
    ):
        assert main(["verify", bundle, *words]) == 2, words
    assert main(["verify", bundle, "--replay", "2", *with_text, "--as-process", "--json"]) == 3  # another suite here
    said = json.loads(capsys.readouterr().out)
    assert said["holds"] is True and sum(said["replay"]["technical"].values()) == said["replay"]["drawn"] == 2


@pytest.mark.slow
def test_a_real_episode_is_equal_to_the_last_bit_and_a_forged_one_is_refuted(
    made: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`warp` as a process of this checkout, so that no engine is needed: everything but the image is what users do."""
    pytest.importorskip("numba")
    plan = make_plan(RunOptions("warp", "ignav", tier="easy", split="test", episodes="2"))
    identity = replace(plan.identity, episodes=same_home(plan.identity))
    run = runs.start(replace(plan, identity=identity), tmp_path / "runs", run_id="one").path
    monkeypatch.setattr(admission, "load_suite", load_suite)
    monkeypatch.setattr(admission, "ALL", "2")
    monkeypatch.setattr(admission, "_of_image", lambda played, image: ())
    monkeypatch.setattr(admission, "_of_code", lambda run: ())
    asked = Submission((with_forged_episode(run, tmp_path / "forged"),), IMAGE, made.asked.card)
    bundle = tmp_path / "bundle.zip"
    submit(asked, examine(asked), made.key, bundle)
    assert verify(bundle).holds  # its records agree with each other
    words = [
        "--replay",
        "2",
        "--replay-randomness",
        ROUND,
        "--as-process",
        "--out",
        str(tmp_path / "out"),
        "--workers",
        "1",
    ]
    assert main(["verify", str(bundle), *words]) == 1
    said = capsys.readouterr().out
    assert "1 equal to the last bit" in said and "other-trajectory: one" in said and "(1 of 2 drawn)" in said


def same_home(identity: RunIdentity) -> tuple[Episode, ...]:
    """Return two test episodes in one home, which is made but once."""
    episodes = load_suite(identity.suite).episodes(identity.tier, identity.split)
    return tuple(episode for episode in episodes if episode.home == episodes[0].home)[:2]


def with_forged_episode(run: Path, root: Path) -> Path:
    """Return a copy of a run in whose first episode another view was imagined, everything else made to agree."""
    found = RunFolder.open(run)
    record = found.record
    root.mkdir()
    copy = RunFolder.create(root, found.identity, record.execution, record.provenance, run.name, record.metrics)
    with copy.lock():
        journal = copy.journal_to_write()
        for row in found.rows():
            trajectory = read_episode(found.episode_folder(row.key)).trajectory
            if row.position == 0:
                first = replace(trajectory.decisions[0], imagined_digest="0" * 64)
                trajectory = replace(trajectory, decisions=(first, *trajectory.decisions[1:]))
            result = replace(row.result, trajectory_digest=trajectory.digest())
            journal.commit(row.key, result, 1, write_trajectory(copy, row.key, trajectory, result))
        journal.close()
    return copy.path
