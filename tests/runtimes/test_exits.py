"""How a process ended, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.runtimes.exits import ServiceLog, describe_exit, died_error, late_error, refusal_of
from harness.runtimes.service import ENVIRONMENT, WORLD_MODEL


@pytest.mark.parametrize(
    ("returncode", "words", "hint"),
    [
        (0, "exit code 0", ""),
        (1, "exit code 1", ""),
        (-9, "killed by SIGKILL", "Out of memory?"),
        (-11, "killed by SIGSEGV", "Native code crashed"),
        (137, "exit code 137 (SIGKILL)", "Out of memory?"),
        (-15, "killed by SIGTERM", ""),
        (-63, "killed by signal 63", ""),
        (255, "exit code 255", ""),
    ],
)
def test_return_codes_are_put_into_words(returncode: int, words: str, hint: str) -> None:
    described, next_step = describe_exit(returncode)
    assert described == words
    assert next_step.startswith(hint) and bool(next_step) == bool(hint)


def test_a_tail_is_short_and_survives_rubbish(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 200_000 + b"\n\n" + b"\xff rubbish\n" + b"last\n\n")
    assert ServiceLog(log, 0).tail(2) == "\ufffd rubbish\nlast"
    assert ServiceLog(log, log.stat().st_size).tail() == ""
    assert ServiceLog(tmp_path / "none", 0).tail() == ""


def test_a_silent_death_says_so(tmp_path: Path) -> None:
    error = died_error("gtsim", 3, ServiceLog(tmp_path / "none", 0), "while starting")
    assert error.what == "service 'gtsim' ended while starting: exit code 3, without a word."


def test_a_service_that_refuses_to_start_is_heard(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("error: of an earlier start\n")
    start = log.stat().st_size
    with log.open("a") as file:
        file.write("loading\nerror: there is no code.\nGet it: git clone X.\n")
    refusal = refusal_of("'nwm'", 2, ServiceLog(log, start))
    assert refusal is not None
    assert refusal.what == "service 'nwm' refused to start: there is no code.\nGet it: git clone X."
    assert str(log) in refusal.next_step


@pytest.mark.parametrize(
    ("returncode", "said"), [(1, "error: no code."), (2, "python: can't open file 'x.py'"), (2, "host: error: usage")]
)
def test_other_ends_are_no_refusals(tmp_path: Path, returncode: int, said: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"{said}\n")
    assert refusal_of("'nwm'", returncode, ServiceLog(log, 0)) is None


def test_a_crash_shows_the_frames_of_the_services_own_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "loading\nFatal Python error: Segmentation fault\n\nCurrent thread 0x01 (most recent call first):\n"
        '  File "/usr/lib/python3.11/site-packages/torch/ops.py", line 3 in matmul\n'
        '  File "/plugins/model.py", line 9 in imagine\n'
        '  File "/usr/lib/python3.11/threading.py", line 982 in run\n'
        "Extension modules: numpy (total: 1)\n"
    )
    error = died_error("svd", -11, ServiceLog(log, 0), "while in use")
    assert error.what.endswith("killed by SIGSEGV, after saying: Fatal Python error: Segmentation fault.")
    assert error.next_step.splitlines()[-3:] == [
        "Fatal Python error: Segmentation fault",
        '  File "/usr/lib/python3.11/site-packages/torch/ops.py", line 3 in matmul',
        '  File "/plugins/model.py", line 9 in imagine',
    ]


def test_a_stack_that_was_asked_for_shows_where_a_service_hangs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "loading\nThread 0x00007f0000000001 (most recent call first):\n"
        '  File "/plugins/model.py", line 9 in load_weights\n'
        "\nCurrent thread 0x00007f0000000002 (most recent call first):\n"
        '  File "/usr/lib/python3.11/threading.py", line 982 in wait\n'
        '  File "/opt/wiw/harness/wire/host.py", line 90 in serve\n'
    )
    error = late_error(WORLD_MODEL, "svd", 60.0, ServiceLog(log, 0))
    assert "within 60 s (--start-timeout 60)" in error.what and "--start-timeout SECONDS" in error.next_step
    assert "--start-timeout" not in str(late_error(ENVIRONMENT, "embedded", 60.0, ServiceLog(log, 0)))
    assert error.next_step.splitlines()[-1] == '  File "/plugins/model.py", line 9 in load_weights'
