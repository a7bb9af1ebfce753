"""What the terminal says of failures: each kind once, how many there are, the log, and the command that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.cli.console import note
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.failures import Failures
from harness.contracts.results import EpisodeResult
from harness.contracts.storage import storage_error
from harness.records.folder import LOGS, RunFolder
from harness.running.progress import RunOutcome

SHOWN = 3


def failure_lines(failures: Sequence[Failures], of: str, folder: Path) -> list[str]:
    """Return the first kinds of failure with their counts; ``of`` says of what, such as ``24 episodes``.

    ``folder`` is the run's: the logs that the failures name are below it.
    """
    if not failures:
        return []
    lines = [f"errors  {sum(kind.count for kind in failures)} of {of}"]
    lines += [f"        {kind.count} × {with_log(kind.error, folder)}" for kind in failures[:SHOWN]]
    if len(failures) > SHOWN:
        lines.append(f"        and {len(failures) - SHOWN} other kinds")
    return [*lines, f"logs    {folder / LOGS}"]


def retry_lines(retries: Mapping[str, int], things: str) -> list[str]:
    """Return a line where some of the ``things`` (episodes, states) were played more than once."""
    if not retries["episodes"]:
        return []
    return [f"retries {retries['episodes']} {things} were played more than once, {retries['most']} attempts at most"]


def with_log(error: str, folder: Path) -> str:
    """Return an error with the path of its log as one can open it from here."""
    return error.replace(f"(log: {LOGS}/", f"(log: {folder / LOGS}/")


def partial_lines(outcome: RunOutcome, how: str) -> list[str]:
    """Return why a run is not complete, and the command that completes it."""
    stopped = [f"STOPPED after {outcome.stopped}"] if outcome.stopped else []
    model = (
        ["        once its code is changed it is another world model: then begin a new run"]
        if "--retry-errors" in how.split() and "--plugins=" in how
        else []
    )
    return [*stopped, *model, f"PARTIAL: continue with  {how}"]


def results_of(folder: RunFolder) -> list[EpisodeResult]:
    """Return the results of a run; none where they cannot be read now, which changes a hint alone."""
    with suppress(WiwError, OSError):
        return [row.result for row in folder.rows()]
    return []


@contextmanager
def telling_how_on(how: Callable[[str], str]) -> Iterator[None]:
    """Tell with an error that ends a run the command that goes on, which ``how`` returns for what the error says.

    A disk that failed in this process is told in words too.
    """
    try:
        yield
    except Refusal:
        raise
    except KeyboardInterrupt:
        note(f"To go on: {how('')}")
        raise
    except WiwError as error:
        raise WiwError(error.what, f"{error.next_step} Then continue with: {how(error.what)}".strip()) from error
    except OSError as error:
        machine = storage_error(error)
        if machine is None:
            raise
        raise WiwError(machine.what, f"{machine.next_step} Then continue with: {how(machine.what)}") from error
