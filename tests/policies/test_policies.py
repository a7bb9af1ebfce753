"""A policy proposes from behind the wire: what it says is played, what goes wrong is counted, and no run hides it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, TURN_LEFT, Vector, discrete7_space, navigation_space
from harness.contracts.cameras import Camera
from harness.contracts.errors import PolicyFault, PolicyTimeout, ProposalError, Refusal
from harness.contracts.observations import View, ViewRequest
from harness.contracts.policies import ProposalReply, ProposalRequest, Proposed, felt, wanted_views, wrong_in
from harness.planning.policy_proposer import Asked, ChosenPolicy, PolicyProposer, PolicyUse, Seen, executable
from harness.planning.seeding import EpisodeSeeds
from harness.running.chosen_policy import SubmittedPolicy
from harness.running.services import start
from harness.wire.client import Deadlines
from harness.wire.codec import policies
from harness.wire.policy_client import PolicyClient
from harness.worldmodels.catalog import load_catalog
from tests.lamps import copy_lamps

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "tests" / "policies"
PLAY = ("--task", "lamps", "--suite", "lamps", "--workers", "1", "--stop", "oracle", "--plugins", str(PLUGINS))
POLICY = ("--proposer", "both-ways-service")
EYE = Camera("eye", "pinhole", 8, 12, 90.0, 1.0)
SPACE = navigation_space(1.0, 180.0)
USE = PolicyUse(lambda episode: Asked("Stop at the lamp."), longest=2)


def picture(value: int) -> View:
    return View(EYE, np.full((8, 12, 3), value, np.uint8), np.full((8, 12), 0.5, np.float32))


def request(**changed: Any) -> ProposalRequest:
    asked = ProposalRequest(7, 2, 2, SPACE, {"eye": picture(9)}, picture(200), "Stop.", {"ee.x": 0.25}, ())
    return replace(asked, **changed)


@contextmanager
def served(does: str, folder: Path, seconds: float = 20.0) -> Iterator[SubmittedPolicy]:
    """Start the test's policy as a run does."""
    entry = load_catalog([PLUGINS]).find_policy("both-ways-service")
    manifest = replace(entry.manifest, settings={**entry.manifest.settings, "does": does})
    with start(replace(entry, manifest=manifest).service_spec(""), 30.0, folder / "log") as service:
        client = PolicyClient(service.socket, Deadlines(imagine_s=seconds), manifest)
        client.describe()
        yield SubmittedPolicy(client, service)
        client.close()


def proposer(policy: Any, space: Any = SPACE) -> PolicyProposer:
    chosen = ChosenPolicy("p", policy, 2, (ViewRequest("eye"),))
    return PolicyProposer(chosen, Asked("Stop."), USE, space)


SEEN = Seen({"eye": picture(9)}, picture(200), {"ee.x": 0.25, "success": 1.0, "distance.1": 3.0})


def test_what_is_asked_arrives_whole_and_the_pictures_as_they_were() -> None:
    sent = request(history=(SPACE.primitives[0],))
    got = policies.read_request(policies.write_request(sent).serialized())
    assert got.digest() == sent.digest() and got.seed == 7 and got.prompt is not None
    np.testing.assert_array_equal(got.views["eye"].depth, picture(9).depth)
    assert policies.read_request(policies.write_request(request(prompt=None)).serialized()).prompt is None
    reply = ProposalReply((Proposed((SPACE.primitives[0],), "on"),), {"not_json": 2}, {"ask": 0.5})
    assert policies.read_reply(policies.write_reply(reply)) == reply


def test_the_digest_of_what_is_asked_knows_all_but_the_seed() -> None:
    same = request(seed=8).digest()
    others = [request(words="Go."), request(prompt=picture(201)), request(views={"eye": picture(8)}),
              request(plans=3), request(history=(SPACE.primitives[0],)), request(body={"ee.x": 0.5})]  # fmt: skip
    assert same == request().digest() and len({other.digest() for other in others} | {same}) == 7


