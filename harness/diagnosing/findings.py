"""What a check found: a state, the value, what it means, and the exact next command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from harness.contracts.errors import WiwError

OK, WARNING, PROBLEM, SKIPPED = "ok", "warning", "problem", "skipped"


@dataclass(frozen=True)
class Finding:
    """One finding of one check.

    ``state``: ``ok``; ``problem``: the embedded suite cannot run here; ``warning``: something else cannot, or results
    may differ; ``skipped``: there is nothing here to check, and ``found`` says why. ``meaning`` is what follows from
    the value, ``next_step`` what to do about it; both are empty where all is well.
    """

    name: str
    state: str
    found: str
    meaning: str = ""
    next_step: str = ""


def collect(name: str, check: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what ``check`` finds; an error in it is a finding called ``name`` and ends nothing else."""
    try:
        found = check()
        yield from [found] if isinstance(found, Finding) else found
    except WiwError as error:
        yield Finding(name, WARNING, error.what, "this could not be checked", error.next_step)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        yield Finding(name, WARNING, text, "the check itself failed", "Report it with the output of doctor --json.")
