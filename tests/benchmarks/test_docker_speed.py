"""Containers beside processes, in the same run and taking turns: start, one step, whole episodes.

``python -m pytest tests/benchmarks/test_docker_speed.py -n 0 --benchmark-only`` (``-s`` prints the ratios). Needs an
engine and the image of the embedded homes. Homes and compiled code are made before anything is timed. Both kinds of
service are up while either is measured, and rounds alternate, so that a busy machine disturbs both alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.actions import Primitive
from harness.contracts.errors import Refusal
from harness.contracts.observations import ViewRequest
from harness.running.episode_runner import SuitePlayer
from harness.running.make_plan import make_plan
from harness.running.plan import PhaseDeadlines, RunPlan
from harness.running.run_options import RunOptions
from harness.running.services import start
from harness.runtimes.service import Service, ServiceSpec
from harness.wire.client import Deadlines, EnvironmentClient

pytest.importorskip("numba")

RUNTIMES = ("process", "docker")
HOMES, STARTS, STEPS, EPISODES = 1, 10, 400, 12
PATIENT = PhaseDeadlines(start_s=300.0, reset_s=900.0)
TURNS = (Primitive("turn_left", 22.5), Primitive("turn_right", 22.5))
WALK = (Primitive("forward", 0.2), *TURNS)


@pytest.fixture(scope="module")
def plans() -> dict[str, RunPlan]:
    """The same run for either runtime."""
    try:
        options = RunOptions("gtsim", "ignav", episodes=str(HOMES))
        return {
            runtime: replace(make_plan(replace(options, runtime=runtime)), deadlines=PATIENT) for runtime in RUNTIMES
        }
    except Refusal as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def players(plans: dict[str, RunPlan], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SuitePlayer]]:
    """One player a runtime, warm: every home of the run is baked and the code compiled."""
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        made = {}
        for runtime, plan in plans.items():
            made[runtime] = SuitePlayer(plan, logs / runtime)
            stack.callback(made[runtime].close)
            for episode in plan.identity.episodes:
                made[runtime].play(episode, 0)
        yield made


def report(benchmark: Any, seconds: dict[str, list[float]]) -> None:
    """Keep and print the medians of both runtimes and their ratio."""
    medians = {runtime: statistics.median(values) for runtime, values in seconds.items()}
    ratio = medians["docker"] / medians["process"]
    benchmark.extra_info.update({**medians, "docker/process": ratio})
    print("  " + "  ".join(f"{name} {1e3 * value:.2f} ms" for name, value in medians.items()) + f"  ratio {ratio:.3f}")


def alternating(
    benchmark: Any, rounds: int, once: Callable[[str, int], Any], after: Callable[[Any], None] = lambda made: None
) -> None:
    """Time ``once(runtime, round)`` for both runtimes in turn; ``after`` ends what it made, untimed.

    The benchmark's own figure is that of docker alone.
    """
    seconds: dict[str, list[float]] = {runtime: [] for runtime in RUNTIMES}
    for number in range(rounds):
        for runtime in RUNTIMES if number % 2 else RUNTIMES[::-1]:
            began = time.perf_counter()
            made = once(runtime, number)
            seconds[runtime].append(time.perf_counter() - began)
            after(made)
    report(benchmark, seconds)
    after(benchmark.pedantic(once, args=("docker", 0), rounds=1, iterations=1))


def environment_of(plan: RunPlan) -> ServiceSpec:
    """Return how a plan's environment is started."""
    assert plan.environment is not None
    return plan.environment


def test_start_until_ready(
    benchmark: Any, plans: dict[str, RunPlan], players: dict[str, SuitePlayer], tmp_path: Path
) -> None:
    """The environment: Python, its imports, the socket. The players have made the cache warm."""

    def once(runtime: str, number: int) -> Service:
        return start(environment_of(plans[runtime]), PATIENT.start_s, tmp_path / f"{runtime}.log")

    alternating(benchmark, STARTS, once, lambda service: service.stop())


def test_a_step(benchmark: Any, plans: dict[str, RunPlan], players: dict[str, SuitePlayer], tmp_path: Path) -> None:
    """One action and the panorama after it."""
    with ExitStack() as stack:
        clients = {}
        for runtime, plan in plans.items():
            service = stack.enter_context(start(environment_of(plan), PATIENT.start_s, tmp_path / f"{runtime}.log"))
            clients[runtime] = EnvironmentClient(service.socket, Deadlines())
            stack.callback(clients[runtime].close)
            clients[runtime].describe()
            clients[runtime].reset(plan.identity.episodes[0], 0, [ViewRequest("pano")])

        def once(runtime: str, number: int) -> None:
            clients[runtime].step([WALK[number % len(WALK)]], [ViewRequest("pano")])

        alternating(benchmark, STEPS, once)


def test_an_episode(benchmark: Any, plans: dict[str, RunPlan], players: dict[str, SuitePlayer]) -> None:
    """A whole closed-loop episode in a loaded home: episodes an hour is the inverse."""
    episode = plans["process"].identity.episodes[0]

    def once(runtime: str, number: int) -> None:
        players[runtime].play(episode, number)

    alternating(benchmark, EPISODES, once)