def test_a_policy_is_told_what_a_body_feels_and_nothing_of_the_truth(tmp_path: Path) -> None:
    told: list[ProposalRequest] = []

    class Listening:
        def propose(self, asked: ProposalRequest) -> ProposalReply:
            told.append(asked)
            return ProposalReply((Proposed((SPACE.primitives[0],)),))

    asked = proposer(Listening())
    proposal = asked.propose_seeing(0, (), EpisodeSeeds(0, "an episode"), SEEN)
    assert told[0].body == {"ee.x": 0.25} == felt(SEEN.info)
    assert [primitive.name for primitive in told[0].space.primitives] == [FORWARD, TURN_LEFT, "turn_right"]
    assert (told[0].seed, told[0].words) == (EpisodeSeeds(0, "another").request(_digest(), 0, -1), "Stop.")
    assert proposal.ends[0].frames == (1,) and asked.records[0].asked == told[0].digest()


def _digest() -> str:
    from harness.contracts.digest import array_digest

    return array_digest(picture(9).rgb)


def test_only_actions_that_the_space_has_can_be_executed() -> None:
    space = discrete7_space()
    assert wrong_in(Vector("discrete7", (0.0, 100.0, 50.0, 120.0, 60.0, 0.0, 1.0)), space) == ""
    for values in (
        (101.0, 0, 0, 0, 0, 0, 0),
        (0.5, 0, 0, 0, 0, 0, 0),
        (0, 0, 0, 121.0, 0, 0, 0),
        (0, 0, 0, 0, 0, 0, 2.0),
    ):
        assert "discrete7 action is" in wrong_in(Vector("discrete7", tuple(map(float, values))), space)
    assert "no action of discrete7" in wrong_in(SPACE.primitives[0], space)
    fit, failures = executable(
        ProposalReply((Proposed((SPACE.primitives[0],)), Proposed((Vector("discrete7", (1.0,) * 7),))), {"refused": 1}),
        SPACE,
    )
    assert len(fit) == 1 and failures == {"refused": 1, "not_executable": 1}


def test_a_policy_names_what_it_wants_to_see() -> None:
    assert wanted_views({"cameras": "wrist front+depth"}, "front") == (
        ViewRequest("front", depth=True), ViewRequest("wrist"),
    )  # fmt: skip
    assert wanted_views({}, "front") == (ViewRequest("front"),)
    with pytest.raises(Refusal, match=r"settings.cameras has 'front\+heat'"):
        wanted_views({"cameras": "front+heat"}, "front")


@pytest.mark.parametrize(
    ("does", "kind", "said"),
    [
        ("cannot", ProposalError, "there is no lamp to be seen"),
        ("breaks", PolicyFault, "RuntimeError: a bug of the policy"),
        ("dies", PolicyFault, "ended while in use: exit code 3"),
        ("gives too many", PolicyFault, "4 plans; 2 were wanted"),
        ("hangs", PolicyTimeout, "did not answer Propose within 1 s"),
    ],
)
def test_what_fails_is_the_policy_s_fault_and_says_why(tmp_path: Path, does: str, kind: type, said: str) -> None:
    with served(does, tmp_path, 1.0) as policy, pytest.raises(kind, match=said):
        policy.propose(request())


def test_a_decision_without_a_plan_has_none_and_tells_the_tries(tmp_path: Path) -> None:
    with served("gives nothing", tmp_path) as policy:
        asked = proposer(policy)
        with pytest.raises(ProposalError, match="had no plan in decision 0: no_answer 1, not_json 3"):
            asked.propose_seeing(0, (), EpisodeSeeds(0, "e"), SEEN)
    assert asked.records[0].failures == {"not_json": 3, "no_answer": 1}


def test_another_manifest_than_the_planned_one_is_refused(tmp_path: Path) -> None:
    entry = load_catalog([PLUGINS]).find_policy("both-ways-service")
    other = replace(entry.manifest, description="another")
    with start(entry.service_spec(""), 30.0, tmp_path / "log") as service:
        client = PolicyClient(service.socket, expected=other)
        with pytest.raises(Exception, match="description: declared"):
            client.describe()
    assert asdict(other)["kind"] == "policy"


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    copy_lamps(folder, 4)
    return folder


def benchmark(tasks: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "WIW_TASKS": str(tasks), "COLUMNS": "200"}
    command = [sys.executable, str(ROOT / "benchmark.py"), *arguments]
    return subprocess.run(command, env=variables, cwd=tasks, capture_output=True, text=True, timeout=300)


