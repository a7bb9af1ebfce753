"""A preflight: what goes wrong technically is named by a code, from the harness's own words of each failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.errors import ModelFault, Refusal, SpecMismatch, WiwError
from harness.contracts.results import ERROR, FAILED, OK, PLANNED, TIMEOUT, EpisodeResult
from harness.leaderboard import preflight as trying
from harness.leaderboard.preflight import options_of, preflight
from harness.leaderboard.technical_failures import REMEDIES, cause_of, causes
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.progress import Progress
from harness.running.run_options import RunOptions
from harness.runtimes.docker_exits import ContainerEnd, ended_container_error
from harness.runtimes.exits import ServiceLog, died_error, late_error
from harness.runtimes.service import ContainerSpec
from harness.wire.errors import from_user_code
from harness.wire.host import WORLD_MODEL


def log_with(folder: Path, words: str) -> ServiceLog:
    path = folder / "world_model.log"
    path.write_text(words)
    return ServiceLog(path, 0)


def died(folder: Path, words: str, code: int = 1) -> str:
    return str(died_error("probe", code, log_with(folder, words), "while starting"))


def contained(folder: Path, words: str, code: int = 1, out_of_memory: bool = False) -> str:
    spec = ContainerSpec("probe:1", "sha256:1")
    end = ContainerEnd(code, out_of_memory, "")
    return str(ended_container_error("probe", end, spec, log_with(folder, words), "while in use"))


def test_a_cause_is_read_from_the_words_of_each_failure(tmp_path: Path) -> None:
    hub = "OSError: We couldn't connect to 'https://huggingface.co' to load this file"
    unresolved = "socket.gaierror: [Errno -3] Temporary failure in name resolution"
    said = {
        "not-ready": str(late_error(WORLD_MODEL, "probe", 5.0, log_with(tmp_path, "loading"))),
        "asked-for-network": died(tmp_path, hub),
        "out-of-memory": contained(tmp_path, "", 137, out_of_memory=True),
        "out-of-gpu-memory": contained(tmp_path, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate"),
        "no-space": contained(tmp_path, "OSError: [Errno 28] No space left on device"),
        "read-only": contained(tmp_path, "OSError: [Errno 30] Read-only file system: '/home/cache'"),
        "process-limit": contained(tmp_path, "RuntimeError: can't start new thread"),
        "missing-module": died(tmp_path, "ModuleNotFoundError: No module named 'einops'"),
        "crashed": died(tmp_path, "bye", -11),
        "too-slow": "not finished after 60 s; the worker was killed (log: x)",
        "raised-an-error": str(from_user_code(ValueError("no"), "Imagine")),
        "other": "the benchmark is over",
    }
    assert {code: cause_of(words) for code, words in said.items()} == {code: code for code in said}
    assert cause_of(died(tmp_path, unresolved)) == "asked-for-network"
    assert cause_of(died(tmp_path, "", -9)) == "out-of-memory"
    unsent = "world model 'm' failed on rollout 0: imagine gave an answer that cannot be sent: "
    assert cause_of(f"{unsent}rollout.rgb has dtype float32 instead of uint8.") == "wrong-shape"
    assert cause_of(f"{unsent}rollout.rgb is list, not an array of uint8.") == "bad-reply"
    assert cause_of(str(from_user_code(RuntimeError("can't start new thread"), "Imagine"))) == "process-limit"
    assert set(said) < set(REMEDIES)


def test_causes_are_counted_over_what_was_not_played() -> None:
    def result(state: str, error: str = "") -> EpisodeResult:
        return EpisodeResult("e", "h", 0, state, {}, "", error)

    late = "did not answer Imagine within 6 s"
    rows = [result(OK), result(TIMEOUT, late), result(ERROR, "ended while in use: exit code 3"), result(TIMEOUT, late)]
    assert list(causes([*rows, result(FAILED), result(PLANNED)]).items()) == [("too-slow", 2), ("crashed", 1)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> RunOptions:
    """The run of a preflight, with a model of the tree as a process: no engine is asked."""
    process = lambda wm, task, *_, **more: RunOptions(wm, task, episodes=more["episodes"])  # noqa: E731
    monkeypatch.setattr(trying, "RunOptions", process)
    return options_of("image", "warp", "ignav", "", "", "")


def silent(progress: Progress) -> None:
    pass


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ModelFault("service 'probe' was not ready within 5 s and was killed."), "not-ready"),
        (SpecMismatch("max_batch: declared 1, expected 64"), "wrong-shape"),
        (Refusal("service 'probe' refused to start: no weights."), "refused"),
        (WiwError("3 workers in a row did not start."), "other"),
    ],
)
def test_what_ends_the_run_is_the_preflights_finding(
    asked: RunOptions, error: WiwError, cause: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def play(*_: object) -> None:
        raise error

    monkeypatch.setattr(runs, "play", play)
    found = preflight(asked, tmp_path, silent)
    assert (found.passed, found.cause, found.episodes, found.hours) == (False, cause, (), None)
    assert error.what in found.error and Path(found.logs).parent.parent == tmp_path


def test_three_validation_episodes_are_played_and_their_pace_told(asked: RunOptions, tmp_path: Path) -> None:
    found = preflight(asked, tmp_path, silent)
    assert found.passed and len(found.episodes) == 3 and found.test_episodes == 400
    assert found.hours is not None
    assert found.hours == pytest.approx(400 / 3 / 3600 * sum(each.seconds or 0.0 for each in found.episodes))
    folder = RunFolder.open(next(tmp_path.iterdir()))
    assert (folder.identity.split, len(folder.identity.episodes)) == ("validation", 3)


def test_a_preflight_without_an_image_is_refused() -> None:
    with pytest.raises(Refusal, match="--image and --task"):
        options_of("", "warp", "ignav", "", "", "")
