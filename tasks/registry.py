"""The tasks by name: a folder each, with a ``task.py`` that says what the task is.

Beside the project's own, in ``tasks/``, stand those of the user's folders (`further_tasks`).
"""

from __future__ import annotations

import functools
import sys
from importlib import import_module
from pathlib import Path
from typing import Dict, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.folders import further_tasks
from harness.contracts.names import nearest
from tasks.task import Task

TASKS_FOLDER = Path(__file__).resolve().parent


def task_folders() -> Dict[str, Path]:
    """Return the folder of every task by name."""
    return _folders_in((TASKS_FOLDER, *further_tasks()))


@functools.lru_cache(maxsize=8)
def _folders_in(places: Tuple[Path, ...]) -> Dict[str, Path]:
    """Looked up once: planning asks for the task of every tier and world model."""
    found: Dict[str, Path] = {}
    for place in places:
        for file in place.glob("*/task.py"):
            found.setdefault(file.parent.name, file.parent)
    return found


def list_tasks() -> Tuple[str, ...]:
    """Return the names of all tasks, sorted."""
    return tuple(sorted(task_folders()))


@functools.lru_cache(maxsize=16)
def _load(folder: Path) -> Task:
    if folder.parent == TASKS_FOLDER:
        task: Task = import_module(f"tasks.{folder.name}.task").TASK
        return task
    if str(folder.parent) not in sys.path:
        sys.path.append(str(folder.parent))
    try:
        task = import_module(f"{folder.name}.task").TASK
    except Exception as error:  # a user's code may raise anything
        what = f"{type(error).__name__}: {error}"
        raise Refusal(
            f"the task in {folder / 'task.py'} cannot be loaded: {what}.", "Fix it (docs/tasks.md)."
        ) from error
    return task


def load_task(name: str) -> Task:
    """Return the task called ``name``; Refusal names the nearest one."""
    folders = task_folders()
    if name not in folders:
        raise Refusal(f"there is no task {name!r}.", nearest(name, folders))
    return _load(folders[name])
