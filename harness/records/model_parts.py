"""Whether two runs are of the same world model, by the digests that each wrote down (`RunIdentity.wm_digests`).

A manifest says what was meant to run. Equal manifests with other bytes behind them are two models, and a run that wrote
nothing down, because it is older than the digests, may be either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Mapping, Optional, Tuple

from harness.contracts.manifests import ENVIRONMENT, NONE
from harness.records.identity import RunIdentity

IMAGE = "image "
"""How the digest of code begins that is an image's."""

CODE = "code"
_CHECKPOINTS = ("checkpoint", "base_checkpoint")


def changed_parts(before: RunIdentity, now: RunIdentity) -> Tuple[str, ...]:
    """Return each part of the world model whose bytes differ, with both digests; () where none is known to."""
    first, second = before.wm_digests, now.wm_digests
    if not first or not second:
        return ()
    names = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    if _in_image(first) != _in_image(second):
        names = [name for name in names if not is_code(name)]
    return tuple(f"{name} ({_short(first.get(name))} and {_short(second.get(name))})" for name in names)


def unknown_parts(before: RunIdentity, now: RunIdentity) -> str:
    """Return why it is not known whether two runs of one manifest are of one model; "" where it is."""
    kinds = {before.wm_manifest.get("kind"), now.wm_manifest.get("kind")}
    if kinds <= {NONE, ENVIRONMENT}:
        return ""
    if not before.wm_digests or not now.wm_digests:
        return "the older one does not say which code and weights it ran"
    if _in_image(before.wm_digests) != _in_image(now.wm_digests):
        return "one ran code in an image, the other code in a folder"
    return ""


def weights_of(identity: RunIdentity) -> str:
    """Return the SHA-256 that tells the weights of a run's world model from others, "" where it has none."""
    return str(dict(identity.wm_manifest.get("checkpoint") or {}).get("sha256", ""))


def same_name(before: RunIdentity, now: RunIdentity) -> bool:
    """Say whether two runs' world models are declared alike, whatever bytes were behind that."""
    first, second = _by_name(before), _by_name(now)
    return (first.wm, first.wm_manifest, first.wm_overrides) == (second.wm, second.wm_manifest, second.wm_overrides)


def asks_the_same(before: RunIdentity, now: RunIdentity) -> bool:
    """Say whether two runs are equal in everything but the bytes of their world model."""
    return _by_name(before) == _by_name(now)


def _by_name(identity: RunIdentity) -> RunIdentity:
    manifest: Dict[str, Any] = dict(identity.wm_manifest)
    for name in _CHECKPOINTS:
        if isinstance(manifest.get(name), Mapping):
            manifest[name] = {**manifest[name], "revision": "", "sha256": ""}
    return replace(identity, wm_manifest=manifest, wm_manifest_hash="", wm_digests={})


def is_code(name: str) -> bool:
    """Say whether a part of a world model is code, and not weights."""
    return name == CODE or name.startswith(f"{CODE} ")


def _in_image(parts: Mapping[str, str]) -> bool:
    return parts.get(CODE, "").startswith(IMAGE)


def _short(value: Optional[str]) -> str:
    kind, _, rest = (value or "").rpartition(" ")
    return f"{kind} {rest.replace('sha256:', '')[:12]}".strip() or "nothing"
