"""Prompts: a candidate as text, for world models that read one.

The words are data: a template file with a name and a version, ours by default (``templates/``), replaceable by the
user's (``--set prompt_template=FILE``), since a checkpoint that was trained on captions of its own needs exactly
those. When a run is planned the template's text goes into the manifest (`with_template`): so it is hashed with it,
part of the run's identity, and still there when a run is resumed after its file has changed.
"""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.actions import Action, Primitive
from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.manifests import ModelManifest
from harness.contracts.names import nearest
from harness.contracts.wrong_fields import wrong_fields
from harness.worldmodels.file_limits import parse_toml

SETTING = "prompt_template"
"""The setting that chooses a template: the name of one of ours, a file, or (once planned) the text itself."""

DEFAULT = "navigation-v1"
TEXT = "text"
TEMPLATES = Path(__file__).resolve().parent / "templates"
ACTIONS = "actions"
MAX_BYTES = 16384
OPEN_ABOVE = 0.5
"""The gripper's last number above which it is open (`ee_pose8_space`, `discrete7_space`)."""


class _TemplateFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(min_length=1, max_length=100)
    version: int = Field(ge=1)
    template: str = Field(min_length=1)
    separator: str = ", "
    actions: dict[str, str] = Field(min_length=1)


@dataclass(frozen=True)
class PromptTemplate:
    """How actions become a prompt.

    ``template`` holds ``{actions}`` once, which is replaced by the words of each action joined by ``separator``.
    ``actions`` gives the words by the name of a primitive (with ``{magnitude}``) or of a vector's space (with ``{x}``,
    ``{y}``, ``{z}`` and ``{fingers}``, open or closed). ``sha256`` is the hash of the file.
    """

    name: str
    version: int
    template: str
    separator: str
    actions: Mapping[str, str]
    sha256: str

    def render(self, actions: Sequence[Action]) -> str:
        """Return the prompt of ``actions``; an action without words raises Refusal."""
        words = self.separator.join(self._words(action) for action in actions)
        return self.template.replace(f"{{{ACTIONS}}}", words)

    def _words(self, action: Action) -> str:
        name = action.name if isinstance(action, Primitive) else action.space
        if name not in self.actions:
            raise Refusal(f"the prompt template {self.name!r} has no words for {name!r}.", nearest(name, self.actions))
        if isinstance(action, Primitive):
            return self.actions[name].format(magnitude=f"{action.magnitude:g}")
        x, y, z = (f"{value:g}" for value in action.values[:3])
        fingers = "open" if action.values[-1] > OPEN_ABOVE else "closed"
        return self.actions[name].format(x=x, y=y, z=z, fingers=fingers)


def with_template(manifest: ModelManifest) -> ModelManifest:
    """Return the manifest with the text of its template in its settings; models that read no text are unchanged."""
    if manifest.conditioning != TEXT:
        return manifest
    content = _content(str(manifest.settings.get(SETTING, DEFAULT)))
    _parse(content, "the prompt template")
    return replace(manifest, settings={**manifest.settings, SETTING: content})


def template_of(manifest: ModelManifest) -> PromptTemplate:
    """Return the template that a manifest names or holds; ours where it says nothing."""
    return _parse(_content(str(manifest.settings.get(SETTING, DEFAULT))), "the prompt template")


def _content(chosen: str) -> str:
    """Return the text of a template given as its name, as a file, or as the text itself (which has lines)."""
    if "\n" in chosen:
        return chosen
    own = {path.stem: path for path in TEMPLATES.glob("*.toml")}
    path = own.get(chosen, absolute(chosen))
    if not path.is_file():
        raise Refusal(
            f"there is no prompt template {chosen!r}.",
            f"Name a file, or one of ours. {nearest(chosen, own)} docs/worldmodels.md shows what a file holds.",
        )
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise Refusal(f"{path} has {len(data)} bytes; a template has at most {MAX_BYTES}.", "Shorten it.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} is no text: {error}.", "Save it as UTF-8.") from error


def _parse(content: str, source: str) -> PromptTemplate:
    try:
        data = _TemplateFile.model_validate(parse_toml(content))
    except ValidationError as error:
        raise Refusal(f"{source}: {wrong_fields(error.errors())}.", "Fix the named fields.") from error
    except ValueError as error:
        raise Refusal(f"{source} is no TOML: {error}.", "Fix the file.") from error
    if data.template.count(f"{{{ACTIONS}}}") != 1:
        raise Refusal(f"{source} does not hold {{actions}} exactly once.", "Put it where the actions belong.")
    for name, words in data.actions.items():
        _check_words(name, words, source)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return PromptTemplate(data.name, data.version, data.template, data.separator, data.actions, sha256)


def _check_words(name: str, words: str, source: str) -> None:
    """Raise Refusal unless ``words`` holds known placeholders only."""
    known = {"magnitude", "x", "y", "z", "fingers"}
    try:
        used = {
            (field, kind, conversion)
            for _, field, kind, conversion in string.Formatter().parse(words)
            if field is not None
        }
    except ValueError as error:
        raise Refusal(f"{source}: actions.{name}: {error}.", "Write a brace of the text twice.") from error
    wrong = [field for field, kind, conversion in used if field not in known or kind or conversion]
    if wrong:
        raise Refusal(f"{source}: actions.{name} holds {{{wrong[0]}}}.", f"Known: {', '.join(sorted(known))}.")
