"""Reading and writing suite files, checked at the edge: an error names the file, the item and the field."""

from __future__ import annotations

import functools
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, Union, cast

import tomllib
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from harness.contracts.actions import DISCRETE7, ActionSpace, discrete7_space, ee_pose8_space, navigation_space
from harness.contracts.cameras import Camera, Pose, Rig
from harness.contracts.digest import to_plain
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.field_limits import Given, Whole, Word
from harness.contracts.wrong_fields import wrong_fields
from harness.planning.config import LoopConfig, PartConfig
from tasks.registry import load_task
from tasks.task import checked

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _WithTaskFields(_File):
    """A table some of whose fields are the task's own, which it checks: those that are not named here."""

    own: Dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _set_apart(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        named = {name: value for name, value in data.items() if name in fields and name != "own"}
        return {**named, "own": {name: value for name, value in data.items() if name not in named}}


@dataclass(frozen=True)
class Split:
    """How many homes a split of a tier has, and how many episodes in all."""

    homes: Annotated[int, Whole(1)]
    episodes: Annotated[int, Whole(1)]


class TierData(_WithTaskFields):
    """One tier. Its ``own`` fields are the task's constants, such as the distances that episodes are drawn by.

    ``baseline`` is the suite's where the tier names none.
    """

    description: str
    status: Literal["frozen", "draft"] = "frozen"
    baseline: str = ""
    splits: Dict[str, Split] = Field(min_length=1)
    loop: LoopConfig


class VariantData(_File):
    """A tier that differs from ``tier`` in its score: the same episodes and the same loop.

    ``reviser`` is given where the constants of the tier's are in units of its score.
    """

    tier: Name
    description: str
    status: Literal["frozen", "draft"] = "frozen"
    score: PartConfig
    reviser: Optional[PartConfig] = None


@dataclass(frozen=True)
class Reference:
    """A named configuration that gives a number its meaning: a world model, and the reviser it is played with.

    ``reviser`` is "" where the tier's own is used. ``view`` is the kind of view of the tiers that it is for ("": both),
    ``camera`` what its agent looks with where that is not the tier's agent camera.
    """

    name: Given
    wm: Given
    reviser: str = ""
    view: Annotated[str, Word(("", "panorama", "perspective"))] = ""
    camera: str = ""


class ActionData(_File):
    """Step sizes of the navigation space."""

    forward_m: Positive
    turn_deg: float = Field(gt=0.0, le=180.0)


class VectorData(_File):
    """A space of vectors, by its name."""

    space: Literal["discrete7", "ee_pose8"]


class ElsewhereData(_File):
    """What a suite fixes for play in another environment than its own: the settings of its walkable area."""

    navmesh: Dict[str, Union[bool, int, float, str]]


class SuiteData(_File):
    """A whole `suite.toml`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]*-v[0-9]+$")
    task: Name
    environment: Name
    elsewhere: Dict[str, ElsewhereData] = {}
    requires: Tuple[str, ...] = ()
    default_tier: Name
    default_split: Name
    baseline: Name
    action_space: Union[ActionData, VectorData]
    rig: Tuple[Camera, ...] = Field(min_length=1)
    references: Tuple[Reference, ...]
    tiers: Dict[str, TierData] = Field(min_length=1)
    variants: Dict[str, VariantData] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> SuiteData:
        cameras = {camera.name for camera in self.rig}
        on_a_body = isinstance(self.action_space, ActionData)  # others look at an arm from where they stand
        for seen_by in self.rig:
            if seen_by.misfit() or (on_a_body and seen_by.height_m <= 0.0):
                raise ValueError(f"rig: {seen_by.name}: {seen_by.misfit() or f'height_m is {seen_by.height_m}'}")
        if self.cameras().misfit():
            raise ValueError(f"rig: {self.cameras().misfit()}")
        if self.default_tier not in self.tiers:
            raise ValueError(f"default_tier {self.default_tier!r} is not one of {sorted(self.tiers)}")
        if self.baseline not in {reference.name for reference in self.references}:
            raise ValueError(f"baseline {self.baseline!r} is not a reference")
        for reference in self.references:
            if reference.camera not in {"", *cameras}:
                raise ValueError(f"reference {reference.name}: camera {reference.camera!r} is not in the rig")
        for name, tier in self.tiers.items():
            if tier.baseline not in {"", *(reference.name for reference in self.references)}:
                raise ValueError(f"tiers.{name}: baseline {tier.baseline!r} is not a reference")
            if self.default_split not in tier.splits:
                raise ValueError(f"tiers.{name}: default_split {self.default_split!r} is not among its splits")
            for camera in (tier.loop.agent_camera, tier.loop.goal_camera):
                if camera not in cameras:
                    raise ValueError(f"tiers.{name}.loop: camera {camera!r} is not in the rig ({sorted(cameras)})")
        for name, variant in self.variants.items():
            if name in self.tiers:
                raise ValueError(f"variants.{name}: there is a tier of that name")
            if variant.tier not in self.tiers:
                raise ValueError(f"variants.{name}: tier {variant.tier!r} is not one of {sorted(self.tiers)}")
        return self

    def cameras(self) -> Rig:
        """Return the rig."""
        return Rig(self.rig)

    def space(self) -> ActionSpace:
        """Return the action space."""
        if isinstance(self.action_space, VectorData):
            return discrete7_space() if self.action_space.space == DISCRETE7 else ee_pose8_space()
        return navigation_space(self.action_space.forward_m, self.action_space.turn_deg)


class EpisodeData(_WithTaskFields):
    """One item of an episode file. Its ``own`` fields are those of the task's payload."""

    id: Name
    task: Name
    tier: Name
    split: Name
    scene: Name
    home: Name
    start: Pose
    reference_actions: int = Field(ge=1)
    tags: Tuple[str, ...] = ()

    def episode(self, payload: Any, where: str) -> Episode:
        """Return the contract's form; Refusal where the task's own fields are not those of its class ``payload``."""
        plain = {name: getattr(self, name) for name in type(self).model_fields if name != "own"}
        return Episode(**plain, payload=to_plain(checked(payload, self.own, where)))


def read_suite(path: Path) -> SuiteData:
    """Return the checked content of a `suite.toml`."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refusal(f"{path} cannot be read as TOML: {error}.", "Restore the file from the repository.") from error
    try:
        suite = SuiteData.model_validate(data)
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", "Fix the file.") from error
    if suite.name != path.parent.name:
        raise Refusal(f"{path} calls itself {suite.name!r} but lies in {path.parent.name!r}.", "Rename one of them.")
    return suite


def read_episodes(path: Path, task: str, suite: str) -> Tuple[Episode, ...]:
    """Return the checked episodes of a gzip JSON file, in its order."""
    if not path.exists():
        tier = path.name.rpartition("-")[0]
        raise Refusal(
            f"the episode file {path} does not exist.",
            f"Run `python -m tasks.{task}.make_episodes --suite {suite} --tier {tier}`.",
        )
    return _read_episodes(path, path.stat().st_mtime_ns, cast(Any, load_task(task).payload))


@functools.lru_cache(maxsize=16)
def _read_episodes(path: Path, modified_ns: int, payload: Any) -> Tuple[Episode, ...]:
    data = _read_json(path, gzip.decompress)
    try:
        items = TypeAdapter(List[EpisodeData]).validate_python(data)
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", "Restore the file from the repository.") from error
    episodes = tuple(item.episode(payload, f"{path}: item {number}: ") for number, item in enumerate(items))
    seen: set[str] = set()
    for number, episode in enumerate(episodes):
        if episode.id in seen:
            raise Refusal(f"{path}: item {number}: id: {episode.id!r} occurs twice.", "Fix the file.")
        seen.add(episode.id)
    return episodes


def read_homes(path: Path, task: str, suite: str) -> Mapping[str, str]:
    """Return scene name -> digest from `homes.json`."""
    if not path.exists():
        raise Refusal(
            f"the scene digests {path} do not exist.",
            f"Run `python -m tasks.{task}.make_episodes --suite {suite}`.",
        )
    try:
        return TypeAdapter(Dict[str, str]).validate_python(_read_json(path, bytes))
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", "Restore the file from the repository.") from error


def write_episodes(path: Path, episodes: Sequence[Episode]) -> None:
    """Write an episode file; equal episodes give equal bytes (no time stamp inside)."""
    text = json.dumps([to_plain(episode) for episode in episodes], sort_keys=True, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON with sorted keys."""
    path.write_text(json.dumps(to_plain(value), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _read_json(path: Path, unpack: Any) -> Any:
    try:
        return json.loads(unpack(path.read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise Refusal(f"{path} cannot be read: {error}.", "Restore the file from the repository.") from error
