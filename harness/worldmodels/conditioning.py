"""Conditioning: what a world model is told of a candidate, besides the view that it starts from.

A manifest asks for one form: a prompt (``text``), camera poses (``camera``), the actions themselves (``numbers``), or
nothing (``none``).

The words of a prompt are data: a template file with a name and a version, ours by default (``templates/``), replaceable
by the user's (``--set prompt_template=FILE``), since a checkpoint that was trained on captions of its own needs exactly
those. When a run is planned the template's text goes into the manifest (`with_template`): so it is hashed with it, part
of the run's identity, and still there when a run is resumed after its file has changed.
"""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator, Mapping, Optional, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.actions import FORWARD, STOP, Action, ActionSpace, Primitive, signed_turn
from harness.contracts.cameras import EQUIRECT, Pose, Rig, yaw_to_quaternion
from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.manifests import ModelManifest
from harness.contracts.names import nearest
from harness.contracts.observations import ViewRequest
from harness.contracts.portable import PI, sincos
from harness.contracts.wrong_fields import wrong_fields
from harness.worldmodels.file_limits import parse_toml

PROMPT_TEMPLATE = "prompt_template"
"""The setting that chooses a template: the name of one of ours, a file, or (once planned) the text itself."""

DEFAULT_TEMPLATE = "navigation-v1"
TEXT = "text"
TEMPLATES = Path(__file__).resolve().parent / "templates"
ACTIONS = "actions"
MAX_BYTES = 16384
OPEN_ABOVE = 0.5
"""The gripper's last number above which it is open (`ee_pose8_space`, `discrete7_space`)."""


class _TemplateFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(min_length=1, max_length=100)
    version: int = Field(ge=1)
    template: str = Field(min_length=1)
    separator: str = ", "
    actions: dict[str, str] = Field(min_length=1)


@dataclass(frozen=True)
class PromptTemplate:
    """How actions become a prompt.

    ``template`` holds ``{actions}`` once, which is replaced by the words of each action joined by ``separator``.
    ``actions`` gives the words by the name of a primitive (with ``{magnitude}``) or of a vector's space (with ``{x}``,
    ``{y}``, ``{z}`` and ``{fingers}``, open or closed). ``sha256`` is the hash of the file.
    """

    name: str
    version: int
    template: str
    separator: str
    actions: Mapping[str, str]
    sha256: str

    def render(self, actions: Sequence[Action]) -> str:
        """Return the prompt of ``actions``; an action without words raises Refusal."""
        words = self.separator.join(self._words(action) for action in actions)
        return self.template.replace(f"{{{ACTIONS}}}", words)

    def _words(self, action: Action) -> str:
        name = action.name if isinstance(action, Primitive) else action.space
        if name not in self.actions:
            raise Refusal(f"the prompt template {self.name!r} has no words for {name!r}.", nearest(name, self.actions))
        if isinstance(action, Primitive):
            return self.actions[name].format(magnitude=f"{action.magnitude:g}")
        x, y, z = (f"{value:g}" for value in action.values[:3])
        fingers = "open" if action.values[-1] > OPEN_ABOVE else "closed"
        return self.actions[name].format(x=x, y=y, z=z, fingers=fingers)


def with_template(manifest: ModelManifest) -> ModelManifest:
    """Return the manifest with the text of its template in its settings; models that read no text are unchanged."""
    if manifest.conditioning != TEXT:
        return manifest
    content = _content(str(manifest.settings.get(PROMPT_TEMPLATE, DEFAULT_TEMPLATE)))
    _parse(content, "the prompt template")
    return replace(manifest, settings={**manifest.settings, PROMPT_TEMPLATE: content})


def template_of(manifest: ModelManifest) -> PromptTemplate:
    """Return the template that a manifest names or holds; ours where it says nothing."""
    return _parse(_content(str(manifest.settings.get(PROMPT_TEMPLATE, DEFAULT_TEMPLATE))), "the prompt template")


