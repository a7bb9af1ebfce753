"""The decision bank of a suite, ``bank.zip``: frozen states of decisions as data, checked at this edge.

One zip of equal bytes for equal content: ``bank.json`` with the facts, and the images as lossless WebP, stored under
the digest of their *pixels* and kept once, however many states show them. Every digest is of what was decoded,
because encoders of WebP differ between versions.
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Literal, Mapping, Sequence, Tuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.actions import Action, ActionSpace, Primitive
from harness.contracts.cameras import Pose
from harness.contracts.digest import array_digest, canonical_json, digest
from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB
from harness.contracts.wrong_fields import wrong_fields
from harness.planning.bank_states import DecisionState
from harness.planning.proposals import End, Proposal
from tasks.suite import PANORAMA, Suite, Tier
from tasks.suite_files import Finite, Name

BANK = "bank.zip"
SPLIT = "validation"
"""The homes of the states: a bank is asked again and again while a model is tuned, which no test home must be."""

DECISIONS = 2
"""States of each episode. The second is seen from where an end drawn by lot led, with a place to remember."""

SEED = 0
"""Run seed of the candidates and of the ends between the states."""

_INDEX = "bank.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StateData(_File):
    """One state. ``executed`` names the actions of each earlier decision; ``view`` and ``goal`` are digests of pixels.

    ``choices`` is `digest_of_choices` of the candidates and ends, which the proposer makes again.
    """

    episode: Name
    home: Name
    decision: int = Field(ge=0)
    executed: Tuple[Tuple[Name, ...], ...]
    pose: Pose
    view: Name
    goal: Name
    choices: Name
    end_distances_m: Tuple[Finite, ...] = Field(min_length=1)
    distance_m: Finite


class TierStates(_File):
    """The states of one tier; ``sources`` is `sources_digest` when they were made, ``sha256`` that of their content."""

    sources: Name
    sha256: Name
    states: Tuple[StateData, ...] = Field(min_length=1)

    def content(self) -> str:
        """Return the digest of all that the states say and show."""
        return digest([self.sources, self.model_dump(mode="json")["states"]])


class BankData(_File):
    """The whole of ``bank.json``."""

    format: Literal[1] = 1
    suite: Name
    task: Name
    tiers: Dict[str, TierStates] = Field(min_length=1)


@dataclass(frozen=True)
class BankedState:
    """One state as it is kept: a `DecisionState` with its images, candidates and ends by digest.

    ``pose`` and distances (metres of geodesic distance to the goal: after each end, and here) are the caller's alone.
    """

    episode: str
    home: str
    decision: int
    executed: Tuple[Tuple[Action, ...], ...]
    pose: Pose
    view: str
    goal: str
    choices: str
    end_distances_m: Tuple[float, ...]
    distance_m: float

    @property
    def id(self) -> str:
        """Return the state's name, such as ``easy-validation-0003-1-d1``."""
        return f"{self.episode}-d{self.decision}"


@dataclass(frozen=True)
class Bank:
    """The states of one tier, checked. ``hash`` covers all that they say and show; ``path`` holds their images."""

    path: Path
    tier: str
    hash: str
    states: Tuple[BankedState, ...]

    def image(self, name: str) -> RGB:
        """Return the image of that digest, uint8 [H, W, 3]; Refusal where its pixels are others."""
        from PIL import Image

        try:
            with zipfile.ZipFile(self.path) as file, Image.open(io.BytesIO(file.read(_image_name(name)))) as image:
                rgb: RGB = np.asarray(image.convert("RGB"), dtype=np.uint8)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise Refusal(f"{self.path} has no image {name[:12]}: {error}.", RESTORE) from error
        if array_digest(rgb) != name:
            raise Refusal(f"the pixels of image {name[:12]} in {self.path} are not those of its name.", RESTORE)
        return rgb


RESTORE = "Restore the file from the repository."


def bank_path(suite: Suite) -> Path:
    """Return where a suite keeps its decision bank."""
    return suite.folder / BANK


def file_of(path: Path, view: str) -> Path:
    """Return the file of the bank in ``path`` that holds the tiers of one kind of view.

    Those with perspective views lie in a file beside that of the panoramas, which stays as it was frozen. A path that
    is that file already stays as it is.
    """
    if view == PANORAMA or path.stem.endswith(f"-{view}"):
        return path
    return path.with_name(f"{path.stem}-{view}{path.suffix}")


def make_command(suite: Suite) -> str:
    """Return the command that makes a suite's bank."""
    return f"python -m tasks.{suite.task}.make_bank --suite {suite.name}"


def sources_digest(suite: Suite, tier: Tier) -> str:
    """Return the digest of all that a tier's states depend on.

    Not the suite hash: states know nothing of score, reviser, stop rule or test episodes, so that a change of those
    needs no new states, and tiers that differ in them alone share theirs.
    """
    episodes = suite.episodes(tier.name, SPLIT)
    known = suite.scene_digests()
    return digest(
        {
            "seed": SEED,
            "decisions": DECISIONS,
            "episodes": [episode.digest() for episode in episodes],
            "scenes": {scene: known[scene] for scene in sorted({episode.scene for episode in episodes})},
            "agent_camera": suite.rig.camera(tier.loop.agent_camera),
            "goal_camera": suite.rig.camera(tier.loop.goal_camera),
            "action_space": suite.action_space,
            "proposer": tier.loop.proposer,
            "memory_radius_m": tier.loop.memory_radius_m,
        }
    )


