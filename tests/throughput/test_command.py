"""The command: a service is measured, one that sleeps is reported, wrong options are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.app import USAGE, main
from harness.throughput.results import RESULT_FILE, SCHEMA_FILE, read_result, schema

CHEATS = Path(__file__).parents[1] / "conformance" / "cheats"
SLEEPER = """
import time
from wm_plugins.template.model import Model

class Sleeper(Model):
    def imagine(self, request):
        time.sleep(4.0)
        return super().imagine(request)
"""


def test_the_schema_beside_the_code_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == schema(), "python -m harness.throughput.results writes it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scenario", "server"], "--rate"),
        (["--scenario", "offline", "--rate", "2"], "--rate 2"),
        (["--scenario", "batch"], "there is no scenario 'batch'"),
        (["--latency-bound", "2"], "--latency-bound"),
        (["--duration", "50", "--max-duration", "5"], "--max-duration 5"),
        (["--scenario", "server", "--rate", "inf"], "finite"),
        (["--scenario", "server", "--rate", "1e9"], "1,000,000"),
        (["--min-queries", "1000000000"], "1,000,000"),
        (["--max-duration", "inf"], "finite"),
        ([], "--wm missing"),
    ],
)
def test_what_excludes_each_other_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["throughput", *(["--wm", "warp"] if words else []), *words]) == USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("tier", "said"), [("esy", "no tier 'esy'"), ("easy-front", "no panoramas of tier")])
def test_a_tier_whose_decisions_cannot_be_asked_is_refused(
    tier: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--wm", "copy", "--scenario", "offline", "--tier", tier, "--out", str(tmp_path / "out")]
    assert main(["throughput", *words]) == USAGE
    assert said in capsys.readouterr().err


def test_an_earlier_result_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / RESULT_FILE).write_text("{}")
    assert main(["throughput", "--wm", "warp", "--scenario", "offline", "--out", str(tmp_path)]) == USAGE
    assert "holds a result already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_service_is_measured_and_one_that_sleeps_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--scenario", "offline", "--duration", "0", "--min-queries", "2", "--plugins", str(CHEATS))
    assert main(["throughput", "--wm", "late", *few, "--candidates", "1", "--out", str(tmp_path / "one")]) == 0
    found = read_result(tmp_path / "one" / RESULT_FILE)
    assert found.counts.queries == 2 and not found.counts.failed and found.resources.rss_bytes
    assert set(found.split_s) == {"prepare", "imagine", "transport"}
    assert found.output is not None and found.latency[0].value_s is not None
    capsys.readouterr()
    family = tmp_path / "plugins" / "sleeper"
    family.mkdir(parents=True)
    (family / "plugin.toml").write_text(
        '[family]\nname = "sleeper"\nentry_point = "sleeper:Sleeper"\n[[model]]\nname = "sleeper"\n'
    )
    (family / "sleeper.py").write_text(SLEEPER)
    asked = ("--wm", "sleeper", *few, "--plugins", str(family.parent), "--timeout", "0.5")
    assert main(["throughput", *asked, "--json", "--out", str(tmp_path)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["findings"][0]["kind"] == "late" and not told["valid"]
    assert "0.5 s" in told["findings"][0]["text"]
