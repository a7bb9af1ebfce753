"""The two classes that environments and plugins implement. Nothing else is asked of their authors.

A plugin is a folder with `plugin.toml` and a subclass of `WorldModel` with one method; an environment is a
subclass of `Environment`. The server (`harness.wire.host`) does the talking: neither sees sockets or messages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Callable, Iterator, List, Sequence, Tuple

from harness.contracts.actions import Action, Candidate
from harness.contracts.cameras import Pose, Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import (
    EnvironmentSpec,
    ObjectBox,
    Observation,
    ResetReply,
    ShortestPath,
    TopDownMap,
    ViewRequest,
)
from harness.contracts.rollouts import Rollout, RolloutRequest

__all__ = ["Environment", "Rollout", "RolloutRequest", "WorldModel"]
"""What the author of a plugin imports, in one place."""


class WorldModel(ABC):
    """A world model: imagines what a camera would see after each action of a candidate.

    Constructed once as ``cls(manifest)``; loading weights belongs into ``__init__``. It is stateless: the answer
    to a request depends on the request alone.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        self.manifest = manifest

    @abstractmethod
    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the frames that ``request.frames`` asks for, seen by ``request.camera``'s kind of camera."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Answer a batch, one rollout a request, in any order; override it to batch on a GPU."""
        for request in requests:
            yield self.imagine(request)


class Environment(ABC):
    """A simulator behind the wire: one process owns one simulator and plays one episode at a time.

    Queries are for scoring, the oracle stop and the oracle reference alone; an agent never holds their client.
    A pose that is not navigable raises NotNavigable.
    """

    def prepare(self, report: Callable[[str], None]) -> None:  # noqa: B027 - nothing need be done
        """Do once what takes long and would else meet a call's deadline, such as compiling; called before any other.

        The service can be reached when it returns. ``report`` tells the user what is being done, in a few words.
        """

    @abstractmethod
    def describe(self) -> EnvironmentSpec:
        """Return cameras, actions and abilities. Called before the first reset; must be quick."""

    @abstractmethod
    def reset(
        self, episode: Episode, seed: int, views: Sequence[ViewRequest], goal_views: Sequence[ViewRequest]
    ) -> ResetReply:
        """Load the episode's scene, put the body at its start, and render there and at the goal pose."""

    @abstractmethod
    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Execute ``actions`` in order; return one observation after each."""

    @abstractmethod
    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield the real rollout of each candidate from the present state, which is left as it was.

        ``frames[k]`` are the wanted frame indices of candidate k (ascending, in 0..len). Rollout ids count from 0.
        """

    def imagine_wrongly(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        error: MotionError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Yield rollouts as `imagine` does, with ``error`` planted in the motion; Refusal if not offered.

        ``seeds`` holds one uint64 a candidate: the same seed and frame draw the same displacement.
        """
        raise Refusal(
            f"the environment {self.describe().name} cannot plant errors of motion in what it imagines.",
            "Play world models with planted errors in embedded homes.",
        )

    def rollout_poses(
        self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]
    ) -> Tuple[Tuple[Pose, ...], ...]:
        """Return where the body would be at the wanted frames of each candidate; Refusal if not offered.

        A query like the others: the oracle reference and the frozen states of decisions are made of it.
        """
        raise Refusal(
            f"the environment {self.describe().name} does not say where candidates lead.",
            "Play the reference oracle in embedded homes.",
        )

    @abstractmethod
    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        """Return the walkable distance in metres; infinity where there is no way."""

    @abstractmethod
    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        """Return a shortest walkable path; raise NotNavigable where there is none."""

    @abstractmethod
    def is_navigable(self, position: Vec3) -> bool:
        """Say whether the body can stand at ``position``."""

    @abstractmethod
    def top_down_map(self) -> TopDownMap:
        """Return the walkable area of the current scene."""

    def object_boxes(self) -> Tuple[ObjectBox, ...]:
        """Return the boxes of the current scene's objects, none where it has no annotations; Refusal if not offered."""
        raise Refusal(
            f"the environment {self.describe().name} does not offer object boxes.",
            "Use an environment that does: embedded or habitat.",
        )

    @abstractmethod
    def close(self) -> None:
        """Free the simulator."""
