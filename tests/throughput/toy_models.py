"""Models in this process, each with one habit, and situations to ask them from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.contracts.actions import FORWARD, TURN_LEFT, Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.errors import ModelFault, ModelTimeout
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import View
from harness.contracts.rollouts import Rollout, RolloutRequest, failed_rollout
from harness.throughput.decisions import Situation

PANO = Camera("pano", EQUIRECT, 16, 32, 360.0, 1.25)
AHEAD, LEFT = Primitive(FORWARD, 0.2), Primitive(TURN_LEFT, 22.5)
WORK_S = 0.002


class StandingClock:
    """Stands in for the module `time`: it moves only where something works or waits, however busy the machine is."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        """Return its seconds; each look takes a microsecond."""
        self.now += 1e-6
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let seconds pass."""
        self.now += seconds


CLOCK = StandingClock()


def toy_manifest(**fields: object) -> ModelManifest:
    return ModelManifest("toy", "tests", "plugin", view="panorama", conditioning="numbers", max_batch=4, **fields)  # type: ignore[arg-type]


def toy_situations(count: int = 12, candidates: int = 4) -> list[Situation]:
    draws = np.random.default_rng(3)
    walks = tuple(Candidate((LEFT,) * (2 * turn) + (AHEAD,) * 3) for turn in range(candidates))
    ends = tuple((len(walk) - 1, len(walk)) for walk in walks)
    views = [draws.integers(0, 256, (16, 32, 3), np.uint8) for _ in range(count)]
    return [Situation(View(PANO, rgb), walks, ends) for rgb in views]


class Honest:
    """Works `WORK_S` a rollout, and answers by view and seed; says how long it denoised."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        for request in requests:
            yield self.rollout(request)

    def rollout(self, request: RolloutRequest) -> Rollout:
        CLOCK.sleep(WORK_S)
        noise = np.random.default_rng(request.seed).integers(0, 9, (len(request.frames), 1, 1, 3), np.uint8)
        return Rollout(request.id, request.view[None] // 2 + noise, request.camera, timings={"denoise": WORK_S / 2})


class Caching(Honest):
    """Keeps its answers by view and actions."""

    def __init__(self) -> None:
        self.known: dict[tuple[object, ...], Rollout] = {}

    def rollout(self, request: RolloutRequest) -> Rollout:
        key = (request.view.tobytes(), request.candidate, request.frames)
        if key not in self.known:
            self.known[key] = super().rollout(request)
        return Rollout(request.id, self.known[key].rgb, request.camera)


class Remembering(Honest):
    """Looks longest at a view that it does not know."""

    def __init__(self) -> None:
        self.known: set[bytes] = set()

    def rollout(self, request: RolloutRequest) -> Rollout:
        view = min(np.roll(request.view, columns, 1).tobytes() for columns in range(0, 32, 4))  # turned by an action
        if view not in self.known:
            CLOCK.sleep(3 * WORK_S)
            self.known.add(view)
        return super().rollout(request)


class Blind(Honest):
    """Answers the same to every question."""

    def rollout(self, request: RolloutRequest) -> Rollout:
        rgb = np.zeros((len(request.frames), *request.view.shape), np.uint8)
        return Rollout(request.id, rgb, request.camera)


class Failing(Honest):
    """Fails in every third decision, after the two of the warm-up."""

    def __init__(self) -> None:
        self.calls = 0

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.calls += 1
        if self.calls > 2 and self.calls % 3 == 0:
            for request in requests:
                yield failed_rollout(request.id, request.camera, f"no noise left in call {self.calls}")
        else:
            yield from super().imagine_batch(requests)


class Sleeping(Honest):
    """What a client makes of a service that sleeps, from a call on: its deadline passes."""

    def __init__(self, from_call: int = 5) -> None:
        self.calls, self.from_call = 0, from_call

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.calls += 1
        if self.calls >= self.from_call:
            raise ModelTimeout("world model 'toy' did not answer Imagine within 0.1 s.")
        return super().imagine_batch(requests)


class Dying(Honest):
    """What a client makes of a service that ends in its fifth call."""

    def __init__(self) -> None:
        self.calls = 0

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.calls += 1
        if self.calls == 5:
            raise ModelFault("service 'toy' was killed by SIGKILL while in use.")
        return super().imagine_batch(requests)


class Served(Honest):
    """The honest model as a service makes it; it refuses to be compiled."""

    def __init__(self, manifest: ModelManifest) -> None:
        if manifest.settings.get("compile"):
            raise ValueError("a compiled kernel shows no shapes")
