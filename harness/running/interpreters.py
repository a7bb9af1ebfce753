"""Checks the interpreters that a user names for services, with all that the services will import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.contracts.from_source import CHECKOUT
from harness.records.resuming import ENV_PYTHON, WM_PYTHON
from harness.running.plan import RunPlan
from harness.runtimes.interpreters import SERVICE, check_interpreter
from harness.runtimes.specs import WORLD_MODEL, ServiceSpec
from harness.worldmodels.packages import imports_of


def check_interpreters(plan: RunPlan) -> None:
    """Raise Refusal, once for all that is missing, where an interpreter that the user named cannot run its service."""
    for service in (plan.environment, plan.world_model):
        if service is not None:
            check_python(service)


def check_python(service: ServiceSpec) -> None:
    """Raise Refusal where the interpreter of one service lacks packages; that of the harness is not looked at."""
    if service.python:
        folders = (*map(Path, service.path), CHECKOUT)
        found = imports_of(service.entry_point.partition(":")[0], folders)
        option = WM_PYTHON if service.kind == WORLD_MODEL else ENV_PYTHON
        check_interpreter(service.python, option, _others(found.first), _others(found.later), service.path)


def _others(packages: Mapping[str, str]) -> dict[str, str]:
    """Return what is not known already as what every service needs."""
    known = {name.partition(".")[0] for name in SERVICE}
    return {name: package for name, package in packages.items() if name not in known}
