"""The environments that the project declares: an ``environment.toml`` each, in a folder of ``images/``.

Nothing else names one. What an environment needs, reads and can do is declared there, so that planning, collecting
and the checks of a machine treat all alike.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, List, Literal, Mapping, Optional, Tuple

import tomllib
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.actions import EE_POSE8
from harness.contracts.cameras import Camera
from harness.contracts.errors import Refusal
from harness.contracts.folders import further_tasks
from harness.contracts.names import nearest
from harness.runtimes.interpreters import check_interpreter
from harness.wire.sdk import CAPABILITIES

FOLDER = Path(__file__).resolve().parents[2] / "images"
ENVIRONMENT_FILE = "environment.toml"

MADE, FILES, TASKS = "made", "files", "tasks"
"""What a scene is: made from its name and kept in the cache, a file of the user's, or a task of the simulator."""

WALKS, DEMONSTRATIONS = "walks", "demonstrations"
"""What is collected: a body that is moved action by action, or whole demonstrations that the simulator makes."""

_IMPORT_S = 30.0
_CLASS = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


@dataclass(frozen=True)
class EnvironmentFacts:
    """What the harness can say to an environment when it starts it; None leaves the environment's own default.

    ``scenes_folder`` holds its scenes, of bytes ``scene_digests`` (SHA-256 by name) and walkable areas
    ``walkable_digests``; ``walkable_area`` describes how those are computed. ``cameras`` are rendered; one step goes
    ``forward_m`` metres, one turn ``turn_deg`` degrees. ``gpu_index`` counts the visible GPUs, -1 is none.
    ``face_pixels`` is the side of the cube faces that a panorama is joined from (0: half its width).
    """

    scenes_folder: Optional[str] = None
    scene_digests: Optional[Mapping[str, str]] = None
    walkable_digests: Optional[Mapping[str, str]] = None
    walkable_area: Optional[Mapping[str, Any]] = None
    cameras: Optional[Tuple[Camera, ...]] = None
    forward_m: Optional[float] = None
    turn_deg: Optional[float] = None
    gpu_index: Optional[int] = None
    face_pixels: Optional[int] = None
    without_roofs: Optional[bool] = None


_CAPABILITIES = tuple(CAPABILITIES)
_FACTS = tuple(fact.name for fact in fields(EnvironmentFacts))


class _Profile:
    """One way to start an environment: its options by the name of the fact that each holds."""

    options: Mapping[str, str]

    def values(self, facts: EnvironmentFacts) -> Dict[str, Any]:
        """Return the options of a service as plain data."""
        plain = asdict(facts)
        found = {option: plain[fact] for option, fact in self.options.items() if plain[fact] is not None}
        return {option: list(value) if isinstance(value, tuple) else value for option, value in found.items()}


@dataclass(frozen=True)
class Evaluation(_Profile):
    """How episodes are played: ``module:Class`` of the service, its image, and its options by the fact they hold."""

    entry_point: str
    image: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Collection(_Profile):
    """How data are collected; ``data`` is WALKS or DEMONSTRATIONS.

    ``told`` is what a row of a demonstration says as its action: ``ee_pose8``, the pose of the next frame, or
    ``discrete7``, the commanded pose that was asked for, at the end of which the next frame was seen.

    ``in_process`` environments are walked in the collecting process itself, since a message a frame would cost more
    than the frame; they have no ``image``. ``fps`` are frames per second (0: chosen by who collects).
    """

    entry_point: str
    data: str
    image: str = ""
    in_process: bool = False
    fps: int = 0
    told: str = EE_POSE8
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeclaredEnvironment:
    """One environment; its name is its folder's.

    ``scenes`` is MADE, FILES or TASKS. ``scene_exporter`` is a program that writes its scenes as files for
    environments that read files ("" for none), ``scene_names`` a function ``module:function`` that raises Refusal for
    a name that no scene has. ``module`` is the Python package that an interpreter needs to run it ("": the harness's
    own packages are enough), ``get_module`` what to do where it is missing. ``draws_on_gpu``: it renders on a GPU
    where there is one. ``path`` are the folders that its entry points are imported from beside the checkout.
    """

    name: str
    title: str
    tasks: Tuple[str, ...]
    scenes: str
    capabilities: Tuple[str, ...] = ()
    evaluation: Optional[Evaluation] = None
    collection: Optional[Collection] = None
    scene_exporter: str = ""
    scene_names: str = ""
    module: str = ""
    get_module: str = ""
    draws_on_gpu: bool = False
    path: Tuple[str, ...] = ()

    def check_scene(self, scene: str) -> None:
        """Raise Refusal for a name that no scene of this environment has, where that can be told from the name."""
        if self.scene_names:
            _load(self.scene_names)(scene)

    def require_module(self, python: str) -> None:
        """Raise Refusal unless the interpreter (its path) finds the package that this environment runs on.

        Where it could run no service at all, that is said.
        """
        if not self.module or has_module(python, self.module):
            return
        if python != sys.executable:
            try:
                check_interpreter(python, "--env-python", {})
            except Refusal as refusal:
                raise Refusal(refusal.what, self.get_module) from refusal
        raise Refusal(f"{python} has no {self.module}.", self.get_module)