def _content(chosen: str) -> str:
    """Return the text of a template given as its name, as a file, or as the text itself (which has lines)."""
    if "\n" in chosen:
        return chosen
    own = {path.stem: path for path in TEMPLATES.glob("*.toml")}
    path = own.get(chosen, absolute(chosen))
    if not path.is_file():
        raise Refusal(
            f"there is no prompt template {chosen!r}.",
            f"Name a file, or one of ours. {nearest(chosen, own)} docs/worldmodels.md shows what a file holds.",
        )
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise Refusal(f"{path} has {len(data)} bytes; a template has at most {MAX_BYTES}.", "Shorten it.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} is no text: {error}.", "Save it as UTF-8.") from error


def _parse(content: str, source: str) -> PromptTemplate:
    try:
        data = _TemplateFile.model_validate(parse_toml(content))
    except ValidationError as error:
        raise Refusal(f"{source}: {wrong_fields(error.errors())}.", "Fix the named fields.") from error
    except ValueError as error:
        raise Refusal(f"{source} is no TOML: {error}.", "Fix the file.") from error
    if data.template.count(f"{{{ACTIONS}}}") != 1:
        raise Refusal(f"{source} does not hold {{actions}} exactly once.", "Put it where the actions belong.")
    for name, words in data.actions.items():
        _check_words(name, words, source)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return PromptTemplate(data.name, data.version, data.template, data.separator, data.actions, sha256)


def _check_words(name: str, words: str, source: str) -> None:
    """Raise Refusal unless ``words`` holds known placeholders only."""
    known = {"magnitude", "x", "y", "z", "fingers"}
    try:
        used = {
            (field, kind, conversion)
            for _, field, kind, conversion in string.Formatter().parse(words)
            if field is not None
        }
    except ValueError as error:
        raise Refusal(f"{source}: actions.{name}: {error}.", "Write a brace of the text twice.") from error
    wrong = [field for field, kind, conversion in used if field not in known or kind or conversion]
    if wrong:
        raise Refusal(f"{source}: actions.{name} holds {{{wrong[0]}}}.", f"Known: {', '.join(sorted(known))}.")


def relative_poses(actions: Sequence[Action]) -> Tuple[Pose, ...]:
    """Return the body's pose after each action, relative to its pose before the first one.

    Metres, x right, y up, z back: a step ahead at yaw 0 leads along -z, and yaw counts left positive. These are
    commanded poses: whether a step was stopped by a wall is what nobody knows before it is taken. Vectors raise
    Refusal, since they do not move the camera.
    """
    _, *after = _walk(actions)
    return tuple(Pose((x, 0.0, z), yaw_to_quaternion(yaw_deg)) for x, z, yaw_deg in after)


def pose_before(actions: Sequence[Action], turned_deg: float = 0.0) -> Pose:
    """Return where the body stood before ``actions``, relative to where it stands after them and a further turn.

    The inverse of `relative_poses`: a step back is along +z. ``turned_deg`` is the further turn, left positive.
    """
    *_, (x, z, yaw_deg) = _walk(actions)
    yaw_deg += turned_deg
    sine, cosine = sincos(yaw_deg * (PI / 180.0))
    return Pose((z * sine - x * cosine, 0.0, -(x * sine + z * cosine)), yaw_to_quaternion(-yaw_deg))


def _walk(actions: Sequence[Action]) -> Iterator[Tuple[float, float, float]]:
    """Yield x and z in metres and the yaw in degrees, before the first action and after each."""
    x, z, yaw_deg = 0.0, 0.0, 0.0
    yield x, z, yaw_deg
    for action in actions:
        yaw_deg += signed_turn(action)
        ahead_m = _ahead(action)
        sine, cosine = sincos(yaw_deg * (PI / 180.0))
        x -= ahead_m * sine
        z -= ahead_m * cosine
        yield x, z, yaw_deg


