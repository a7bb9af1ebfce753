"""What a service says of a long start, told through its log: one line that begins with ``progress:``.

A service cannot be reached before it is ready, and its log is read anyway. Anybody's code may print such a line, so
what is passed on is short and plain.
"""

from __future__ import annotations

import re
import sys

PREFIX = "progress: "
MOST_CHARACTERS = 60

_LINE = re.compile(rf"^{PREFIX}([ -~]{{1,{MOST_CHARACTERS}}})", re.MULTILINE)


def tell(text: str) -> None:
    """Say what this service is doing until it is ready, such as ``compiling kernels, 3 of 12``."""
    print(f"{PREFIX}{text}", file=sys.stderr, flush=True)


def last_told(log: str) -> str:
    """Return what the last progress line of a log says, at most `MOST_CHARACTERS` of plain ASCII; "" without one."""
    told = _LINE.findall(log)
    return told[-1].strip() if told else ""
