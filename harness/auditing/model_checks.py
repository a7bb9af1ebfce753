"""Compares the world model of ``run.json`` with the catalog that is here: what no user can choose, and what one chose.

Whatever a user may change is recorded beside the manifest, as an override or a stamp; a manifest that differs from the
catalog in anything else is damage. A model of other code than is here may be another version: that is said instead.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, PLUGIN, RANDOM, ModelManifest
from harness.records.damage import Damage, Findings
from harness.records.folder import RECORD
from harness.records.identity import RunIdentity
from harness.worldmodels.catalog import CatalogEntry, load_catalog
from harness.worldmodels.conditioning import PROMPT_TEMPLATE, with_template
from harness.worldmodels.digests import CODE, IMAGE, code_digests
from harness.worldmodels.preparing import ACCELERATE, APPROXIMATE, FACTS, RANDOM_WEIGHTS
from harness.worldmodels.strangers import OWN_FAMILIES, UNSANDBOXED, is_strangers
from harness.worldmodels.weights import CODE_SETTING, has_weights

DECLARED = ("kind", "family")
"""What no version changes: another value under a known name is another model."""

_ELSEWHERE = ("name", "view", "weights", "checkpoint", "base_checkpoint", "settings", *DECLARED)
_WORDS = ("description", "licence", "card", "download_gb")
"""What people read, which changes no rollout."""

_DEFAULTS = to_plain(ModelManifest("", "", ""))
"""What a manifest means that is from before a field."""

_Pair = Tuple[str, Any, Any]
"""What is compared, what the run has, and what is declared or set."""

_COMMIT = re.compile("[0-9a-f]{40}")


def check_model(identity: RunIdentity) -> Findings:
    """Return where name, manifest, hash and stamps of the world model, or the catalog, contradict each other."""
    manifest, entry = identity.wm_manifest, _entries().get(identity.wm)
    damage = [*_itself(identity), *_stamps(identity, entry)]
    if entry is None:
        sentence = (
            f"world model {identity.wm!r} is not among this project's own: of its manifest only the hash was checked."
        )
        return Findings(tuple(map(_wrong, damage)), (sentence,))
    declared = with_template(entry.manifest)
    damage += [f"{identity.wm} has the {name} {manifest.get(name)!r}, the catalog's {getattr(declared, name)!r}"
               for name in DECLARED if manifest.get(name) != getattr(declared, name)]  # fmt: skip
    differences = [] if damage else _differences(identity, declared)
    told = [f"{identity.wm} has {difference}" for difference in differences]
    if not told or _is_this_version(identity, entry):
        return Findings(tuple(map(_wrong, [*damage, *told])))
    return Findings((), (f"other code of the world model was played than is here: {'; '.join(told)}.",))


def other_code(identity: RunIdentity) -> bool:
    """Say whether a run played other code of its world model than is here, as far as that is known.

    Runs that do not say, those in images, and models that the catalog lacks may have played any.
    """
    said, entry = _code(identity), _entries().get(identity.wm)
    in_image = any(value.startswith(IMAGE) for value in said.values())
    return bool(said) and not in_image and entry is not None and not _is_this_version(identity, entry)


def _itself(identity: RunIdentity) -> List[str]:
    """Return where a run contradicts itself about its world model."""
    manifest = identity.wm_manifest
    damage = []
    if manifest.get("name") != identity.wm:
        damage.append(f"the world model is {identity.wm!r}, its manifest that of {manifest.get('name')!r}")
    if digest(manifest) != identity.wm_manifest_hash:
        damage.append(f"wm_manifest_hash is not that of its manifest ({digest(manifest)[:12]})")
    if manifest.get("kind") == PLUGIN and manifest.get("view", identity.view) != identity.view:
        damage.append(f"view is {identity.view!r}, the manifest's {manifest.get('view')!r}")
    code, image = _code(identity), identity.wm_image
    if image is not None and code and code != {CODE: f"{IMAGE}{image.id}"}:
        damage.append(f"its world model is said to be that of image {image.id[:19]}, its code is not")
    return damage


def _stamps(identity: RunIdentity, entry: CatalogEntry | None) -> List[str]:
    """Return the stamps that the result has to have and has not.

    Runs from before the digests of code are from before the stamp of processes that are not sandboxed.
    """
    weights, stamps = identity.wm_manifest.get("weights", ""), identity.stamps
    damage = []
    if (weights == RANDOM) != (RANDOM_WEIGHTS in stamps):
        damage.append(f"its weights are {weights!r}, its stamps {list(stamps)!r}")
    settings = identity.wm_manifest.get("settings")
    mode = settings.get(ACCELERATE) if isinstance(settings, dict) and identity.wm_manifest.get("kind") == PLUGIN else ""
    if mode and APPROXIMATE not in stamps:
        damage.append(f"its setting {ACCELERATE} is {_short(mode)}, and the stamp {APPROXIMATE!r} is missing")
    family = identity.wm_manifest.get("family")
    strange = is_strangers(entry) if entry else family not in OWN_FAMILIES
    as_process = any(not value.startswith(IMAGE) for value in _code(identity).values())
    if strange and as_process and UNSANDBOXED not in stamps:
        damage.append(f"a stranger's code ran as a process, and the stamp {UNSANDBOXED!r} is missing")
    return damage


def _differences(identity: RunIdentity, model: ModelManifest) -> List[str]:
    """Return where the manifest is not what the catalog declares with the overrides that the run names."""
    overrides, declared = identity.wm_overrides, to_plain(model)
    manifest = {**_DEFAULTS, **identity.wm_manifest}
    expected = {name: value for name, value in declared.items() if name not in (*_ELSEWHERE, *_WORDS)}
    expected.update({name: value for name, value in overrides.items() if name in FACTS})
    pairs = [(name, manifest[name], value) for name, value in expected.items()]
    chosen = {name: value for name, value in overrides.items() if name not in FACTS}
    pairs += _setting_pairs(dict(manifest["settings"]), {**declared["settings"], **chosen}, chosen)
    pairs += _weight_pairs(manifest, declared, has_weights(model))
    return [f"{name} {_short(found)}, where {_short(wanted)} is declared or set"
            for name, found, wanted in pairs if found != wanted]  # fmt: skip


def _setting_pairs(found: Dict[str, Any], wanted: Dict[str, Any], chosen: Mapping[str, Any]) -> List[_Pair]:
    """Return the settings to compare: the override names a prompt by its hash, and a folder as it was typed."""
    if PROMPT_TEMPLATE in chosen:
        text = str(found.get(PROMPT_TEMPLATE))
        found[PROMPT_TEMPLATE] = hashlib.sha256(text.encode()).hexdigest()
        wanted[PROMPT_TEMPLATE] = str(chosen[PROMPT_TEMPLATE]).rpartition("sha256:")[2]
    names = sorted({*found, *wanted} - ({CODE_SETTING} & set(chosen)))
    return [(f"settings.{name}", found.get(name), wanted.get(name)) for name in names]


def _weight_pairs(manifest: Mapping[str, Any], declared: Mapping[str, Any], loads: bool) -> List[_Pair]:
    """Return what may not differ of where weights come from; a branch stands for one of its commits."""
    weights = manifest["weights"]
    pairs = [] if loads else [("weights", weights, "")]
    if loads and weights not in (FROM_HUB, RANDOM) and not Path(str(weights)).is_absolute():
        pairs.append(("weights", weights, "hub, random or an absolute path"))
    for name in ("checkpoint", "base_checkpoint"):
        found, wanted = manifest[name], declared[name]
        fields = ["source", *(["revision"] if _COMMIT.fullmatch(wanted["revision"]) else [])]
        fields += ["sha256"] if wanted["sha256"] and weights == FROM_HUB else []
        pairs += [(f"{name}.{field}", found.get(field), wanted[field]) for field in fields]
    return pairs


def _code(identity: RunIdentity) -> Dict[str, str]:
    """Return the digests of the code that a run was planned with, {} in runs from before they were written."""
    return _parts_of_code(identity.wm_digests)


def _parts_of_code(digests: Mapping[str, str]) -> Dict[str, str]:
    return {part: value for part, value in digests.items() if part.startswith(CODE)}


def _is_this_version(identity: RunIdentity, entry: CatalogEntry) -> bool:
    """Say whether the code that is here is that of the run; of a run that does not say, it is taken to be."""
    said = _code(identity)
    if not said:
        return True
    try:
        return said == _parts_of_code(code_digests([entry.folder, *entry.shared]))
    except Refusal:
        return False


@functools.cache
def _entries() -> Mapping[str, CatalogEntry]:
    """Return the models of the catalog by name, read once."""
    try:
        return {entry.manifest.name: entry for entry in load_catalog(()).entries}
    except Refusal:
        return {}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _wrong(what: str) -> Damage:
    return Damage(RECORD, what)
