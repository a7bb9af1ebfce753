"""Two files of measurements: what is worse by more than a tenth is named, and what cannot be compared is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.throughput.asking import FAILED
from harness.throughput.caching import CacheCheck
from harness.throughput.compare import USAGE, WORSE, main
from harness.throughput.resources import Resources
from harness.throughput.results import (
    Counts,
    Finding,
    Machine,
    Model,
    Output,
    Rates,
    Result,
    Roofline,
    WarmUp,
    encoded,
    read_result,
)
from harness.throughput.sampling import Percentile
from harness.throughput.scenarios import SINGLE_STREAM, Settings
from harness.throughput.table import main as table_of

RESULT = Result(
    model=Model("toy", "ab", ""),
    settings=Settings(SINGLE_STREAM),
    candidates=8,
    counts=Counts(64, 64, {}, 512, 1024),
    seconds=16.0,
    rates=Rates(4.0, 32.0, 64.0),
    latency=(Percentile(0.5, 0.25, 0.3, 11), Percentile(0.9, 0.3, 0.4, 64)),
    latencies_s=(0.25, 0.3),
    split_s={"prepare": 0.01, "unsplit": 0.24},
    warm_up=WarmUp(1.0, 0.0, (0.3, 0.25)),
    resources=Resources(rss_bytes=10**8),
    roofline=Roofline(reason="no GPU"),
    cache=CacheCheck(),
    output=Output("cd", 2, 16),
    findings=(),
    machine=Machine({"cpu": "c"}, {}, "", 0.0, ("benchmark.py",)),
)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, Result], str]:
    def write(name: str, result: Result) -> str:
        (tmp_path / name).write_bytes(encoded(result))
        return str(tmp_path / name)

    return write


def slower(share: float) -> Result:
    return replace(
        RESULT,
        rates=Rates(4.0 / (1.0 + share), 32.0, 64.0),
        latency=(replace(RESULT.latency[0], value_s=0.25 * (1.0 + share)), RESULT.latency[1]),
    )


def test_a_file_is_read_as_it_was_written(written: Callable[[str, Result], str]) -> None:
    assert read_result(Path(written("old", RESULT))) == RESULT


def test_a_tenth_is_allowed_and_more_is_named(
    written: Callable[[str, Result], str], capsys: pytest.CaptureFixture[str]
) -> None:
    old = written("old", RESULT)
    assert main([old, written("new", slower(0.09))]) == 0
    assert main([old, written("new", slower(-0.5))]) == 0
    assert main([old, written("new", slower(0.12))]) == WORSE
    assert capsys.readouterr().out.splitlines()[-1] == "worse by more than 10 %: decisions/s, latency p50 (s)"
    assert main([old, written("new", slower(0.12)), "--limit", "0.2"]) == 0


def test_an_answer_that_failed_or_a_result_that_does_not_count_is_worse(
    written: Callable[[str, Result], str], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = replace(RESULT, latency=(RESULT.latency[0], replace(RESULT.latency[1], value_s=None)))
    assert main([written("old", RESULT), written("new", failed)]) == WORSE
    assert "latency p90 (s)" in capsys.readouterr().out.splitlines()[-1]
    broken = replace(RESULT, findings=(Finding(FAILED, "the world model failed", True),), output=None)
    assert main([written("old", RESULT), written("new", broken)]) == WORSE
    told = capsys.readouterr().out
    assert "the new result does not count" in told and "the output differs" in told
    noted = replace(broken, findings=(Finding("not-asked-again", "nobody looked", False), *broken.findings))
    assert main([written("old", noted), written("new", RESULT)]) == USAGE
    assert "the old result does not count: the world model failed." in capsys.readouterr().err


def test_a_result_of_which_nobody_looked_for_kept_answers_is_said(
    written: Callable[[str, Result], str], capsys: pytest.CaptureFixture[str]
) -> None:
    old, unasked = (
        written(str(on), replace(RESULT, settings=Settings(SINGLE_STREAM, cache_check=on))) for on in (True, False)
    )
    assert main([old, unasked]) == 0
    assert "note   nobody looked whether the new model keeps its answers" in capsys.readouterr().out
    assert main([unasked, old]) == main([unasked, unasked]) == 0
    assert "nobody looked" not in capsys.readouterr().out


@pytest.mark.parametrize(("hardware", "said"), [({"cpu": "c", "gpus": []}, False), ({"cpu": "d", "gpus": []}, True)])
def test_a_machine_is_another_one_by_what_both_results_say(
    written: Callable[[str, Result], str],
    capsys: pytest.CaptureFixture[str],
    hardware: dict[str, object],
    said: bool,
) -> None:
    newer = replace(RESULT, machine=replace(RESULT.machine, hardware=hardware))
    main([written("old", RESULT), written("new", newer)])
    assert ("two machines" in capsys.readouterr().out) is said


def test_what_did_not_measure_the_same_is_refused(
    written: Callable[[str, Result], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = written("old", RESULT)
    assert main([old, written("new", replace(RESULT, candidates=3))]) == USAGE
    assert "candidates" in capsys.readouterr().err
    assert main([old, written("new", replace(RESULT, replicas=2))]) == USAGE
    assert "number of replicas of the old result is 1, of the new one 2" in capsys.readouterr().err
    (tmp_path / "other").write_text('{"schema_version": 99}')
    assert main([old, str(tmp_path / "other")]) == USAGE
    assert main([old, str(tmp_path / "missing")]) == USAGE


def test_files_of_pytest_are_compared_by_their_medians(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(name: str, **medians: float) -> str:
        cases = [{"fullname": case, "stats": {"median": median}} for case, median in medians.items()]
        (tmp_path / name).write_text(json.dumps({"benchmarks": cases}))
        return str(tmp_path / name)

    old = write("old", wire=0.1, world=0.2)
    assert main([old, write("new", wire=0.105, world=0.1)]) == 0
    assert main([old, write("new", wire=0.105, world=0.3)]) == WORSE
    assert capsys.readouterr().out.splitlines()[-1] == "worse by more than 10 %: world"
    assert main([old, write("new", wire=0.1)]) == WORSE
    assert main([write("old"), write("new")]) == USAGE


def test_a_table_holds_the_medians_of_what_counts(
    written: Callable[[str, Result], str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = [written(str(n), replace(RESULT, rates=Rates(rate, 32.0, 64.0))) for n, rate in enumerate((4.0, 9.0, 5.0))]
    assert table_of(files) == 0
    head, _, row = capsys.readouterr().out.splitlines()
    cells = dict(zip(head.split("|"), row.split("|"), strict=True))
    assert cells[" decisions/s "] == " 5 " and cells[" runs "] == " 3 " and cells[" GPU memory (GB) "] == " – "
    assert table_of([*files, written("two", replace(RESULT, replicas=2))]) == 0
    assert [row.split("|")[2].strip() for row in capsys.readouterr().out.splitlines()[2:]] == [
        "single-stream",
        "single-stream, 2 replicas",
    ]
    capsys.readouterr()
    noted = Finding("not-asked-again", "nobody looked", False)
    broken = replace(RESULT, findings=(noted, Finding("replicas-differ", "the outputs differ", True)))
    assert table_of([written("broken", broken)]) == USAGE
    assert "toy does not count: the outputs differ." in capsys.readouterr().err
