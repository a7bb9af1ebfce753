"""A plugin image that cheats in real episodes: each is recorded with its cause, and the next one plays as if alone.

One run of image-goal navigation: in every other row the plugin breaks one rule of the wire, in those between it is
honest. An honest run of the same rows is the control.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.digest import array_digest
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.folders import cache_root
from harness.contracts.observations import ViewRequest
from harness.contracts.results import ERROR, FAILED, OK, TIMEOUT
from harness.contracts.seeds import request_seed
from harness.leaderboard.technical_failures import cause_of
from harness.records.folder import RunFolder
from harness.records.identity import EpisodeKey
from harness.records.journal import JournalRow
from harness.running import runs
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.run_options import RunOptions
from harness.runtimes.docker_engine import Engine
from harness.runtimes.docker_folder import SOCKET_ROOT
from harness.runtimes.service import ContainerLimits
from harness.worldmodels.plugin_images import choose_model
from tasks.suite import load_suite
from tests.docker import probe_image, small_image
from tests.docker.conftest import MIB
from tests.image_goals import goal_of

pytest.importorskip("numba")

IMAGINE_S = 6.0
CANDIDATES = 80
"""More than a decision has."""

BAD_REPLY = r"sent a bad reply to Imagine: "
CHEATS = {
    "rubbish": (ERROR, BAD_REPLY + r"1000 bytes are no RolloutPart"),
    "oversized_part": (ERROR, BAD_REPLY + r"it is larger than any reply .*3355\d+ vs\. 4194304"),
    "too_many_pixels": (ERROR, BAD_REPLY + r"pixels came before the head of their rollout"),
    "huge_claim": (ERROR, BAD_REPLY + r"rollout \d+.rgb has \d+ uint8 elements; at most"),
    "nan_confidence": (ERROR, BAD_REPLY + r"rollout \d+.confidence\[\d+\] is NaN"),
    "nan_timings": (ERROR, BAD_REPLY + r"rollout \d+.timings.model is NaN"),
    "negative_timings": (ERROR, BAD_REPLY + r"rollout \d+.timings.model is -1000000000.0, below zero"),
    "wrong_size": (ERROR, BAD_REPLY + r"rollout \d+ was seen by .* instead of"),
    "wrong_dtype": (ERROR, BAD_REPLY + r"rollout \d+ has more than its \d+ bytes of pixels"),
    "wrong_frames": (ERROR, BAD_REPLY + r"rollout \d+ has \d+ frames instead of \d+"),
    "missing_rollout": (ERROR, BAD_REPLY + r"rollouts \[\d+\] are missing"),
    "duplicate_rollout": (ERROR, BAD_REPLY + r"rollout \d+ came twice"),
    "unknown_rollout": (ERROR, BAD_REPLY + r"rollout 999999 was not asked for"),
    "stops_short": (ERROR, BAD_REPLY + r"rollout \d+ stops after \d+ of \d+ bytes"),
    "silence": (TIMEOUT, r"did not answer Imagine within 6 s"),
    "late": (TIMEOUT, r"did not answer Imagine within 6 s"),
    "drip": (TIMEOUT, r"did not answer Imagine within 6 s"),
    "death_midway": (ERROR, r"'probe' \(image wiw-test/probe.*\) ended while in use: exit code 3"),
    "memory_bomb": (ERROR, r"ended while in use: out of memory"),
    "failed_with_markup": (ERROR, r"world model 'probe' failed on rollout \d+: "),
    "forged_refusal": (ERROR, r"the benchmark is over"),
    "forged_nesting": (ERROR, r"Imagine to world model 'probe' failed with INVALID_ARGUMENT: forged"),
}
"""What the plugin does, and how the episode must be recorded."""
SHAPES = {"huge_claim", "wrong_size", "wrong_dtype", "wrong_frames", "stops_short"}
OTHER_CAUSES = {
    "silence": "too-slow",
    "late": "too-slow",
    "drip": "too-slow",
    "death_midway": "crashed",
    "memory_bomb": "out-of-memory",
    "failed_with_markup": "raised-an-error",
    "forged_refusal": "other",
    "forged_nesting": "raised-an-error",
}
"""The cause that a leaderboard counts, where it is no bad reply."""


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The hostile image; homes and compiled code are kept for the module."""
    missing = small_image.fitting(engine.client)
    if missing:
        pytest.skip(missing)
    named = os.environ.get("WIW_TEST_CACHE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WIW_CACHE", named or str(tmp_path_factory.mktemp("homes")))
        yield probe_image.build(engine.client)


