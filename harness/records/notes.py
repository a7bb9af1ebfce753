"""What a run could not measure, and why: ``notes.txt`` in its folder, one note a line.

Notes decide nothing and are in no hash. Anybody may have written the file, so what is read of it is bounded and plain.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Sequence, Tuple

NOTES = "notes.txt"
MOST_NOTES = 20
MOST_CHARACTERS = 400
_MOST_BYTES = 4 * MOST_NOTES * MOST_CHARACTERS


def add_notes(run: Path, notes: Sequence[str]) -> None:
    """Add what ``notes`` says and the file does not; workers may do so at once (a note could then stand there twice).

    A note that cannot be written is lost: it must not cost the episode that it is about.
    """
    known = read_notes(run) if notes else ()
    new = [note for note in map(_plain, notes) if note not in known]
    if new and len(known) < MOST_NOTES:
        with contextlib.suppress(OSError), (run / NOTES).open("a", encoding="utf-8") as file:
            file.write("".join(f"{note}\n" for note in new))


def read_notes(run: Path) -> Tuple[str, ...]:
    """Return the notes of a run, each once; none where there is no such file, or it is no file."""
    try:
        descriptor = os.open(run / NOTES, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        lines = os.read(descriptor, _MOST_BYTES).decode("utf-8", errors="replace").splitlines() if is_file else []
    finally:
        os.close(descriptor)
    return tuple(dict.fromkeys(filter(None, map(_plain, lines))))[:MOST_NOTES]


def _plain(text: str) -> str:
    """Return one line of printable characters, cut where it is too long."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(line.split())[:MOST_CHARACTERS]