def play(tasks: Path, out: Path, *arguments: str, code: int = 0) -> Path:
    """Play the lamps and return the run's folder."""
    done = benchmark(tasks, *PLAY, "--out", str(out), *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    (run,) = out.iterdir()
    return run


def results(run: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((run / "results.json").read_text())
    return found


@pytest.fixture(scope="module")
def own(tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the tier's own proposer, in process."""
    return play(tasks, tmp_path_factory.mktemp("own"), "--wm", "gtsim")


@pytest.fixture(scope="module")
def with_policy(tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which the same proposer is a policy."""
    return play(tasks, tmp_path_factory.mktemp("policy"), "--wm", "gtsim", *POLICY)


def test_a_proposer_behind_the_wire_has_the_root_that_it_has_in_process(own: Path, with_policy: Path) -> None:
    found, alone = results(with_policy), results(own)
    assert found["trajectory_root"] == alone["trajectory_root"]
    assert found["planner"] == "both-ways-service/similarity/shade" != alone["planner"]
    assert "proposer-both-ways-service" in found["stamps"] and "unsandboxed" in found["stamps"]
    files = list(with_policy.glob("episodes/*/proposals.json"))
    decisions = sum(len(json.loads(file.read_text())["proposals"]) for file in files)
    told = found["proposer"]
    assert (told["name"], told["decisions"], told["plans"], told["failures"]) == (
        "both-ways-service", decisions, 2 * decisions, {},
    )  # fmt: skip
    assert len(files) == 4 and "proposer" not in alone


def test_what_was_proposed_is_played_again_without_the_policy(tasks: Path, with_policy: Path, tmp_path: Path) -> None:
    words = ("--proposer", "recorded", "--proposer-set", f"settings.run={with_policy}")
    again = play(tasks, tmp_path, "--wm", "gtsim", *words)
    assert results(again)["trajectory_root"] == results(with_policy)["trajectory_root"]


def test_another_world_model_among_the_same_plans_can_be_compared_and_other_plans_cannot(
    tasks: Path, with_policy: Path, own: Path, tmp_path: Path
) -> None:
    none = play(tasks, tmp_path / "none", "--wm", "none", *POLICY)
    done = benchmark(tasks, "compare", str(none), str(with_policy), "--out", str(tmp_path / "c"))
    assert done.returncode == 0, done.stderr
    refused = benchmark(tasks, "compare", str(own), str(with_policy), "--out", str(tmp_path / "d"))
    assert refused.returncode == 2 and "the policy that proposes differs: the tier's own" in refused.stderr


def test_a_run_whose_policy_fails_is_partial_counts_it_and_is_continued_with_that_policy_alone(
    tasks: Path, tmp_path: Path
) -> None:
    run = play(tasks, tmp_path, "--wm", "gtsim", *POLICY, "--proposer-set", "does=cannot", "--episodes", "2", code=3)
    found = results(run)
    (failure,) = found["failures"]
    assert found["episodes"]["error"] == 2 == failure["count"] and "there is no lamp to be seen" in failure["error"]
    assert "policy.log" in failure["error"]
    go_on = ("--resume", str(run), "--retry-errors", "--plugins", str(PLUGINS))
    lacking = benchmark(tasks, *go_on)
    assert lacking.returncode == 2 and "--proposer-set" in lacking.stderr
    other = benchmark(tasks, *go_on, "--proposer-set", "does=right")
    assert other.returncode != 0 and "the run began with something else: proposer" in other.stderr
    same = benchmark(tasks, *go_on, "--proposer-set", "does=cannot")
    assert same.returncode == 3, same.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--wm", "gtsim", "--proposer", "gtsim"), "'gtsim' is a world model, which proposes nothing."),
        (("--wm", "gtsim", "--proposer", "both-way-service"), "Did you mean 'both-ways-service'?"),
        (("--wm", "gtsim", "--proposer-set", "does=right"), "none was named"),
        (("--wm", "gtsim", *POLICY, "--proposer-set", "cameras=eye+heat"), "settings.cameras has 'eye+heat'"),
        (("--wm", "gtsim", *POLICY, "--proposer-set", "action_space=discrete7"), "of the space 'discrete7'"),
        (("--wm", "both-ways-service"), "Give it as --proposer both-ways-service."),
    ],
)
def test_what_cannot_propose_is_refused_in_a_sentence(tasks: Path, words: tuple[str, ...], said: str) -> None:
    refused = benchmark(tasks, *PLAY, *words)
    assert refused.returncode == 2 and said in refused.stderr, refused.stderr
