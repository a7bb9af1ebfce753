"""Broken messages raise one of two errors and take no memory; the whole run is ``python -m tests.wire.fuzz``."""

from __future__ import annotations

from tests.wire import fuzz


def test_ten_thousand_broken_messages_are_refused_or_read() -> None:
    tally = fuzz.run(10_000, seed=3)
    assert tally.crashes == []
    assert tally.grown_mib < fuzz.MEMORY_LIMIT_MIB
    assert tally.ways["change_one_field"] == 5_000
    # The fuzzer is of use only while it reaches both sides of the checks.
    assert tally.outcomes["accepted"] > 1_000
    assert tally.outcomes["Refusal"] > 1_000
    assert tally.outcomes["LimitExceeded"] > 200


def test_the_fuzzer_sees_a_crash() -> None:
    tally = fuzz.Tally()
    fuzz._try(fuzz.Example("StepReply", [b""], lambda parts: {}["x"]), [b""], "here", tally)  # type: ignore[misc]
    assert tally.crashes == ["here: KeyError: 'x'"]
