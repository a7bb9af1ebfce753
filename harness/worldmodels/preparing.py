"""Preparing: a model of the catalog becomes the one that a run plays.

In this order: overrides, weights, prompt template, commits of hub references, card. Everything that is chosen ends up
in the manifest, whose hash names the model in results; what a reader must not overlook becomes a stamp.
So is what ``--set key=value`` overrides: a changed fact is another model for everyone who reads the results.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Collection, Mapping, Optional, Sequence

from pydantic import TypeAdapter, ValidationError

from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.manifests import (
    ENVIRONMENT,
    FROM_HUB,
    NETWORK,
    PLUGIN,
    POLICY,
    RANDOM,
    ModelManifest,
    Setting,
)
from harness.contracts.names import nearest
from harness.contracts.policies import CAMERAS
from harness.contracts.wrong_fields import checked
from harness.worldmodels import cards
from harness.worldmodels.conditioning import (
    ACTION_SPACE,
    DEFAULT_TEMPLATE,
    PLAN_ACTIONS,
    PROMPT_TEMPLATE,
    TEXT,
    conditioning_of,
    template_of,
    with_template,
)
from harness.worldmodels.digests import Progress, quiet, unpinned, with_commits
from harness.worldmodels.file_limits import MAX_INTEGER
from harness.worldmodels.planted_errors import own_settings, planted_errors
from harness.worldmodels.weights import (
    BESIDE,
    CODE_SETTING,
    Lack,
    choose_weights,
    code_lacks,
    lacks,
    own_folder,
    with_chosen_code,
)

FACTS = ("height", "width", "frames", "steps", "guidance", "fps", "dtype", "max_batch", "context_max")
"""The fields of a manifest that may be overridden; the others say which model it is."""

ACCELERATE = "accelerate"
"""The setting that names modes which compute less than the model does; "" for none."""
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
    return checked(ModelManifest, to_plain(result), f"--set of {manifest.name!r}: ", "Choose another value."), changed


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
        f"{'policy' if manifest.kind == POLICY else 'world model'} {manifest.name!r} has no fact or setting {short!r}.",
        f"{nearest(short, (*FACTS, *declared))} What its plugin.toml does not list: --set settings.NAME=VALUE.",
    )


def _own_settings(manifest: ModelManifest) -> Mapping[str, Setting]:
    """Return the settings that the harness itself reads, with their defaults."""
    if manifest.kind == ENVIRONMENT:
        return own_settings()
    if manifest.kind == POLICY:
        return {CAMERAS: "", ACTION_SPACE: ""}
    text: Mapping[str, Setting] = {PROMPT_TEMPLATE: DEFAULT_TEMPLATE, PLAN_ACTIONS: 0}
    return {**({ACCELERATE: ""} if manifest.kind == PLUGIN else {}), **(text if manifest.conditioning == TEXT else {})}


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


RANDOM_WEIGHTS = "random-weights"
UNCARDED = "uncarded"
APPROXIMATE = "approximate"
"""Stamps the result of a model with such a mode."""
UNPINNED = "unpinned"
"""Stamps the result of a model whose plugin.toml names no commit of what it loads from the hub: the run records the one
that was there."""


@dataclass(frozen=True)
class Choice:
    """What the user chose about a world model: ``--set``, ``--weights`` and ``--allow-uncarded``.

    ``commits`` are those of hub references that a continued run began with, by the manifest's field.
    """

    assignments: Sequence[str] = ()
    weights: str = ""
    allow_uncarded: bool = False
    commits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A manifest as it will be played, the overrides and stamps for the results, and what is missing here.

    With something missing the card has not been looked at: `check` comes after that has been told. ``code`` is the
    folder of the authors' code that the user chose, "" for none.
    """

    manifest: ModelManifest
    overrides: Mapping[str, Setting]
    stamps: tuple[str, ...]
    lacks: tuple[Lack, ...]
    code: str = ""


