"""`plugin check` on every model of the zoo: a tiny untrained pipeline behind the real service, and real views."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("peft", reason="adapters need peft (the extra 'models')")

from harness.conformance import repeat_checks
from harness.conformance.real_views import collect_places
from harness.conformance.results import PASSED, REPORTED, SKIPPED, Report
from harness.conformance.run_checks import NAMES, check_plugin
from harness.conformance.target import Target
from harness.running.services import Placement, plan_world_model
from harness.worldmodels.probe import Place
from tests.conformance.toy_places import toy_places
from tests.wm_plugins.diffusers.saving import SavedPipelines
from tests.wm_plugins.diffusers.zoo import MODELS, entry, tiny_manifest

SIZES = {"panorama": (32, 64), "perspective": (32, 32)}
MEMORY_S = 15.0
"""How long the memory check of a model may take here: 40 to 200 requests."""

QUICK = ("ltx", "FTsvd")
"""A model that reads a prompt and one that reads numbers, in the default tests."""

OF_THE_CONTRACT = (
    "handshake",
    "shapes",
    "view used",
    "chosen frames",
    "determinism",
    "seed",
    "batch",
    "conditioning",
    "bad requests",
)


def tiny_target(name: str, pipelines: SavedPipelines, untrained: bool = True) -> Target:
    """Return a model on tiny random weights, saved and loaded as real ones are, with its post-trained part."""
    declared = entry(name)
    saved = pipelines.post_trained(name) if declared.manifest.base else pipelines.published(name)
    height, width = SIZES[declared.manifest.view]
    manifest = replace(tiny_manifest(name, saved, untrained=untrained), height=height, width=width)
    chosen = replace(declared, manifest=manifest)
    plan, _ = plan_world_model(chosen, None, Placement())
    assert plan is not None
    variables = {**plan.environment_variables, "OMP_NUM_THREADS": "1"}
    return Target(chosen, replace(plan, environment_variables=variables), str(saved.weights))


@pytest.fixture(scope="session")
def places() -> tuple[Place, ...]:
    pytest.importorskip("numba", reason="the embedded homes need numba (the extra 'embedded')")
    return collect_places(large=False)


def quiet(done: int, total: int, doing: str) -> None:
    """Take progress and say nothing."""


def told(report: Report) -> str:
    return "\n".join(f"{r.name}: {r.outcome.state} {r.outcome.measured} {r.outcome.note}" for r in report.results)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_zoo_conforms(
    name: str, pipelines: SavedPipelines, places: tuple[Place, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeat_checks, "BUDGET_S", MEMORY_S)
    report = check_plugin(tiny_target(name, pipelines), quiet, places)
    assert report.conforms, told(report)
    assert [result.name for result in report.results] == list(NAMES)


@pytest.mark.parametrize("name", QUICK)
def test_a_model_keeps_the_contract_of_single_answers(name: str, pipelines: SavedPipelines) -> None:
    report = check_plugin(tiny_target(name, pipelines), quiet, toy_places(), only=OF_THE_CONTRACT)
    assert [result.outcome.state for result in report.results] == [PASSED] * len(OF_THE_CONTRACT), told(report)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "check"), [("ltx", "start view"), ("FTsvd", "following: turns")])
def test_untrained_weights_fail_what_only_training_gives(
    name: str, check: str, pipelines: SavedPipelines, places: tuple[Place, ...]
) -> None:
    only = ("handshake", check)
    assert check_plugin(tiny_target(name, pipelines, untrained=False), quiet, places, only=only).failed == (check,)
    outcome = check_plugin(tiny_target(name, pipelines), quiet, places, only=only).results[-1].outcome
    assert outcome.state in (SKIPPED, REPORTED) and "untrained" in outcome.note


def test_every_model_has_a_tiny_pipeline() -> None:
    from tests.wm_plugins.diffusers.tiny_pipelines import BY_MODEL

    assert set(BY_MODEL) == set(MODELS)
