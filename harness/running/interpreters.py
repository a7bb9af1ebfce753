"""Checks the interpreters that a user names for services, with all that the services will import."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contracts.from_source import CHECKOUT
from harness.runtimes.interpreters import SERVICE, check_interpreter
from harness.worldmodels.catalog import CatalogEntry
from harness.worldmodels.plugin_imports import imports_of

ENV_PYTHON, WM_PYTHON = "--env-python", "--wm-python"


def check_model_python(python: str, entry: CatalogEntry) -> None:
    """Raise Refusal, once for all, where the interpreter of a world model lacks packages; "" names this one."""
    if python:
        found = imports_of(_module(entry.manifest.entry_point), (entry.folder, *entry.shared, CHECKOUT))
        path = tuple(str(folder) for folder in (entry.folder, *entry.shared))
        check_interpreter(python, WM_PYTHON, _others(found.first), _others(found.later), path)


def check_environment_python(python: str, entry_point: str) -> None:
    """Raise Refusal, once for all, where the interpreter of an environment lacks packages; "" names this one."""
    if python:
        found = imports_of(_module(entry_point), (CHECKOUT,))
        check_interpreter(python, ENV_PYTHON, _others(found.first), _others(found.later))


def _module(entry_point: str) -> str:
    return entry_point.partition(":")[0]


def _others(packages: Mapping[str, str]) -> dict[str, str]:
    """Return what is not known already as what every service needs."""
    known = {name.partition(".")[0] for name in SERVICE}
    return {name: package for name, package in packages.items() if name not in known}