def prepare(
    manifest: ModelManifest,
    choice: Choice,
    container: bool = False,
    code_from: str = "",
    without: Sequence[Lack] = (),
    family: Optional[Path] = None,
) -> Prepared:
    """Return what will be played, in a ``container`` or not; wrong choices raise Refusal. Reads no weights.

    ``code_from`` is what the family says about getting its authors' code, ``without`` what is known to be missing,
    ``family`` the folder of its plugin.toml.
    """
    _check_needs(manifest, container)
    changed, overrides = override(manifest, choice.assignments)
    declared = with_template(choose_weights(changed, choice.weights))
    planned = with_commits(declared, choice.commits)
    chosen = bool(overrides.get(CODE_SETTING))
    planned = with_chosen_code(planned) if chosen else planned
    conditioning_of(planned)  # refuses wrong settings now, not in the first decision
    planted_errors(planned)  # as does this
    if PROMPT_TEMPLATE in overrides:
        template = template_of(planned)
        overrides = {**overrides, PROMPT_TEMPLATE: f"{template.name}-v{template.version} sha256:{template.sha256}"}
    stamps = (
        *(RANDOM_WEIGHTS,) * (planned.weights == RANDOM),
        *(UNPINNED,) * bool(unpinned(declared)),
        *(APPROXIMATE,) * bool(planned.settings.get(ACCELERATE)),
    )
    missing = (*without, *code_lacks(planned, container, chosen, code_from), *lacks(planned, family))
    code = str(planned.settings[CODE_SETTING]) if chosen else ""
    return Prepared(planned, overrides, stamps, missing, code)


def _check_needs(manifest: ModelManifest, container: bool) -> None:
    """Raise Refusal where the model needs what no container has."""
    if container and NETWORK in manifest.needs:
        raise Refusal(
            f"world model {manifest.name!r} needs a network, and a container has none.",
            "Run it as a process: --runtime process (and no --wm-image).",
        )


def check(prepared: Prepared, choice: Choice, progress: Progress = quiet, family: Optional[Path] = None) -> Prepared:
    """Return ``prepared`` with the hash of the user's own or post-trained weights, after their card was checked.

    Published models are named by source and revision and need no card of ours; weights in the ``family``'s own folder
    have one. A setting that the model declares and the card names has the value that the weights were trained with,
    unless the user set it. ``progress`` is told how much of the weights has been read.
    """
    manifest = prepared.manifest
    checkpoint = own_folder(manifest, family)
    beside = manifest.checkpoint.source.startswith(BESIDE)
    if checkpoint is None or not (Path(manifest.weights).is_absolute() or manifest.base or beside):
        return prepared
    stamps = prepared.stamps
    try:
        card = cards.check_card(checkpoint, progress)
        hashes, stamps = dict(card.weights), (*stamps, *card.stamps)
        manifest = as_trained(manifest, card.settings, prepared.overrides)
    except Refusal:
        if not choice.allow_uncarded:
            raise
        hashes, stamps = cards.file_hashes(checkpoint, progress), (*stamps, UNCARDED)
    if not hashes:
        raise Refusal(f"{checkpoint} holds no file of weights.", "Give the folder of a checkpoint, or a file.")
    sha256 = cards.weights_digest(hashes)
    declared = manifest.checkpoint.sha256
    if manifest.weights == FROM_HUB and declared not in ("", sha256):
        raise Refusal(
            f"the weights of {manifest.name!r} in {checkpoint} have the digest {sha256}, declared is {declared}.",
            "Fetch them again at the declared revision.",
        )
    hashed = replace(manifest.checkpoint, sha256=sha256)
    return replace(prepared, manifest=replace(manifest, checkpoint=hashed), stamps=stamps)


def as_trained(manifest: ModelManifest, trained: Mapping[str, Setting], chosen: Collection[str] = ()) -> ModelManifest:
    """Return the manifest with the settings that its weights were ``trained`` with, except those that were ``chosen``.

    Refusal for a value that the model cannot have.
    """
    try:
        return override(manifest, trained_assignments(manifest, trained, chosen))[0]
    except Refusal as wrong:
        raise Refusal(
            f"the card of these weights of {manifest.name!r} has a setting that the model cannot have: "
            f"{wrong.what.removeprefix('--set ')}",
            "Fix the card, or set it with --set.",
        ) from wrong


def trained_assignments(
    manifest: ModelManifest, trained: Mapping[str, Setting], chosen: Collection[str] = ()
) -> tuple[str, ...]:
    """Return as ``key=value`` the ``trained`` settings that the manifest declares, but for those that were ``chosen``.

    A recipe's settings that the manifest does not declare say nothing about the model in use.
    """
    return tuple(
        f"{name}={trained[name]}" for name in sorted(trained) if name in manifest.settings and name not in chosen
    )
