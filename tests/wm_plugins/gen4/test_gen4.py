"""Gen-4 against replies of Runway's API, served on this machine: nothing leaves it."""

from __future__ import annotations

import base64
import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="gen4 needs av (the extra 'embedded')")

from PIL import Image

from harness.contracts.actions import Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.manifests import SPENDING, ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.rollouts import RolloutRequest
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.services import Placement, plan_world_model
from harness.runtimes.process import start_process
from harness.runtimes.service import ServiceLimits
from harness.wire.client import WorldModelClient
from harness.wire.host import load_class
from harness.worldmodels.catalog import CatalogEntry, load_catalog
from tests.running import fake
from tests.wm_plugins.gen4.runway_server import KEY, Runway, serving

ENTRY = load_catalog().find("gen4")
CAMERA = Camera("front", PINHOLE, 48, 48, 90.0, 1.25)
AHEAD = Primitive("forward", 0.2)
ACTIONS = Candidate((AHEAD,) * 13)
COMPRESSION = 6
"""Levels by which a decoded frame may differ from the one that was encoded."""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SPENDING, raising=False)
    monkeypatch.setenv("RUNWAYML_API_SECRET", KEY)


def view() -> RGB:
    return np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)


def ask(id: int = 0, **more: Any) -> RolloutRequest:
    fields = {"frames": tuple(range(1, 14)), "prompt": "go ahead", "camera": CAMERA, "candidate": ACTIONS, **more}
    return RolloutRequest(id, fields.pop("seed", 7), view(), **fields)


def manifest(runway: Runway | None, **settings: Any) -> ModelManifest:
    own: dict[str, Any] = {
        "api_url": runway.address if runway else "https://127.0.0.1:1",
        "poll_s": 0.01,
        "max_cost_usd": 1.0,
    }
    return replace(ENTRY.manifest, settings={**ENTRY.manifest.settings, **own, **settings})


def made(chosen: ModelManifest) -> Any:
    folders = [str(folder) for folder in (ENTRY.folder, *ENTRY.shared) if str(folder) not in sys.path]
    return load_class(chosen.entry_point, folders)(chosen)


def test_answers_what_was_asked_through_the_service(tmp_path: Path) -> None:
    with serving(states=["pending", "throttled", "running", "succeeded"]) as runway:
        chosen = manifest(runway)
        spec = CatalogEntry(chosen, ENTRY.folder, ENTRY.shared).service_spec(sys.executable)
        with start_process(spec, ServiceLimits(start_s=60.0), tmp_path / "gen4.log") as service:
            client = WorldModelClient(service.socket, expected=chosen)
            answers = {rollout.id: rollout for rollout in client.imagine_batch([ask(0), ask(1, frames=(13,))])}
            client.close()
    assert answers[0].rgb.shape == (13, 48, 48, 3) and answers[1].rgb.shape == (1, 48, 48, 3)
    assert {"task", "decode"} <= set(answers[0].timings)
    assert KEY not in (tmp_path / "gen4.log").read_text()


