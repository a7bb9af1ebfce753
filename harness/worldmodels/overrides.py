"""Overrides: what ``--set key=value`` changes in a world model's manifest.

A changed fact is another model for everyone who reads the results, so overrides are part of the manifest's hash and of
the run's identity, and are listed in its results.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ENVIRONMENT, ModelManifest, Setting
from harness.contracts.names import nearest
from harness.worldmodels import planted_errors
from harness.worldmodels.catalog import check_fields
from harness.worldmodels.conditioning import PLAN_ACTIONS
from harness.worldmodels.file_limits import MAX_INTEGER
from harness.worldmodels.prompts import DEFAULT, TEXT
from harness.worldmodels.prompts import SETTING as PROMPT_TEMPLATE

FACTS = ("height", "width", "frames", "steps", "guidance", "fps", "dtype", "max_batch", "context_max")
"""The fields of a manifest that may be overridden; the others say which model it is."""

PREFIX = "settings."
SHOWN = 60
"""Characters shown of a wrong value."""
_FLAGS = {"true": True, "false": False}
_FINITE = TypeAdapter(float, config={"allow_inf_nan": False})


def override(manifest: ModelManifest, assignments: Sequence[str]) -> tuple[ModelManifest, dict[str, Setting]]:
    """Return the manifest with ``key=value`` assignments applied, and the values by key.

    A key is one of `FACTS` or the name of a setting that the plugin.toml declares; the declared value gives the type.
    ``settings.NAME`` also sets what is not declared: the plugin itself refuses what it does not know. An unknown key,
    a value of the wrong type or range and a key that comes twice raise Refusal.
    """
    changed: dict[str, Setting] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        name = key.strip()
        if not equals or not name:
            raise Refusal(f"--set {assignment!r} is not understood.", "Write --set key=value, such as --set steps=20.")
        short = name.removeprefix(PREFIX)
        if short in changed:
            raise Refusal(f"--set {short} comes twice.", "Give it once.")
        changed[short] = _value(manifest, name, text)
    facts = {name: value for name, value in changed.items() if name in FACTS}
    settings = {name: value for name, value in changed.items() if name not in FACTS}
    result = replace(manifest, settings={**manifest.settings, **settings}, **facts)  # type: ignore[arg-type]
    check_fields({"name": manifest.name, **facts}, f"--set of {manifest.name!r}")
    return result, changed


def _value(manifest: ModelManifest, name: str, text: str) -> Setting:
    declared = {**_own_settings(manifest), **manifest.settings}
    short = name.removeprefix(PREFIX)
    if name in FACTS:
        return _typed(name, text, getattr(manifest, name))
    if short in declared:
        return _typed(name, text, declared[short])
    if short != name and short not in FACTS:
        return _guessed(name, text)
    raise Refusal(
        f"world model {manifest.name!r} has no fact or setting {short!r}.",
        f"{nearest(short, (*FACTS, *declared))} What its plugin.toml does not list: --set settings.NAME=VALUE.",
    )


def _own_settings(manifest: ModelManifest) -> Mapping[str, Setting]:
    """Return the settings that the harness itself reads, with their defaults."""
    if manifest.kind == ENVIRONMENT:
        return planted_errors.own_settings()
    return {PROMPT_TEMPLATE: DEFAULT, PLAN_ACTIONS: 0} if manifest.conditioning == TEXT else {}


def _typed(name: str, text: str, like: Setting) -> Setting:
    """Return ``text`` as a value of the type of ``like``."""
    if isinstance(like, str):
        return text
    try:
        if isinstance(like, bool):
            return _FLAGS[text.lower()]
        return _whole(text) if isinstance(like, int) else _FINITE.validate_python(text)
    except (KeyError, ValueError) as error:
        kind = "true or false" if isinstance(like, bool) else "a whole number" if isinstance(like, int) else "a number"
        shown = f"--set {name}={text[:SHOWN]}{'...' if len(text) > SHOWN else ''}"
        raise Refusal(f"{shown} is not {kind}.", f"It is {like!r} where nothing is set.") from error


def _whole(text: str) -> int:
    """Return a whole number of at most 63 bits, which is what fits where settings go; ValueError for others."""
    value = int(text)
    if abs(value) > MAX_INTEGER:
        raise ValueError(f"more than {MAX_INTEGER}")
    return value


def _guessed(name: str, text: str) -> Setting:
    """Return ``text`` as a flag, a whole number, a number, or as it is, whatever it looks like.

    A whole number of more than 63 bits raises Refusal: as a number of another kind it would be another one.
    """
    if text.lower() in _FLAGS:
        return _FLAGS[text.lower()]
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is not None and abs(value) > MAX_INTEGER:
        raise Refusal(f"--set {name}={text[:SHOWN]} is too large a whole number.", f"At most {MAX_INTEGER}.")
    if value is not None:
        return value
    try:
        return _FINITE.validate_python(text)
    except ValidationError:
        return text