def _ahead(action: Action) -> float:
    if isinstance(action, Primitive):
        if action.name == FORWARD:
            return action.magnitude
        if action.name == STOP or signed_turn(action):
            return 0.0
    raise Refusal(f"action {action} does not say how the camera moves.", "Use navigation primitives.")


CAMERA = "camera"
PLAN_ACTIONS = "plan_actions"
"""The setting of a model of fixed length: how many actions its plan always has (13 in the published convention)."""

ACTION_SPACE = "action_space"
"""The setting of a model that moves something else than the camera: ``ee_pose8`` is the gripper of a robot arm."""

DEPTH = "depth"
"""The setting of a model that needs the depth of the conditioning view."""

FRONT_PER_PANORAMA = 4
"""How many views of 90 degrees go round."""


@dataclass(frozen=True)
class Conditioning:
    """What goes into a request for a plan of actions, as one model's manifest asks.

    ``plan_actions`` is the length to which prompts are filled up with forwards (0: not at all), ``most_actions`` the
    longest candidate that the model can imagine (0: any).
    """

    template: Optional[PromptTemplate]
    poses: bool
    plan_actions: int
    most_actions: int

    def prompt(self, actions: Sequence[Action], space: ActionSpace) -> str:
        """Return the text for a model that reads one, else ""."""
        if self.template is None:
            return ""
        forward = next((primitive for primitive in space.primitives if primitive.name == FORWARD), None)
        missing = max(self.plan_actions - len(actions), 0) if forward is not None else 0
        return self.template.render([*actions, *[forward] * missing] if forward is not None else actions)

    def camera_poses(self, actions: Sequence[Action]) -> Tuple[Pose, ...]:
        """Return the camera's pose after each action for a model that is conditioned by them, else ()."""
        return relative_poses(actions) if self.poses else ()


def conditioning_of(manifest: ModelManifest) -> Conditioning:
    """Return the conditioning that a manifest asks for; a wrong template or setting raises Refusal at once."""
    plan_actions = manifest.settings.get(PLAN_ACTIONS, 0)
    if isinstance(plan_actions, bool) or not isinstance(plan_actions, int) or plan_actions < 0:
        raise Refusal(
            f"settings.{PLAN_ACTIONS} of {manifest.name!r} is {plan_actions!r}.", "Give a whole number, 0 for none."
        )
    template = template_of(manifest) if manifest.conditioning == TEXT else None
    return Conditioning(template, manifest.conditioning == CAMERA, plan_actions, plan_actions or manifest.frames)


def view_request(manifest: ModelManifest, rig: Rig, agent_camera: str) -> Optional[ViewRequest]:
    """Return which further view of the rig the model imagines from; None where it is the agent's own.

    A model gets the smallest panorama of the rig that is at least as large as it works at, so that a small agent's
    camera does not blur a large model's input; where none is, the largest, enlarged. Perspective models crop theirs
    out of it, a quarter of its columns being a crop of 90 degrees: an agent that looks ahead through a pinhole has
    turned on the spot, for real, to see where a candidate sets out.
    """
    own = rig.camera(agent_camera)
    depth = bool(manifest.settings.get(DEPTH, False))
    least = own.width if own.kind == EQUIRECT else FRONT_PER_PANORAMA * own.width
    wanted = manifest.width * (1 if manifest.view == "panorama" else FRONT_PER_PANORAMA) or least
    larger = [c for c in rig.cameras if c.kind == EQUIRECT and c.width > (own.width if own.kind == EQUIRECT else 0)]
    enough = [camera for camera in larger if camera.width >= wanted]
    chosen = own
    if larger and (wanted > own.width or own.kind != EQUIRECT):
        chosen = min(enough or larger, key=lambda camera: camera.width if enough else -camera.width)
    if chosen == own and not depth:
        return None
    return ViewRequest(chosen.name, depth=depth)