def test_frames_stand_for_actions_as_in_the_published_convention() -> None:
    with serving() as runway:
        rgb = made(manifest(runway)).imagine(ask()).rgb
    levels = rgb.reshape(13, -1).mean(axis=1)
    expected = [2 * (index * 120 // 13) for index in range(1, 14)]
    assert np.abs(levels - expected).max() <= COMPRESSION


def test_a_short_plan_ends_where_its_actions_end() -> None:
    with serving() as runway:
        rgb = made(manifest(runway)).imagine(ask(candidate=Candidate((AHEAD,) * 2), frames=(2,))).rgb
    assert abs(rgb.mean() - 2 * (2 * 120 // 13)) <= COMPRESSION


def test_the_request_is_what_the_api_takes() -> None:
    with serving() as runway:
        made(manifest(runway)).imagine(ask(seed=2**64 - 1))
    body = runway.bodies[0]
    scheme, _, content = body.pop("promptImage").partition(",")
    assert scheme == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), view())
    assert body == {
        "model": "gen4_turbo",
        "promptText": "go ahead",
        "ratio": "960:960",
        "duration": 5,
        "seed": 2**32 - 1,
    }
    assert runway.headers[0][0] == "POST /v1/image_to_video"
    assert runway.headers[0][1]["X-Runway-Version"] == "2024-11-06"


def test_the_key_goes_to_the_api_alone() -> None:
    with serving() as runway:
        model = made(manifest(runway))
        rollout = model.imagine(ask())
    with_key = {asked.split("/")[1] for asked, headers in runway.headers if headers.get("Authorization")}
    assert with_key == {"v1"}
    assert ("GET /video.mp4", True) in [(asked, "Authorization" not in headers) for asked, headers in runway.headers]
    for shown in (rollout, model.api, vars(model)["settings"], model.manifest):
        assert KEY not in repr(shown)


def test_the_cap_is_kept_before_the_request_that_would_exceed_it() -> None:
    with serving() as runway:
        model = made(manifest(runway, max_cost_usd=0.6))  # two rollouts of 0.25
        answers = {rollout.id: rollout for rollout in model.imagine_batch([ask(0), ask(1), ask(2)])}
        later = next(iter(model.imagine_batch([ask(3)])))
    assert not answers[0].error and not answers[1].error
    assert "max_cost_usd" in answers[2].error and "0.50" in answers[2].error
    assert "max_cost_usd" in later.error
    assert len(runway.bodies) == 2 and model.budget.spent_usd == pytest.approx(0.5)


def test_the_cap_is_that_of_the_run_over_its_workers_and_a_resume(tmp_path: Path) -> None:
    with serving() as runway:
        chosen = manifest(runway, max_cost_usd=0.6)  # two rollouts of 0.25
        model, _ = plan_world_model(CatalogEntry(chosen, ENTRY.folder, ENTRY.shared), None, Placement())
        player = "tests.wm_plugins.gen4.asking_player:AskingPlayer"
        plan = replace(fake.plan(4, workers=2), world_model=model, player=player)
        outcome = runs.start(plan, tmp_path)
        assert outcome.counts["error"] == 2 and len(runway.bodies) == 2
        again = runs.resume(outcome.path, plan, retry_errors=True)
        assert again.counts["error"] == 2 and len(runway.bodies) == 2
        errors = {row.result.error for row in RunFolder.open(outcome.path).rows() if row.result.state == "error"}
        assert all("max_cost_usd 0.60: this run has spent 0.50" in error for error in errors)
        assert RunFolder.open(outcome.path).spent.read_text() == "0.25\n0.25\n"
        other = runs.start(replace(plan, identity=replace(plan.identity, seeds=(1,))), tmp_path)
        assert other.counts["error"] == 2 and len(runway.bodies) == 4


def test_services_share_the_account_of_their_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPENDING, str(tmp_path / "spent.txt"))
    with serving(creations=[(200, "created"), (400, "refused"), (200, "created")]) as runway:
        first, second = (made(manifest(runway, max_cost_usd=0.6)) for _ in range(2))
        assert not first.imagine(ask(0)).error and second.budget.spent_usd == pytest.approx(0.25)
        assert "400" in second.imagine(ask(1)).error and first.budget.spent_usd == pytest.approx(0.25)
        assert not second.imagine(ask(2)).error
        assert "has spent 0.50" in first.imagine(ask(3)).error
    assert len(runway.bodies) == 3


def test_an_account_that_cannot_be_read_spends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "spent.txt"
    account.write_text("0.25\nmuch\n")
    for named in (account, tmp_path / "nowhere" / "spent.txt"):
        monkeypatch.setenv(SPENDING, str(named))
        with serving() as runway:
            assert "Nothing was asked" in made(manifest(runway)).imagine(ask()).error
        assert runway.bodies == []


def test_a_cap_of_nothing_is_refused_at_the_start() -> None:
    for cap in (0.0, 0.2):
        with pytest.raises(Refusal, match="--set max_cost_usd"):
            made(manifest(None, max_cost_usd=cap))


def test_a_task_that_did_not_begin_costs_nothing_and_one_that_failed_does() -> None:
    with serving(creations=[(400, "refused"), (200, "created")], states=["failed"]) as runway:
        model = made(manifest(runway))
        refused, failed = model.imagine(ask(0)), model.imagine(ask(1))
    assert "400" in refused.error and "enough credits" in refused.error
    assert "INTERNAL.BAD_OUTPUT.CODE01" in failed.error
    assert model.budget.spent_usd == pytest.approx(0.25)


def test_patience_is_asked_for_and_given() -> None:
    with serving(creations=[(429, "refused"), (503, "refused"), (200, "created")]) as runway:
        rollout = made(manifest(runway)).imagine(ask())
    assert not rollout.error and len(runway.bodies) == 3


def test_a_call_whose_fate_is_not_known_is_paid_and_not_repeated() -> None:
    with serving(creations=[(500, "refused")]) as runway:
        model = made(manifest(runway))
        rollout = model.imagine(ask())
    assert "500" in rollout.error and len(runway.bodies) == 1
    assert model.budget.spent_usd == pytest.approx(0.25)


def test_no_network_is_an_error_of_the_request() -> None:
    model = made(manifest(None))
    rollout = model.imagine(ask())
    assert "did not answer" in rollout.error and KEY not in rollout.error


def test_a_wrong_key_says_where_to_look() -> None:
    with serving(creations=[(401, "refused")]) as runway:
        assert "RUNWAYML_API_SECRET" in made(manifest(runway)).imagine(ask()).error


def test_a_task_without_end_is_given_up() -> None:
    with serving(states=["running"]) as runway:
        rollout = made(manifest(runway, task_timeout_s=0.05)).imagine(ask())
    assert "given up" in rollout.error
    assert runway.cancelled == ["/v1/tasks/17f20503-6c24-4c16-946b-35dbbce2af2f"]


def test_what_it_does_not_know_fails_alone_and_costs_nothing() -> None:
    pano = Camera("pano", EQUIRECT, 48, 48, 360.0, 1.25)
    with serving() as runway:
        model = made(manifest(runway))
        asked = [ask(0, camera=pano), ask(1, prompt=""), ask(2, prompt="x" * 1001), ask(3)]
        answers = {rollout.id: rollout for rollout in model.imagine_batch(asked)}
    assert "perspective" in answers[0].error and "prompt" in answers[1].error and "prompt" in answers[2].error
    assert not answers[3].error and len(runway.bodies) == 1
    assert model.budget.spent_usd == pytest.approx(0.25)


def test_a_missing_key_is_one_message_wherever_it_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RUNWAYML_API_SECRET")
    chosen = manifest(None)
    with pytest.raises(Refusal, match=r"RUNWAYML_API_SECRET.*--runtime process"):
        made(chosen)
    spec = CatalogEntry(chosen, ENTRY.folder, ENTRY.shared).service_spec(sys.executable)
    with (
        pytest.raises(Refusal, match="RUNWAYML_API_SECRET"),
        start_process(spec, ServiceLimits(start_s=60.0), tmp_path / "gen4.log"),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"duration_s": 11}, "2 to 10"),
        ({"poll_s": 0.0}, "poll_s"),
        ({"api_url": "http://example.org"}, "https"),
        ({"max_cost": 1.0}, "max_cost_usd"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        made(manifest(None, **settings))


def test_a_file_that_is_no_video_is_an_error() -> None:
    made(manifest(None))
    from gen4_model import frames_of_video

    with pytest.raises(WiwError, match="cannot be read"):
        frames_of_video(b"no video", 48, 48)


def test_a_video_of_another_shape_gives_its_middle() -> None:
    made(manifest(None))
    from gen4_model import _fitted

    wide = np.zeros((48, 96, 3), np.uint8)
    wide[:, 24:72] = view()
    assert np.array_equal(_fitted(wide, 48, 48), view())


def test_the_manifest_is_honest() -> None:
    declared = ENTRY.manifest
    assert (declared.view, declared.conditioning, declared.deterministic) == ("perspective", "text", False)
    assert declared.needs == ("network",) and declared.settings["max_cost_usd"] == 0.0
