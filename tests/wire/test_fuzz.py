"""Broken messages raise one of two errors and take no memory; the whole run is ``python -m tests.wire.fuzz``."""

from __future__ import annotations

from typing import List

import pytest

from tests.wire import fuzz
from tests.wire.corpus import Example


def test_ten_thousand_broken_messages_are_refused_or_read() -> None:
    tally = fuzz.run(10_000, seed=3)
    assert tally.crashes == []
    assert tally.grown_mib < fuzz.MEMORY_LIMIT_MIB
    assert tally.ways["change_one_field"] == 5_000
    # The fuzzer is of use only while it reaches both sides of the checks.
    assert tally.outcomes["accepted"] > 1_000
    assert tally.outcomes["Refusal"] > 1_000
    assert tally.outcomes["LimitExceeded"] > 200


def test_the_fuzzer_sees_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "examples", lambda: [Example("CloseRequest", [b""], _fails_on_content)])
    assert fuzz.run(40, seed=0).crashes


def _fails_on_content(parts: List[bytes]) -> None:
    if parts != [b""]:
        raise KeyError("x")
