"""`plugin new`: a new family from the template that comes with the project.

The template is a working model, so that an author begins with something that can be checked and played, and changes it
piece by piece.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Collection

from harness.contracts.errors import Refusal
from harness.runtimes.images.declared import project_version
from harness.worldmodels.catalog import BUILT_IN, MANIFEST_FILE, read_family

TEMPLATE = BUILT_IN / "template"
FILLED = ".template"
"""The ending of template files in which words are filled in; others are copied."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
LONGEST_NAME = 60
SOURCES = ("*.py", f"*{FILLED}")


def create_plugin(name: str, into: Path, taken: Collection[str]) -> Path:
    """Create the folder ``into/name`` with a working plugin and return it.

    ``taken`` are the names of all known models and families. A bad or taken name and a folder that exists raise
    Refusal before anything is written.
    """
    if not NAME.match(name) or len(name) > LONGEST_NAME:
        raise Refusal(
            f"{name!r} cannot be the name of a world model.",
            f"Use letters, digits, dots, dashes and underscores, a letter or digit first, at most {LONGEST_NAME}.",
        )
    if name.lower() in {other.lower() for other in taken}:
        raise Refusal(f"there is a world model {name!r} already.", "Choose another name (see: list wms).")
    folder = into / name
    if folder.exists() or folder.is_symlink():
        raise Refusal(f"{folder} exists.", "Choose another name, or another folder with --into.")
    words = _words(name, folder)
    contents = {_target_name(source): _filled(source, words) for source in _sources()}
    try:
        folder.mkdir(parents=True)
        for file, content in contents.items():
            (folder / file).write_text(content, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"cannot write {folder}: {error.strerror}.", "Choose another folder with --into.") from error
    read_family(folder / MANIFEST_FILE)
    return folder


def _sources() -> list[Path]:
    return sorted(path for pattern in SOURCES for path in TEMPLATE.glob(pattern))


def _target_name(source: Path) -> str:
    return source.name.removesuffix(FILLED)


def _filled(source: Path, words: dict[str, str]) -> str:
    content = source.read_text(encoding="utf-8")
    if source.suffix != FILLED:
        return content
    for word, value in words.items():
        content = content.replace(f"@{word}@", value)
    return content


def _words(name: str, folder: Path) -> dict[str, str]:
    """Return the words of the template for this plugin; families of the project need no ``--plugins``."""
    built_in = folder.parent.resolve() == BUILT_IN
    return {
        "NAME": name,
        "FOLDER": str(folder),
        "IMAGE": f"{name.lower().strip('._-')}:0.1.0",
        "VERSION": project_version(),
        "PLUGINS": "" if built_in else f" --plugins {folder}",
    }
