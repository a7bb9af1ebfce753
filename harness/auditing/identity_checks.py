"""Compares what ``run.json`` says with the suite's data and the catalog of world models that are here.

A folder of another version of the suite, or of a plugin that is not installed, is no damage: what could not be checked
is said. What is here and says something else is.
"""

from __future__ import annotations

import functools
from typing import List, Mapping, Sequence

from harness.contracts.digest import digest, to_plain
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.records.damage import Damage, Findings
from harness.records.folder import RECORD
from harness.records.identity import RunIdentity
from harness.worldmodels.catalog import load_catalog
from tasks.suite import Suite, load_suite

DECLARED = ("kind", "family")
"""What no override changes: another value under a known name is another model."""


def check_identity(identity: RunIdentity) -> Findings:
    """Return what is wrong with the identity of a run."""
    return check_model(identity) + _check_suite(identity, with_episodes=True)


def check_bank(identity: RunIdentity) -> Findings:
    """Return what is wrong with the identity of a measurement but for its states, which its bank knows."""
    return check_model(identity) + _check_suite(identity, with_episodes=False)


def check_model(identity: RunIdentity) -> Findings:
    """Return where name, manifest and hash of the world model, or the catalog, contradict each other."""
    manifest = identity.wm_manifest
    damage: List[Damage] = []
    if manifest.get("name") != identity.wm:
        damage.append(_wrong(f"the world model is {identity.wm!r}, its manifest that of {manifest.get('name')!r}"))
    if digest(manifest) != identity.wm_manifest_hash:
        damage.append(_wrong(f"wm_manifest_hash is not that of its manifest ({digest(manifest)[:12]})"))
    if manifest.get("view", identity.view) != identity.view:
        damage.append(_wrong(f"view is {identity.view!r}, the manifest's {manifest.get('view')!r}"))
    known = _models().get(identity.wm)
    if known is None:
        sentence = f"world model {identity.wm!r} is not in the catalog: nothing but its hash was checked."
        return Findings(tuple(damage), (sentence,))
    for name in DECLARED:
        declared = getattr(known, name)
        if manifest.get(name) != declared:
            damage.append(_wrong(f"{identity.wm} has the {name} {manifest.get(name)!r}, the catalog's {declared!r}"))
    return Findings(tuple(damage))


def _check_suite(identity: RunIdentity, with_episodes: bool) -> Findings:
    """Return where tier, specs and episodes are not those of the suite's data."""
    at = f"{identity.suite}/{identity.task}/{identity.tier}"
    try:
        suite = load_suite(identity.suite, identity.task)
        tier = suite.tier(identity.tier)
        present = suite.hash(tier.name)
    except Refusal as refusal:
        return Findings((), (f"episodes and radius were not checked against {at}: {refusal.what}",))
    if present != identity.suite_hash:
        sentence = (
            f"it was played on another version of {at} ({identity.suite_hash[:12]}) than is here ({present[:12]})"
        )
        return Findings((), (f"{sentence}: episodes and radius were not checked.",))
    declared = to_plain({"rig": suite.rig, "action_space": suite.action_space, "loop": tier.loop_for(identity.wm)})
    damage = [
        _wrong(f"its {name} is not that of {at}")
        for name, value in declared.items()
        if identity.specs.get(name, value) != value
    ]
    if identity.stop not in tier.loop.stop_rules:
        damage.append(_wrong(f"stop rule {identity.stop!r} is none of {at}"))
    if with_episodes:
        damage += _episodes(identity, suite, at)
    return Findings(tuple(damage))


def _episodes(identity: RunIdentity, suite: Suite, at: str) -> List[Damage]:
    try:
        known = suite.episodes(identity.tier, identity.split)
    except Refusal as refusal:
        return [_wrong(refusal.what)]
    return differing(identity.episodes, {episode.id: episode for episode in known}, f"{at} ({identity.split})")


def differing(episodes: Sequence[Episode], known: Mapping[str, Episode], where: str) -> List[Damage]:
    """Return each of ``episodes`` that is not, field by field, the one of its id in ``known``."""
    damage = []
    for episode in episodes:
        original = known.get(episode.id)
        if original is None:
            damage.append(Damage(f"{RECORD}, {episode.id}", f"{where} has no such episode"))
            continue
        if episode == original:  # nearly always
            continue
        mine, theirs = to_plain(episode), to_plain(original)
        fields = [name for name in theirs if mine[name] != theirs[name]]
        if fields:
            what = ", ".join(f"{name} {mine[name]!r} instead of {theirs[name]!r}" for name in fields[:2])
            damage.append(Damage(f"{RECORD}, {episode.id}", what))
    return damage


@functools.cache
def _models() -> Mapping[str, ModelManifest]:
    """Return the manifests of the catalog by name, read once."""
    try:
        return {entry.manifest.name: entry.manifest for entry in load_catalog(()).entries}
    except Refusal:
        return {}


def _wrong(what: str) -> Damage:
    return Damage(RECORD, what)
