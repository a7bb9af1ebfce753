"""Models that cheat, each refused by the code of the probe that is meant for it; the honest one by none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pytest

from harness.cli.app import main
from harness.conformance import stateless_checks, target
from harness.conformance.plugin_under_test import Subject
from harness.conformance.results import FAILED
from harness.conformance.run_checks import PROBES, check_plugin, run_checks
from harness.conformance.target import Target, find_target
from harness.contracts.errors import ServiceError
from harness.contracts.observations import View
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.leaderboard import probing
from harness.leaderboard.admission import Reason
from harness.leaderboard.probing import CHECKS, Probed, found_by, probe
from harness.wire.sdk import WorldModel
from harness.worldmodels.catalog import read_family
from harness.worldmodels.panorama import resized_view
from harness.worldmodels.preparing import Choice
from harness.worldmodels.probe import STRAIGHT, Place, Probe, RealView
from tests.conformance.cheats import cheats
from tests.conformance.toy_places import toy_places
from tests.leaderboard import cheating_models as cheating
from tests.leaderboard.conftest import IMAGE, Ready
from tests.running import fake
from wm_plugins.template.model import places_after, seen_from

FAMILY = Path(cheats.__file__).with_name("plugin.toml")

REFUSED: dict[str, tuple[type[WorldModel], str]] = {
    "answers by the time of day": (cheating.Clocked, "probe-clock"),
    "answers by a thread in the background": (cheating.Threaded, "probe-clock"),
    "answers every third question otherwise": (cheating.Tiring, "probe-call-order"),
    "keeps a map of what it saw": (cheating.Mapping, "probe-leak-canary"),
    "is honest where seeds are those of a check": (cheating.Suspicious, "probe-determinism"),
    "answers by the machine and process that it runs on": (cheating.Placed, "probe-restart"),
    "draws when it starts": (cheating.DrawnAtStart, "probe-restart"),
    "is honest in its first calls alone": (cheating.Waking, "probe-restart"),
    "mixes in views of other episodes": (cheating.Remembering, "probe-leak-canary"),
    "answers better each time": (cheating.Improving, "probe-determinism"),
    "depends on the call before": (cheating.Chained, "probe-call-order"),
    "answers with the rollout before": (cheats.Stale, "probe-view-used"),
    "answers by actions from the first view": (cheats.Cached, "probe-view-used"),
    "changes with the number of calls": (cheats.Historic, "probe-history"),
    "draws what nobody seeded": (cheats.OwnNoise, "probe-determinism"),
    "ignores the seed": (cheats.FixedNoise, "probe-seed"),
    "reads the request's id": (cheats.NoiseOfId, "probe-order"),
    "answers by its neighbours in a batch": (cheats.NoiseOfBatch, "probe-batch"),
    "ignores actions": (cheats.ActionBlind, "probe-conditioning"),
    "answers other frames than asked": (cheats.FirstFrames, "probe-chosen-frames"),
    "starts from a picture of its own": (cheats.Elsewhere, "probe-start-view"),
    "shows black": (cheats.Black, "probe-live-frames"),
}


class Connection:
    def describe(self) -> None:
        """Find nothing wrong."""


class InProcess(Subject):
    """A model asked without a service, which a test can afford two dozen times; a restart makes it anew."""

    def __init__(self, kind: type[WorldModel], places: Sequence[Place], secret: bytes) -> None:
        entry = next(entry for entry in read_family(FAMILY) if entry.manifest.name == "honest")
        steps = 20 if kind is cheats.FixedNoise else 0
        entry = replace(entry, manifest=replace(entry.manifest, steps=steps, height=32, width=64))
        probe = Probe(entry.manifest, places, secret)
        super().__init__(Target(entry, cast(Any, None), ""), probe, 60.0, 60.0, FAMILY)
        self._kind = kind
        self._model: WorldModel | None = None

    @property
    def client(self) -> Any:
        return Connection()

    def stop(self) -> None:
        self._model = None

    def send(self, requests: Sequence[RolloutRequest]) -> dict[int, Rollout]:
        self._model = self._model or self._kind(self.manifest)
        self.seconds.append(0.0)
        return {rollout.id: rollout for rollout in self._model.imagine_batch(requests)}


def seen_around() -> tuple[Place, ...]:
    """Return the toy's places, around each of which is seen nearly what an honest model imagines there."""
    found = []
    for place in toy_places():
        view = resized_view(place.view, 32, 64).rgb
        seen = [seen_from(view, at, 2.5) // 32 * 32 + 16 for at in places_after(STRAIGHT)]
        camera = replace(place.view.camera, height=32, width=64)
        around = tuple(RealView(0.2 * number, 0.0, rgb) for number, rgb in enumerate(seen) for _ in range(4))
        found.append(replace(place, view=View(camera, view), around=around))
    return tuple(found)


@pytest.fixture(autouse=True)
def shorter_pauses(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "time of day" not in request.node.name and "thread" not in request.node.name:
        monkeypatch.setattr(stateless_checks, "PAUSE_S", 0.0)


def probed(
    kind: type[WorldModel], only: Sequence[str] = CHECKS, secret: bytes = b"one of many"
) -> tuple[Probed, list[str]]:
    results, _ = run_checks(InProcess(kind, seen_around(), secret), only, lambda done, total, doing: None)
    found, reasons = found_by("image", results)
    return found, [reason.code for reason in reasons]


def test_an_honest_model_passes_every_probe() -> None:
    found, codes = probed(cheats.Honest)
    assert codes == [] and found.complete
    assert set(found.states) == set(CHECKS) and FAILED not in found.states.values()


@pytest.mark.parametrize("cheat", REFUSED)
def test_a_cheat_is_refused_by_its_code(cheat: str) -> None:
    kind, code = REFUSED[cheat]
    check = code.removeprefix("probe-").replace("-", " ")
    _, codes = probed(kind, CHECKS if check == "history" else (check,))
    assert code in codes


def test_an_image_that_knows_a_check_by_its_seeds_does_not_know_a_probe() -> None:
    assert probed(cheating.Suspicious, ("determinism",), b"")[1] == []
    assert probed(cheating.Suspicious, ("determinism",))[1] == ["probe-determinism"]
    one, other = (Probe(InProcess(cheats.Honest, toy_places(), b"").manifest, toy_places(), s) for s in (b"a", b"b"))
    assert one.request(seed=3).seed == one.request(seed=3).seed != other.request(seed=3).seed
    assert len({one.request(seed=seed).seed for seed in (0, 1, 2**63 + 11)}) == 3 and one.request(seed=1).seed > 2**40


def test_every_probe_has_a_cheat_that_it_finds() -> None:
    quality = {"handshake", "shapes", "values"}  # what does not keep them cannot be played at all
    found = {code.removeprefix("probe-").replace("-", " ") for _, code in REFUSED.values()}
    assert found == set(CHECKS) - quality and set(PROBES) <= found


class Dying(cheats.Honest):
    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        raise ServiceError("it ended while in use: exit code 3.")


def test_a_model_that_does_not_answer_is_refuted_by_nothing_and_complete_in_nothing() -> None:
    found, codes = probed(Dying)
    assert codes == [] and not found.complete and "exit code 3" in found.failures["shapes"]
    assert set(found.failures) == set(CHECKS) - {"handshake"}


def test_an_image_that_is_not_here_is_a_failure_of_every_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: object, choice: Choice) -> Target:
        raise ServiceError("there is no engine.")

    monkeypatch.setattr(target, "find_target", refused)
    found, reasons = probe("sized@sha256:00", fake.plan(1).identity, lambda done, total, doing: None)
    assert reasons == () and set(found.failures) == set(CHECKS)


def test_a_model_is_probed_as_it_was_played(monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = (one for one in read_family(FAMILY) if one.manifest.name == "honest")
    asked: list[Choice] = []

    def known(image: str, model: str, choice: Choice) -> Target:
        asked.append(choice)
        return replace(find_target("copy"), entry=entry)

    monkeypatch.setattr(target, "find_target", known)
    plain = {**asdict(entry.manifest), "settings": {"cheat": 1}}
    identity = replace(fake.plan(1).identity, wm="honest", wm_manifest=plain, wm_overrides={"cheat": 1})
    found, _ = probe(IMAGE, identity, lambda done, total, doing: None)
    assert asked[0].assignments == ("settings.cheat=1",)
    assert set(found.failures) == set(CHECKS) and "another model" in found.failures["clock"]
    probe(IMAGE, replace(identity, wm_overrides={"code": "/etc"}), lambda done, total, doing: None)
    assert len(asked) == 1


@pytest.mark.slow
def test_a_service_is_started_again_and_an_honest_one_answers_alike() -> None:
    report = check_plugin(
        find_target("copy"), lambda done, total, doing: None, toy_places(), only=("handshake", *PROBES)
    )
    assert report.conforms and len(report.results) == 1 + len(PROBES)


@pytest.mark.parametrize(
    ("code", "states", "failures"), [(0, {}, {}), (1, {"clock": FAILED}, {}), (3, {}, {"clock": "late"})]
)
def test_the_command_says_what_probes_found(
    ready: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int,
    states: dict[str, str], failures: dict[str, str],
) -> None:  # fmt: skip
    reasons = tuple(Reason(f"probe-{name}", IMAGE, "1 grey level apart.", "") for name in states)
    found = Probed(IMAGE, states, failures)
    monkeypatch.setattr(probing, "probe", lambda image, identity, progress: (found, reasons))
    bundle = ready.bundle(tmp_path / "bundle.zip")
    assert main(["verify", str(bundle), "--probe"]) == code
    said = capsys.readouterr().out
    assert ("probe-clock: " in said) == (code == 1) and ("failed  probe clock: late" in said) == (code == 3)
