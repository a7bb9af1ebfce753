"""Whether a plan that was made anew asks what a run began with.

Episodes of two questions in one run would have no meaning, so such a run is refused, not continued.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, List, Tuple

from harness.contracts.digest import to_plain
from harness.contracts.errors import SpecMismatch
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import ModelManifest
from harness.records.identity import POLICY, RunIdentity
from harness.records.model_parts import changed_parts
from harness.running.plan import check_suite

_NEXT = "Check out the version that began it, or start a new run."
_SHOWN = 80
"""Characters shown of a value: the id of an image is one of 71."""

_OTHERWISE = ("wm_manifest", "wm_manifest_hash", "wm_image", "specs", "episodes_subset", "stamps", "wm_digests")
"""Compared in a way of their own (older manifests lack fields, older runs digests, an image is its id), covered by the
suite's hash, or only told."""


def check_same(began: RunIdentity, now: RunIdentity) -> None:
    """Raise SpecMismatch, which names every difference, unless ``now`` asks what the run ``began`` with."""
    check_suite(began, now.suite_hash)
    differences = [
        (field.name, getattr(began, field.name), getattr(now, field.name))
        for field in fields(RunIdentity)
        if field.name not in _OTHERWISE and _differ(getattr(began, field.name), getattr(now, field.name))
    ]
    images = [image and image.id for image in (began.wm_image, now.wm_image)]
    differences += [] if images[0] == images[1] else [("wm_image", images[0], images[1])]
    differences += [] if began.search == now.search else [("search", began.search.given, now.search.given)]
    policy, another = (identity.specs.get(POLICY) for identity in (began, now))
    differences += [] if policy == another else [("proposer", policy, another)]
    differences += _manifest_differences(began, now)
    told = [f"{name} was {_short(first)} and is {_short(second)}" for name, first, second in differences]
    parts = [f"the world model has another {part}" for part in changed_parts(began, now)]
    if parts and not told:
        raise SpecMismatch(
            f"the run began with something else: {'; '.join(parts)}.",
            "It is another world model now: put it back as it was, or begin a new run.",
        )
    if told:
        raise SpecMismatch(f"the run began with something else: {'; '.join([*told, *parts])}.", _NEXT)


def _manifest_differences(began: RunIdentity, now: RunIdentity) -> List[Tuple[str, Any, Any]]:
    if began.wm_manifest == now.wm_manifest:
        return []
    try:
        first, second = (from_plain(ModelManifest, dict(of.wm_manifest)) for of in (began, now))
    except ValueError as error:
        raise SpecMismatch(f"the manifest of {began.wm} is not one of this version: {error}.", _NEXT) from error
    return [
        (f"wm_manifest.{field.name}", getattr(first, field.name), getattr(second, field.name))
        for field in fields(ModelManifest)
        if getattr(first, field.name) != getattr(second, field.name)
    ]


def _differ(began: Any, now: Any) -> bool:
    """Say whether two values differ as plain data; ten thousand equal episodes are seldom made plain for that."""
    return bool(began != now) and bool(to_plain(began) != to_plain(now))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
