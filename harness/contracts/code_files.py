"""Which files of a folder are what its code is: all of them but what tools leave beside it.

What a model is (`harness.worldmodels.digests`) and what its machine code stands on (`harness.contracts.kernel_folders`)
is one question: a kernel takes its constants from a data file as well as from a source.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Tuple

from harness.contracts.errors import Refusal

NO_CODE = ("__pycache__", ".git", ".hg", ".svn", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints")
NO_CODE_ENDINGS = (".nbi", ".nbc", ".swp", "~", ".DS_Store")
"""What tools leave beside code: caches, which are made of it, and the history of a checkout. Bytecode counts where
Python plays it without a source: outside ``__pycache__``."""

MOST_FILES, DEEPEST = 20_000, 50

SMALL = 2**26
"""Files up to this size are read each time: code may change within one tick of a clock."""


def code_files(folder: Path) -> List[Path]:
    """Return the files of a folder and of those below it, links followed; Refusal where there are very many.

    A link that leads back to a folder around it ends there. Any other counts as what it leads to now, so that a link
    that is turned to another folder is another model.
    """
    found: List[Path] = []
    try:
        _collect(folder, (), found)
    except OSError as error:
        raise Refusal(f"{error.filename} cannot be read ({error.strerror}).", "Fix its permissions.") from error
    return found


def _collect(folder: Path, above: Tuple[str, ...], found: List[Path]) -> None:
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        if entry.is_dir():
            if entry.name not in NO_CODE:
                _collect(Path(entry.path), (*above, real), found)
        elif entry.is_file() and not entry.name.endswith(NO_CODE_ENDINGS):
            found.append(Path(entry.path))
        if len(found) > MOST_FILES or len(above) > DEEPEST:
            raise Refusal(
                f"{above[0] if above else folder} holds more than {MOST_FILES:,} files, with those that links lead to, "
                f"or more than {DEEPEST} folders within each other.",
                "Keep data and environments elsewhere: all its files are part of what the model is.",
            )
