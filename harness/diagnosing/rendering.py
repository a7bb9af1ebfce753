"""One rendered frame a device, through the real service and past the liveness gate.

Everything between the scene's file and the pixels takes part: interpreter or container, wire, renderer, driver.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from harness.contracts.errors import DeadFrame, DeadlineExceeded, WiwError
from harness.contracts.observations import ViewRequest
from harness.diagnosing.findings import OK, PROBLEM, SKIPPED, WARNING, Finding
from harness.running.frame_checks import LivenessGate
from harness.running.plan import ServicePlan
from harness.running.services import Placement, plan_environment, start
from harness.runtimes.environments import MADE, declared_environments
from harness.wire.client import Deadlines, EnvironmentClient
from tasks.suite import Suite, list_suites, load_suite

LEAST_S = 5.0
"""A frame is not tried in less time than this."""

_FIX = "Delete the homes cache ({cache}), and reinstall: pip install -c constraints.txt -e '.[embedded]'"
_WARM_UP = "Play one episode, which waits longer and keeps what it builds: python benchmark.py --wm none --task ignav "


def check_frame(name: str, plan: ServicePlan, suite: Suite, fix: str, until: float, fault: str = WARNING) -> Finding:
    """Start an environment, look at its first frame and at one after a turn; ``fix`` says what to do about a dead one.

    The second frame shows that the renderer follows the body. ``until`` is when to give up (`time.monotonic`), and
    ``fault`` the state of a failure; slowness alone is none, since a first start builds a home and compiles.
    """
    began = time.monotonic()
    docker = " --runtime docker" if plan.container is not None else ""
    warm_up = f"{_WARM_UP}--suite {suite.family} --episodes 1{docker}"
    if until - began < LEAST_S:
        return Finding(name, SKIPPED, "no time was left for it", "other frames took long", warm_up)
    try:
        with ExitStack() as stack:
            size = _look(_start(stack, plan, until), suite)
    except DeadlineExceeded as error:
        return Finding(name, WARNING, error.what, "the machine is slow, or busy, or this is the first start", warm_up)
    except DeadFrame as error:
        return Finding(name, fault, error.what, "agents would be shown nothing: their episodes end as errors", fix)
    except WiwError as error:
        return Finding(name, fault, error.what, "no frame could be rendered", error.next_step or fix)
    return Finding(name, OK, f"{size}, alive, after {time.monotonic() - began:.1f} s")


def examine_frames(cache: Path, engine: bool, gpus: list[str], until: float) -> Iterator[Finding]:
    """Yield one finding a device: every environment that needs no files of the user's, as a process and on the engine.

    ``gpus`` are UUIDs: an environment that draws on a GPU is tried on every one, or without one.
    """
    for environment in declared_environments():
        if environment.scenes != MADE:
            continue
        family = environment.name
        suite = _runnable(family)
        if isinstance(suite, Finding):
            yield suite
            continue
        devices = gpus if environment.draws_on_gpu and gpus else [""]
        for gpu in devices:
            label = f"frame: {family} on {gpu or 'the CPU'}"
            fix = _FIX.format(cache=cache)
            plan, _ = plan_environment(suite, cache, {}, Placement(gpu=gpu))
            yield check_frame(label, plan, suite, fix, until, PROBLEM)
            if engine:
                yield _in_container(f"{label}, in Docker", suite, cache, gpu, fix, until)


def _in_container(name: str, suite: Suite, cache: Path, gpu: str, fix: str, until: float) -> Finding:
    try:
        plan, _ = plan_environment(suite, cache, {}, Placement(container=True, gpu=gpu))
    except WiwError as error:
        return Finding(name, SKIPPED, error.what, "", error.next_step)
    return check_frame(name, plan, suite, fix, until)


def _runnable(family: str) -> Suite | Finding:
    """Return the suite of a family, or why it cannot run here."""
    name = f"frame: {family}"
    if not any(known.rpartition("-v")[0] == family for known in list_suites()):
        return Finding(name, SKIPPED, f"no suite of the family {family}")
    suite = load_suite(family)
    try:
        suite.require_runnable()
    except WiwError as error:
        return Finding(name, SKIPPED, error.what, "", error.next_step)
    return suite


def _start(stack: ExitStack, plan: ServicePlan, until: float) -> LivenessGate:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wiw-doctor-")))
    service = stack.enter_context(start(plan, until - time.monotonic(), folder / "environment.log"))
    left = max(until - time.monotonic(), 1.0)
    gate = LivenessGate(EnvironmentClient(service.socket, Deadlines(reset_s=left, step_s=left)))
    stack.callback(gate.close)
    return gate


def _look(gate: LivenessGate, suite: Suite) -> str:
    """Look at the first episode's first frame and at the one after a turn; return the frame's size."""
    tier = suite.tier()
    camera = tier.loop.agent_camera
    turn = next(action for action in suite.action_space.primitives if action.name.startswith("turn"))
    gate.describe()
    first = gate.reset(suite.episodes(tier.name)[0], 0, [ViewRequest(camera)])
    gate.step([turn], [ViewRequest(camera)])
    height, width, _ = first.views[camera].rgb.shape
    return f"{height} x {width}"
