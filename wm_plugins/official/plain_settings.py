"""The settings of a plugin: what `[model.settings]` of its plugin.toml may say, and nothing else."""

from __future__ import annotations

from typing import Dict, Mapping

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Setting
from harness.contracts.names import nearest

OF_THE_HARNESS: Mapping[str, Setting] = {
    "depth": False,
    "plan_actions": 0,
    "prompt_template": "",
    "batch_tolerance": 0.0,
}
"""Settings that the harness reads and plugins only let pass."""


def read_settings(given: Mapping[str, Setting], defaults: Mapping[str, Setting]) -> Dict[str, Setting]:
    """Return ``defaults`` with what is ``given``; an unknown name and a value of another type raise Refusal."""
    known = {**OF_THE_HARNESS, **defaults}
    result = dict(known)
    for name, value in given.items():
        if name not in known:
            raise Refusal(f"there is no setting {name!r} for this world model.", nearest(name, sorted(known)))
        result[name] = _typed(name, value, known[name])
    return result


def _typed(name: str, value: Setting, default: Setting) -> Setting:
    """Return ``value`` as the type of ``default``; a whole number may stand for a real one."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise Refusal(f"setting {name!r} is {value!r}, a {type(value).__name__}.", f"Give a {type(default).__name__}.")
    return value