def demonstrates(environment: DeclaredEnvironment) -> bool:
    """Say whether whole demonstrations of an arm are collected of an environment."""
    return environment.collection is not None and environment.collection.data == DEMONSTRATIONS


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _EvaluationTable(_Table):
    entry_point: str = Field(pattern=_CLASS)
    image: str = Field(min_length=1)
    options: Dict[str, Literal[_FACTS]] = {}  # type: ignore[valid-type]


class _CollectionTable(_Table):
    entry_point: str = Field(pattern=_CLASS)
    data: Literal["walks", "demonstrations"]
    image: str = ""
    in_process: bool = False
    fps: int = Field(default=0, ge=0)
    told: Literal["ee_pose8", "discrete7"] = "ee_pose8"
    options: Dict[str, Literal[_FACTS]] = {}  # type: ignore[valid-type]


class _EnvironmentTable(_Table):
    title: str = Field(min_length=1)
    tasks: List[str] = Field(min_length=1)
    scenes: Literal["made", "files", "tasks"]
    capabilities: List[Literal[_CAPABILITIES]] = []  # type: ignore[valid-type]
    evaluation: Optional[_EvaluationTable] = None
    collection: Optional[_CollectionTable] = None
    scene_exporter: str = ""
    scene_names: str = Field(default="", pattern=rf"{_CLASS}|^$")
    module: str = ""
    get_module: str = ""
    draws_on_gpu: bool = False


def read_environment(file: Path) -> DeclaredEnvironment:
    """Return the environment that an ``environment.toml`` declares; Refusal names the file and the wrong field."""
    try:
        table = _EnvironmentTable.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(f"{file}: {where}: {first['msg']}.", f"See {__name__.replace('.', '/')}.py.") from error
    except (OSError, ValueError) as error:
        raise Refusal(f"{file} cannot be read: {error}.", "Fix the file.") from error
    values = table.model_dump(exclude={"evaluation", "collection", "tasks", "capabilities"})
    evaluation, collection = table.evaluation, table.collection
    return DeclaredEnvironment(
        name=file.parent.name,
        path=() if file.parents[1] == FOLDER else (str(file.parents[1]),),
        tasks=tuple(table.tasks),
        capabilities=tuple(table.capabilities),
        evaluation=Evaluation(**evaluation.model_dump()) if evaluation else None,
        collection=Collection(**collection.model_dump()) if collection else None,
        **values,
    )


@functools.cache
def declared_environments(folder: Path = FOLDER) -> Tuple[DeclaredEnvironment, ...]:
    """Return every declared environment, by name: those of ``folder``, then those beside the user's own tasks."""
    files = [file for place in (folder, *further_tasks()) for file in sorted(place.glob(f"*/{ENVIRONMENT_FILE}"))]
    return tuple(read_environment(file) for file in files)


def titles_of(those: Callable[[DeclaredEnvironment], bool]) -> str:
    """Return the titles of the environments that a condition holds for, for a sentence."""
    return ", ".join(environment.title for environment in declared_environments() if those(environment))


def find_environment(name: str) -> DeclaredEnvironment:
    """Return the environment called ``name``; Refusal names the nearest."""
    known = {environment.name: environment for environment in declared_environments()}
    if name not in known:
        raise Refusal(f"there is no environment {name!r}.", nearest(name, known))
    return known[name]


def environment_of_image(image: str) -> Optional[DeclaredEnvironment]:
    """Return the environment that runs in an image of the project (its folder's name), if one does."""
    for environment in declared_environments():
        profiles = (environment.evaluation, environment.collection)
        if any(profile is not None and profile.image == image for profile in profiles):
            return environment
    return None


def collection_of(environment: DeclaredEnvironment) -> Collection:
    """Return how data are collected from an environment; Refusal where none are."""
    if environment.collection is None:
        raise Refusal(f"nothing is collected from {environment.title}.", "Choose another suite.")
    return environment.collection


def environment_class(entry_point: str) -> Any:
    """Return the class of an environment that runs in this process."""
    return _load(entry_point)


def has_module(python: str, module: str) -> bool:
    """Say whether an interpreter ("" for this one) finds a package; it is not imported, which takes seconds."""
    if python in ("", sys.executable):
        return find_spec(module) is not None
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=_IMPORT_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _load(entry_point: str) -> Any:
    module, _, name = entry_point.partition(":")
    return getattr(import_module(module), name)
