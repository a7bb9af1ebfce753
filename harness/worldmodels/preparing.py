"""Preparing: a model of the catalog becomes the one that a run plays.

In this order: overrides, weights, prompt template, commits of hub references, card. Everything that is chosen ends up
in the manifest, whose hash names the model in results; what a reader must not overlook becomes a stamp.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Mapping, Sequence

from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, NETWORK, RANDOM, ModelManifest, Setting
from harness.worldmodels import cards
from harness.worldmodels.conditioning import conditioning_of
from harness.worldmodels.digests import unpinned, with_commits
from harness.worldmodels.file_hashes import Progress, quiet
from harness.worldmodels.overrides import override
from harness.worldmodels.planted_errors import planted_errors
from harness.worldmodels.prompts import SETTING as PROMPT_TEMPLATE
from harness.worldmodels.prompts import template_of, with_template
from harness.worldmodels.weights import (
    CODE_SETTING,
    Lack,
    choose_weights,
    code_lacks,
    lacks,
    own_folder,
    with_chosen_code,
)

RANDOM_WEIGHTS = "random-weights"
UNCARDED = "uncarded"
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
) -> Prepared:
    """Return what will be played, in a ``container`` or not; wrong choices raise Refusal. Reads no weights.

    ``code_from`` is what the family says about getting its authors' code, ``without`` what is known to be missing.
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
    stamps = (RANDOM_WEIGHTS,) * (planned.weights == RANDOM) + (UNPINNED,) * bool(unpinned(declared))
    missing = (*without, *code_lacks(planned, container, chosen, code_from), *lacks(planned))
    code = str(planned.settings[CODE_SETTING]) if chosen else ""
    return Prepared(planned, overrides, stamps, missing, code)


def _check_needs(manifest: ModelManifest, container: bool) -> None:
    """Raise Refusal where the model needs what no container has."""
    if container and NETWORK in manifest.needs:
        raise Refusal(
            f"world model {manifest.name!r} needs a network, and a container has none.",
            "Run it as a process: --runtime process (and no --wm-image).",
        )


def check(prepared: Prepared, choice: Choice, progress: Progress = quiet) -> Prepared:
    """Return ``prepared`` with the hash of the user's own or post-trained weights, after their card was checked.

    Published models are named by source and revision and need no card of ours. ``progress`` is told how much of the
    weights has been read.
    """
    manifest = prepared.manifest
    checkpoint = own_folder(manifest)
    if checkpoint is None or not (Path(manifest.weights).is_absolute() or manifest.base):
        return prepared
    stamps = prepared.stamps
    try:
        hashes = dict(cards.check_card(checkpoint, progress).weights)
    except Refusal:
        if not choice.allow_uncarded:
            raise
        hashes, stamps = cards.file_hashes(checkpoint, progress), (*stamps, UNCARDED)
    if not hashes:
        raise Refusal(f"{checkpoint} holds no file of weights.", "Give the folder of a checkpoint, or a file.")
    sha256 = cards.weights_digest(hashes)
    declared = prepared.manifest.checkpoint.sha256
    if manifest.weights == FROM_HUB and declared not in ("", sha256):
        raise Refusal(
            f"the weights of {manifest.name!r} in {checkpoint} have the digest {sha256}, declared is {declared}.",
            "Fetch them again at the declared revision.",
        )
    hashed = replace(manifest.checkpoint, sha256=sha256)
    return replace(prepared, manifest=replace(manifest, checkpoint=hashed), stamps=stamps)