@pytest.fixture(scope="module")
def plan(image: str) -> RunPlan:
    """One home's episodes with several seeds, two rows a cheat, with tight limits."""
    made = make_plan(RunOptions("probe", "ignav", episodes="all", wm_image=image))
    first = made.identity.episodes[0]
    episodes = tuple(episode for episode in made.identity.episodes if episode.home == first.home)
    seeds = tuple(range(-(-2 * len(CHEATS) // len(episodes))))
    assert made.world_model is not None and made.world_model.container is not None
    limits = ContainerLimits(memory_bytes=512 * MIB, pids=64, tmpfs_bytes=16 * MIB, shm_bytes=16 * MIB)
    return replace(
        made,
        identity=replace(made.identity, episodes=episodes, seeds=seeds),
        world_model=replace(made.world_model, container=replace(made.world_model.container, limits=limits)),
        deadlines=replace(made.deadlines, imagine_s=IMAGINE_S),
        max_attempts=1,
        workers=2,
    )


@pytest.fixture(scope="module")
def honest(plan: RunPlan, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The control: the same plugin on the same rows, told to cheat nowhere."""
    return RunFolder.open(runs.start(plan, tmp_path_factory.mktemp("honest")).path)


@pytest.fixture(scope="module")
def cheated(plan: RunPlan, honest: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run in which every other row is a cheat."""
    chosen = {row.key: kind for row, kind in zip(honest.rows()[::2], CHEATS, strict=False)}
    variables = {"PROBE_CHEATS": json.dumps(seeds_of(plan, chosen)), "PROBE_LATE_S": str(IMAGINE_S + 1.0)}
    assert plan.world_model is not None
    told = replace(plan.world_model, environment_variables={**plan.world_model.environment_variables, **variables})
    return RunFolder.open(runs.start(replace(plan, world_model=told), tmp_path_factory.mktemp("cheated")).path)


def seeds_of(plan: RunPlan, chosen: dict[EpisodeKey, str]) -> dict[int, str]:
    """Return the seeds of the requests of each row's first decision, with what to do there."""
    from images.embedded.environment import EmbeddedEnvironment

    suite = load_suite(plan.identity.suite, plan.identity.task)
    camera = suite.tier(plan.identity.tier).loop_for(plan.identity.wm).agent_camera
    environment = EmbeddedEnvironment(str(cache_root()))
    seeds = {}
    for key, kind in chosen.items():
        first = environment.reset(plan.identity.episode(key.episode), key.seed, [ViewRequest(camera)])
        view = array_digest(first.views[camera].rgb)
        seeds.update({request_seed(key.seed, view, 0, candidate): kind for candidate in range(CANDIDATES)})
    environment.close()
    return seeds


def row_of(folder: RunFolder, number: int) -> JournalRow:
    return folder.rows()[number]


def service_log(folder: RunFolder) -> str:
    """Return what the plugin printed, whichever worker started it."""
    return "".join(log.read_text(errors="replace") for log in folder.logs.rglob("world_model.log"))


def test_control_the_plugin_plays_every_row_when_it_is_honest(honest: RunFolder) -> None:
    rows = honest.rows()
    assert len(rows) >= 2 * len(CHEATS)
    assert {row.result.state for row in rows} <= {OK, FAILED}
    assert "cheating" not in service_log(honest)


@pytest.mark.parametrize(("number", "kind"), list(enumerate(CHEATS)), ids=list(CHEATS))
def test_a_cheat_is_recorded_with_its_cause(cheated: RunFolder, number: int, kind: str) -> None:
    row = row_of(cheated, 2 * number)
    state, words = CHEATS[kind]
    assert (row.result.state, row.result.trajectory_digest) == (state, ""), row.result.error
    assert re.search(words, row.result.error), row.result.error
    assert cause_of(row.result.error) == OTHER_CAUSES.get(kind, "wrong-shape" if kind in SHAPES else "bad-reply")
    assert f"cheating: {kind}" in service_log(cheated)


@pytest.mark.parametrize("number", range(len(CHEATS)), ids=list(CHEATS))
def test_the_next_episode_plays_as_in_an_honest_run(cheated: RunFolder, honest: RunFolder, number: int) -> None:
    after, control = row_of(cheated, 2 * number + 1), row_of(honest, 2 * number + 1)
    assert after.key == control.key and after.result.state in (OK, FAILED)
    assert after.result.trajectory_digest == control.result.trajectory_digest
    assert after.result.metrics == control.result.metrics


def test_dying_in_hard_episodes_gains_nothing(cheated: RunFolder, honest: RunFolder, tmp_path: Path) -> None:
    """Rows that ended in error or timeout count as not solved, in the same denominator."""
    from harness.cli.results import finish

    results = finish(cheated, tmp_path).results
    control = finish(honest, tmp_path).results
    assert results["episodes"]["planned"] == control["episodes"]["planned"]
    assert results["episodes"]["error"] + results["episodes"]["timeout"] == len(CHEATS)
    assert results["metrics"]["success_rate"]["n"] == control["metrics"]["success_rate"]["n"] == len(honest.rows())
    page = next(cheated.path.rglob("report.html")).read_text()
    assert "<script>alert(1)" not in page and "\\u003cscript\\u003ealert(1)" in page


def test_nothing_of_the_goal_or_the_episode_is_in_a_plugins_container(honest: RunFolder) -> None:
    """All that the container saw but pixels: requests, files, variables, command, mounts."""
    line = next(line for line in service_log(honest).splitlines() if line.startswith("KNOWN "))
    known = json.loads(line.removeprefix("KNOWN "))
    assert known["requests"] and {Path(name).name for name in known["files"]} == {"spec.json", "lease"}
    episode = honest.identity.episodes[0]
    numbers = [
        f"{value:.4f}"
        for value in (*goal_of(episode).goal.position, *episode.start.position, goal_of(episode).geodesic_m)
    ]
    secrets = {episode.id, episode.home, episode.scene, str(honest.path), os.environ["WIW_CACHE"]}
    secrets |= {number for number in numbers if not number.endswith("000")}
    record = (honest.path / "run.json").read_text() + str(honest.path) + os.environ["WIW_CACHE"]
    assert all(secret in record or secret[:-1] in record for secret in secrets), "the harness knows each of them"
    assert not [secret for secret in secrets if secret in line or secret[:-1] in line]


def test_a_model_that_is_not_what_its_manifest_says_is_refused_before_it_plays(image: str, tmp_path: Path) -> None:
    plan = make_plan(RunOptions("liar", "ignav", episodes="1", wm_image=image))
    with pytest.raises(SpecMismatch, match=r"max_batch: declared 1, expected 64"):
        runs.start(plan, tmp_path)
    assert [row.result.state for run in tmp_path.iterdir() for row in RunFolder.open(run).rows()] == ["planned"]


def test_a_manifest_made_to_exhaust_its_reader_is_refused() -> None:
    with pytest.raises(Refusal, match=r"someone/deep:1.*plugin\.toml"):
        choose_model(b"a = " + b"[" * 100_000, "someone/deep:1", "", ())


def test_nothing_is_left_of_all_this(cheated: RunFolder, engine: Engine) -> None:
    left = engine.client.api.containers(all=True, filters={"label": "wiw.run"})
    assert not [each for each in left if each["Labels"]["wiw.run"].startswith(str(cheated.path))]
    assert list(SOCKET_ROOT.glob(f"wiw-{os.getpid()}-*")) == []
