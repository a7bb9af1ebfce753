"""Asks one entry point of an installed package for its folder: a bare script, since a stranger's code runs in it.

Standard input holds ``{"path": [...], "value": "module:name"}`` as JSON, ``path`` being what to import from. The
answer, ``{"folder": ...}`` or ``{"error": ...}``, goes to the standard output that the process began with.
"""

import json
import os
import sys
from importlib.metadata import EntryPoint
from typing import Any


def folder_of(value: str) -> str:
    """Return what an entry point names, or its function returns; TypeError where that is no path."""
    named: Any = EntryPoint("asked", value, "").load()
    if callable(named):
        named = named()
    if not isinstance(named, (str, os.PathLike)):
        raise TypeError(f"{value} is {type(named).__name__}; it must be a folder, or return one.")
    return str(os.fspath(named))


def reason_of(error: BaseException) -> str:
    """Return what an error of a stranger says, even where it cannot say it."""
    try:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    except Exception:
        return type(error).__name__


def main() -> None:
    """Answer the question on standard input."""
    asked = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the package prints is no answer
    sys.path[:] = asked["path"]
    try:
        answer = {"folder": folder_of(asked["value"])}
    except BaseException as error:  # a stranger's package may raise anything while it is imported
        answer = {"error": reason_of(error)}
    json.dump(answer, answers)
    answers.close()
    os._exit(0)  # threads that it started keep nothing waiting


if __name__ == "__main__":
    main()
