"""Where the project keeps what it can make again: one rule, for the command line, the environment and its tools."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Optional, Tuple, Union

from harness.contracts.errors import Refusal

FURTHER_TASKS = "WIW_TASKS"


def absolute(named: Union[str, os.PathLike[str]]) -> Path:
    """Return a folder or file that somebody named as a path that holds in every working folder; ``~`` is the home.

    Links are kept: the Python of a virtual environment is one.
    """
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:
        raise Refusal(f"{os.fspath(named)!r} names a home folder that nobody knows.", "Give the whole path.") from error


def home() -> Optional[Path]:
    """Return the user's home folder; None where there is none, as for an id without a name in a container."""
    try:
        return Path.home()
    except RuntimeError:  # HOME is not set, and no password entry says it
        return None


def user_cache() -> Path:
    """Return ``wiw-bench`` in the user's cache: ``XDG_CACHE_HOME``, or ``~/.cache``.

    A user without a home, or with one that cannot be written, gets a folder of their own in the temporary one. Compiled
    code is kept below it, so that one which anybody else may write to is refused.
    """
    named = os.environ.get("XDG_CACHE_HOME")
    if named:
        return absolute(named) / "wiw-bench"
    base = home()
    cache = None if base is None else base / ".cache" / "wiw-bench"
    if cache is not None and os.access(_nearest(cache), os.W_OK | os.X_OK):
        return cache
    return _own_temporary_folder()


def cache_root() -> Path:
    """Return the folder of baked homes: ``WIW_CACHE``, or ``homes`` in `user_cache`.

    An environment is always told its folder, since it may run in a container that sees another one.
    """
    named = os.environ.get("WIW_CACHE")
    return absolute(named) if named else user_cache() / "homes"


def further_tasks() -> Tuple[Path, ...]:
    """Return the folders that ``WIW_TASKS`` names, separated as in ``PATH``: each holds tasks as ``tasks/`` does.

    An environment of their own may stand beside a task, as an ``environment.toml`` in its folder.
    """
    places = tuple(absolute(name) for name in os.environ.get(FURTHER_TASKS, "").split(os.pathsep) if name)
    for place in places:
        if not place.is_dir():
            raise Refusal(f"{FURTHER_TASKS} names the folder {place}, which is not there.", "Correct it.")
    return places


def _nearest(folder: Path) -> Path:
    """Return the innermost part of a path that exists."""
    return next(part for part in (folder, *folder.parents) if part.exists())


def _own_temporary_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"wiw-bench-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise Refusal(
            f"there is no home folder to keep homes in, and {folder} cannot be made: {error.strerror}.",
            "Set WIW_CACHE and XDG_CACHE_HOME to folders that you can write.",
        ) from error
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
    if not private:
        raise Refusal(
            f"there is no home folder to keep homes in, and {folder} is open to others or theirs.",
            "Set WIW_CACHE and XDG_CACHE_HOME to folders of your own.",
        )
    return folder


def require_writable(folder: Path, remedy: str) -> None:
    """Raise Refusal, with ``remedy`` as the next step, where ``folder`` is or could not be made one to write to.

    Nothing is written: what is looked at is the nearest folder that is there.
    """
    present = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not present.is_dir() or not os.access(present, os.W_OK):
        raise Refusal(f"{present} is not a folder that can be written.", remedy)