def digest_of_choices(proposal: Proposal, ends: Sequence[End]) -> str:
    """Return the digest of a state's candidates and of the ends that may be chosen."""
    return digest([proposal.candidates, tuple(ends)])


def read_bank(suite: Suite, tier: Tier, path: Path) -> Bank:
    """Return the states of ``tier`` from the bank in ``path``, those of the tier whose episodes it plays.

    Refusal where there is no bank, where it is damaged or holds another content than it says, and where the states
    were made of other data than the tier's present ones.
    """
    path = file_of(path, tier.view)
    if not path.is_file():
        raise Refusal(f"there is no decision bank {path}.", f"Make it: {make_command(suite)}")
    data = _read_index(path, path.stat().st_mtime_ns)
    if (data.suite, data.task) != (suite.name, suite.task):
        raise Refusal(f"{path} is the bank of {data.suite}, {data.task}, not of {suite.name}.", "Give another file.")
    found = data.tiers.get(tier.episodes_of)
    if found is None:
        raise Refusal(f"{path} holds no states of {tier.name!r}: {', '.join(data.tiers)}.", make_command(suite))
    if found.content() != found.sha256:
        raise Refusal(f"the states of {tier.episodes_of!r} in {path} are not those of their digest.", RESTORE)
    present = sources_digest(suite, tier)
    if found.sources != present:
        raise Refusal(
            f"the states of {tier.episodes_of!r} in {path} were made of other episodes, homes, cameras or candidates "
            f"({found.sources[:12]}) than tier {tier.name!r} has now ({present[:12]}).",
            f"Make them again: {make_command(suite)}",
        )
    return Bank(path, tier.episodes_of, found.sha256, tuple(_banked(s, suite.action_space) for s in found.states))


def state_data(state: DecisionState) -> StateData:
    """Return what is kept of a state besides its images."""
    return StateData(
        episode=state.episode,
        home=state.home,
        decision=state.decision,
        executed=tuple(tuple(_name(action) for action in actions) for actions in state.executed),
        pose=state.pose,
        view=array_digest(state.view.rgb),
        goal=array_digest(state.prompt.rgb),
        choices=digest_of_choices(state.proposal, state.ends),
        end_distances_m=state.end_distances_m,
        distance_m=state.distance_m,
    )


def encoded(rgb: RGB) -> bytes:
    """Return an image as lossless WebP."""
    from PIL import Image

    buffer = io.BytesIO()
    # Trying everything (method 6, quality 100) takes 2 s an image instead of 0.04 and saves 1 %.
    Image.fromarray(rgb).save(buffer, "WEBP", lossless=True, quality=50, method=4)
    return buffer.getvalue()


def bank_bytes(suite: Suite, states: Mapping[str, Sequence[StateData]], images: Mapping[str, bytes]) -> bytes:
    """Return the file: ``states`` by tier and ``images`` (WebP) by the digest of their pixels."""
    tiers = {}
    for name, kept in states.items():
        made = TierStates(sources=sources_digest(suite, suite.tier(name)), sha256="-", states=tuple(kept))
        tiers[name] = made.model_copy(update={"sha256": made.content()})
    index = BankData(suite=suite.name, task=suite.task, tiers=tiers)
    members = {_INDEX: canonical_json(index.model_dump(mode="json"))}
    members.update({_image_name(name): data for name, data in images.items()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(members):
            file.writestr(_member(name), members[name], zipfile.ZIP_DEFLATED if name == _INDEX else None)
    return buffer.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    """Return a member without a trace of when and where it was written."""
    member = zipfile.ZipInfo(name, _EPOCH)
    member.create_system, member.external_attr = 3, _READABLE
    return member


def _image_name(name: str) -> str:
    return f"images/{name}.webp"


@functools.lru_cache(maxsize=2)
def _read_index(path: Path, modified_ns: int) -> BankData:
    try:
        with zipfile.ZipFile(path) as file:
            return BankData.model_validate(json.loads(file.read(_INDEX)))
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", RESTORE) from error
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise Refusal(f"{path} cannot be read as a decision bank: {error}.", RESTORE) from error


def _banked(state: StateData, space: ActionSpace) -> BankedState:
    actions = {primitive.name: primitive for primitive in space.primitives}
    plain: Dict[str, Any] = {name: getattr(state, name) for name in type(state).model_fields}
    executed: List[Tuple[Action, ...]] = [tuple(actions[name] for name in names) for names in state.executed]
    plain.update(executed=tuple(executed))
    return BankedState(**plain)


def _name(action: Action) -> str:
    if not isinstance(action, Primitive):
        raise Refusal(f"{action} has no name.", "A bank is made for suites whose actions are primitives.")
    return action.name
