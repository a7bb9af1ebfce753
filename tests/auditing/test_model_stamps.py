"""A mode that computes less than the model does cannot lose its stamp."""

from __future__ import annotations

from dataclasses import asdict, replace

from harness.auditing.model_checks import check_model
from harness.contracts.manifests import PLUGIN, ModelManifest
from tests.running import fake


def test_an_accelerated_model_without_its_stamp_is_damage() -> None:
    manifest = replace(ModelManifest("strange", "mine", PLUGIN), settings={"accelerate": "taylorseer:3"})
    identity = replace(
        fake.plan(1).identity, wm="strange", wm_manifest=asdict(manifest), wm_manifest_hash=manifest.digest()
    )
    (found,) = check_model(replace(identity, view=manifest.view)).damage
    assert "the stamp 'approximate' is missing" in found.what
    assert not check_model(replace(identity, view=manifest.view, stamps=("approximate",))).damage
