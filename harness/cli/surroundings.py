"""What the machine around a command may do to it, settled once before anything else happens."""

from __future__ import annotations

import codecs
import gc
import io
import os
import re
import sys

from harness.contracts.folders import absolute

FOLDERS = (
    "WIW_CACHE",
    "XDG_CACHE_HOME",
    "TMPDIR",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "TORCH_HOME",
    "NUMBA_CACHE_DIR",
)
"""Variables that name a folder. Workers and services start in other folders, where a relative one is another."""

OBJECTS_PER_COLLECTION = 50_000
"""Python looks for garbage after so many new objects, by default 700: a run of ten thousand episodes is a million that
all stay, and to look through them again and again was a sixth of the time until it went on."""

_TILDE = re.compile(r"((?:--[a-z-]+=)?(?:[\w.-]+=)?)(~(?:/.*)?)", re.DOTALL)
PLAINER = "wiw.plainer"
_PLAIN = str.maketrans(
    {
        "→": "->",
        "·": "-",
        "…": "...",
        "–": "-",
        "—": "-",
        "−": "-",
        "×": "x",
        "÷": "/",
        "≥": ">=",
        "≤": "<=",
    }
)


def from_home(word: str) -> str:
    """Return a word of the command line with ``~`` as the home folder, which shells leave in ``--out=~/runs``."""
    found = _TILDE.fullmatch(word)
    return word if found is None else f"{found.group(1)}{absolute(found.group(2))}"


def settle() -> None:
    """Make relative folders of the environment absolute, output printable whatever its encoding, and garbage rare."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    for name in FOLDERS:
        if os.environ.get(name):
            os.environ[name] = str(absolute(os.environ[name]))
    if os.environ.get("PYTHONPATH"):
        parts = os.environ["PYTHONPATH"].split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in parts if part)  # noqa: PTH100
    codecs.register_error(PLAINER, _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAINER)


def _plainer(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return plainer characters for those that an encoding does not have: a table with ``?`` beats an error."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode(error.encoding, "replace"), error.end
