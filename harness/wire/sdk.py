"""The classes that environments and plugins implement. Nothing else is asked of their authors.

A plugin is a folder with `plugin.toml` and a subclass of `WorldModel` or `Policy` with one method; an environment is a
subclass of `Environment`, and of each capability that it has. The server (`harness.wire.host`) does the talking: none
of them sees sockets or messages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Callable, Iterator, List, Mapping, NamedTuple, NoReturn, Sequence, Tuple, Type, TypeVar, Union

from harness.contracts.actions import Action, Candidate
from harness.contracts.cameras import Pose, Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.handling_errors import HandlingError
from harness.contracts.manifests import ModelManifest
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import (
    EnvironmentSpec,
    ObjectBox,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.policies import ProposalReply, ProposalRequest, Proposed
from harness.contracts.rollouts import Rollout, RolloutRequest

__all__ = [
    "Environment",
    "Policy",
    "ProposalReply",
    "ProposalRequest",
    "Proposed",
    "Rollout",
    "RolloutRequest",
    "WorldModel",
]
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


class Policy(ABC):
    """A policy: proposes plans for a decision, which a world model then imagines.

    Constructed once as ``cls(manifest)``. It is stateless, as a world model is.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        self.manifest = manifest

    @abstractmethod
    def propose(self, request: ProposalRequest) -> ProposalReply:
        """Return at most ``request.plans`` plans of at most ``request.longest`` actions of ``request.space``.

        What gave no plan is counted in ``failures`` by kind. Raise an error of the contract where nothing can be
        proposed at all: the decision is then an error of its episode.
        """


class Environment(ABC):
    """A simulator behind the wire: one process owns one simulator and plays one episode at a time.

    This is what every environment does. What only some can do are capabilities, the classes below: an environment
    derives from those that it has, and whoever needs one gets it with `require`.
    """

    def prepare(self, report: Callable[[str], None]) -> None:  # noqa: B027 - nothing need be done
        """Do once what takes long and would else meet a call's deadline, such as compiling; called before any other.

        The service can be reached when it returns. ``report`` tells the user what is being done, in a few words.
        """

    @abstractmethod
    def describe(self) -> EnvironmentSpec:
        """Return cameras and actions. Called before the first reset; must be quick."""

    def capabilities(self) -> Tuple[str, ...]:
        """Return the names of the capabilities, in the order of CAPABILITIES: those of the class."""
        return tuple(name for name, known in CAPABILITIES.items() if isinstance(self, known.interface))

    @abstractmethod
    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Load the episode's scene, put the body at its start, and return what is seen there."""

    @abstractmethod
    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Execute ``actions`` in order; return one observation after each."""

    @abstractmethod
    def close(self) -> None:
        """Free the simulator."""


class Rendering(ABC):
    """A capability: shows what would be seen elsewhere. For tasks and checks; an agent never holds it."""

    @abstractmethod
    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> List[Mapping[str, View]]:
        """Return the views by camera name with the body at each pose of the present scene.

        The present state is left as it was. NotNavigable where the body cannot stand at a pose.
        """


class Imagining(ABC):
    """A capability: the simulator as the world model, since its state can be saved and restored whole."""

    @abstractmethod
    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield the real rollout of each candidate from the present state, which is left as it was.

        ``frames[k]`` are the wanted frame indices of candidate k (ascending, in 0..len). Rollout ids count from 0.
        """


class MotionErrors(ABC):
    """A capability: imagines with errors of motion, which only who knows the obstacles can plant."""

    @abstractmethod
    def imagine_wrongly(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        error: MotionError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Yield rollouts as `Imagining.imagine` does, with ``error`` planted in the motion.

        ``seeds`` holds one uint64 a candidate: the same seed and frame draw the same displacement.
        """


class HandlingErrors(ABC):
    """A capability: imagines with errors of a robot's hand and of the things that it moves."""

    @abstractmethod
    def imagine_wrongly(
        self,
        candidates: Sequence[Candidate],
        camera: str,
        frames: Sequence[Sequence[int]],
        error: HandlingError,
        seeds: Sequence[int],
    ) -> Iterator[Rollout]:
        """Yield rollouts as `Imagining.imagine` does, with ``error`` planted in the handling.

        ``seeds`` holds one uint64 a candidate: the same seed draws the same displacement.
        """


PlantedError = Union[MotionError, HandlingError]


class Lookahead(ABC):
    """A capability: tells where candidates lead. For references and banks; an agent never holds it."""

    @abstractmethod
    def rollout_poses(
        self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]
    ) -> Tuple[Tuple[Pose, ...], ...]:
        """Return where the body would be at the wanted frames of each candidate."""


class Navigation(ABC):
    """A capability: walkable distances and places. For scoring and references; an agent never holds it."""

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


class ObjectBoxes(ABC):
    """A capability: boxes around the objects of a scene."""

    @abstractmethod
    def object_boxes(self) -> Tuple[ObjectBox, ...]:
        """Return the boxes of the current scene's objects, none where it has no annotations."""


class Capability(NamedTuple):
    """A class to derive from, and what is said where an environment does not: its name goes before ``missing``."""

    interface: type
    missing: str
    next_step: str


CAPABILITIES: Mapping[str, Capability] = {
    "rendering": Capability(
        Rendering, "does not show what would be seen at another pose.", "Ask for views where the body is."
    ),
    "imagining": Capability(Imagining, "cannot imagine.", "Use a world model instead of gtsim."),
    "motion_errors": Capability(
        MotionErrors,
        "cannot plant errors of motion in what it imagines.",
        "Play world models with planted errors in an environment that can.",
    ),
    "handling_errors": Capability(
        HandlingErrors,
        "cannot plant errors of a hand in what it imagines.",
        "Play world models with planted errors in an environment that can.",
    ),
    "lookahead": Capability(
        Lookahead, "does not say where candidates lead.", "Play the reference oracle in an environment that does."
    ),
    "navigation": Capability(Navigation, "has no walkable area.", "Ask for distances in a navigation task."),
    "object_boxes": Capability(ObjectBoxes, "does not offer object boxes.", "Use an environment that does."),
}
"""The capabilities by the names that a service declares at the handshake, and ``environment.toml`` before it."""


def capability_of(error: PlantedError) -> str:
    """Return the capability that an environment needs to imagine with this error."""
    return "motion_errors" if isinstance(error, MotionError) else "handling_errors"


def imagine_wrongly(
    environment: Environment,
    candidates: Sequence[Candidate],
    camera: str,
    frames: Sequence[Sequence[int]],
    error: PlantedError,
    seeds: Sequence[int],
) -> Iterator[Rollout]:
    """Have an environment imagine with an error of either kind; Refusal where it has not declared that it can."""
    if isinstance(error, MotionError):
        return require(environment, MotionErrors).imagine_wrongly(candidates, camera, frames, error, seeds)
    return require(environment, HandlingErrors).imagine_wrongly(candidates, camera, frames, error, seeds)


Wanted = TypeVar("Wanted")


def require(environment: Environment, interface: Type[Wanted]) -> Wanted:
    """Return ``environment`` as one with a capability (its class); Refusal where it has not declared it."""
    name = next(name for name, known in CAPABILITIES.items() if known.interface is interface)
    if name not in environment.capabilities() or not isinstance(environment, interface):
        refuse(environment.describe().name, name)
    return environment


def refuse(environment: str, capability: str) -> NoReturn:
    """Raise the Refusal of a capability that the environment of this name does not have."""
    known = CAPABILITIES[capability]
    raise Refusal(f"the environment {environment} {known.missing}", known.next_step)
