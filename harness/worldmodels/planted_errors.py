"""World models with known errors: the simulator's own imagination, made worse by settings.

``gtsim`` takes them from ``--set`` and from models of kind ``environment`` in a plugin.toml. Their losses of success
are the unit in which a benchmark's resolution, and other models' errors, can be told.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.actions import Candidate, signed_turn
from harness.contracts.errors import Refusal
from harness.contracts.handling_errors import NO_HANDLING_ERROR, HandlingError
from harness.contracts.manifests import ENVIRONMENT, ModelManifest, Setting
from harness.contracts.motion_errors import NO_ERROR, MotionError
from harness.contracts.names import nearest
from harness.contracts.observations import RGB, View
from harness.wire.sdk import PlantedError
from harness.worldmodels.image_errors import blur, coarse, mirrored, pitched, stretched, turn_hue, with_ghost


@dataclass(frozen=True)
class AnswerError:
    """What is wrong with the order of answers.

    ``frozen``: after the first forward the imagined view stands still, whatever is walked or turned. ``swapped``: every
    request is answered with the views of the next one that is asked together with it (the last with those of the
    first), so that one alone is answered rightly.
    """

    frozen: bool = False
    swapped: bool = False

    def asked(self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]) -> List[Tuple[int, ...]]:
        """Return the frames that have to be imagined so that the wanted ones can be answered."""
        if not self.frozen:
            return [tuple(wanted) for wanted in frames]
        return [
            tuple(sorted({min(frame, _first_move(candidate)) for frame in wanted}))
            for candidate, wanted in zip(candidates, frames, strict=True)
        ]

    def answered(
        self,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        imagined: Sequence[Mapping[int, View]],
    ) -> List[Mapping[int, View]]:
        """Return the views of the wanted frames out of those that were `asked` for."""
        answers: List[Mapping[int, View]] = [dict(views) for views in imagined]
        if self.frozen:
            answers = [
                {frame: views[min(frame, _first_move(candidate))] for frame in wanted}
                for candidate, wanted, views in zip(candidates, frames, imagined, strict=True)
            ]
        return _swapped(answers) if self.swapped else answers


NO_ANSWER_ERROR = AnswerError()


def _first_move(candidate: Candidate) -> int:
    """Return after how many actions the first one that is no turn is done; all of them where there is none."""
    for number, action in enumerate(candidate.actions, start=1):
        if signed_turn(action) == 0.0:
            return number
    return len(candidate)


def _swapped(answers: Sequence[Mapping[int, View]]) -> List[Mapping[int, View]]:
    """Return each request's frames with the views of the next request: the first for the first, the last from then on
    where it has fewer."""
    swapped: List[Mapping[int, View]] = []
    for number, answer in enumerate(answers):
        others = answers[(number + 1) % len(answers)]
        views = [others[frame] for frame in sorted(others)]
        swapped.append({frame: views[min(at, len(views) - 1)] for at, frame in enumerate(sorted(answer))})
    return swapped


MAX_BLUR_PX = 16.0
MAX_PITCH_DEG = 30.0
LEAST_RESOLUTION = 1.0 / 64.0
MAX_STRETCH = 2.0


@dataclass(frozen=True)
class ImageError:
    """What is wrong with imagined images; the defaults are nothing.

    ``blur_px``: a Gaussian blur of this standard deviation in pixels. ``hue_deg``: a turn of all hues. ``pitch_deg``:
    every heading is seen as by a camera that looks up by so much. ``resolution``: the part of height and width that the
    images are made at. ``row_stretch``: how many times too far from the horizon everything is seen, in rows.
    ``mirrored``: the part of the columns, from the right, that is mirrored in its place. ``ghost_box``: the side, as a
    part of the height, of a box straight ahead that is not there.
    """

    blur_px: float = 0.0
    hue_deg: float = 0.0
    pitch_deg: float = 0.0
    resolution: float = 1.0
    row_stretch: float = 1.0
    mirrored: float = 0.0
    ghost_box: float = 0.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("blur_px", self.blur_px, 0.0, MAX_BLUR_PX),
            ("hue_deg", self.hue_deg, -180.0, 180.0),
            ("pitch_deg", self.pitch_deg, -MAX_PITCH_DEG, MAX_PITCH_DEG),
            ("resolution", self.resolution, LEAST_RESOLUTION, 1.0),
            ("row_stretch", self.row_stretch, 1.0 / MAX_STRETCH, MAX_STRETCH),
            ("mirrored", self.mirrored, 0.0, 1.0),
            ("ghost_box", self.ghost_box, 0.0, 1.0),
        ):
            if not low <= value <= high:
                raise Refusal(f"{name} {value:g} is not in {low:g}..{high:g}.", "Choose a value in this range.")

    def applied(self, view: View) -> View:
        """Return the view with this error: what is there, then where it is seen, its colours, and how sharply."""
        rgb = self._moved(view)
        rgb = rgb if self.hue_deg == 0.0 else turn_hue(rgb, self.hue_deg)
        rgb = rgb if self.blur_px == 0.0 else blur(View(view.camera, rgb), self.blur_px)
        return view if rgb is view.rgb else replace(view, rgb=rgb)

    def _moved(self, view: View) -> RGB:
        rgb = view.rgb if self.ghost_box == 0.0 else with_ghost(view.rgb, self.ghost_box)
        rgb = rgb if self.mirrored == 0.0 else mirrored(rgb, self.mirrored)
        rgb = rgb if self.pitch_deg == 0.0 else pitched(View(view.camera, rgb), self.pitch_deg)
        rgb = rgb if self.row_stretch == 1.0 else stretched(rgb, self.row_stretch)
        return rgb if self.resolution == 1.0 else coarse(rgb, self.resolution)


@dataclass(frozen=True)
class PlantedErrors:
    """All that is wrong with a simulator's imagination; the defaults are nothing.

    A body either walks or is a hand, so that there is an error of motion or one of handling: Refusal for both.
    """

    motion: MotionError = NO_ERROR
    image: ImageError = ImageError()
    answers: AnswerError = NO_ANSWER_ERROR
    handling: HandlingError = NO_HANDLING_ERROR

    def __post_init__(self) -> None:
        if self.motion != NO_ERROR and self.handling != NO_HANDLING_ERROR:
            raise Refusal("errors of motion and of handling are planted together.", "Plant one of them.")

    @property
    def world(self) -> Optional[PlantedError]:
        """Return what the environment itself has to get wrong, None for nothing."""
        if self.motion != NO_ERROR:
            return self.motion
        return None if self.handling == NO_HANDLING_ERROR else self.handling


NOTHING = PlantedErrors()


def own_settings() -> Dict[str, Setting]:
    """Return every setting of a model of kind ``environment`` with its default."""
    parts = (NOTHING.motion, NOTHING.image, NOTHING.answers, NOTHING.handling)
    return {field.name: getattr(part, field.name) for part in parts for field in fields(part)}


def planted_errors(manifest: ModelManifest) -> PlantedErrors:
    """Return the errors that the settings of a model of kind ``environment`` plant; Refusal for unknown settings."""
    if manifest.kind != ENVIRONMENT:
        return NOTHING
    known = own_settings()
    for name, value in manifest.settings.items():
        if name not in known:
            raise Refusal(f"world model {manifest.name!r} has no setting {name!r}.", nearest(name, known))
        if not _fits(value, known[name]):
            raise Refusal(
                f"setting {name} of world model {manifest.name!r} is {value!r}.", f"It is like {known[name]!r}."
            )
    return PlantedErrors(
        MotionError(**_chosen(manifest.settings, MotionError)),  # type: ignore[arg-type]
        ImageError(**_chosen(manifest.settings, ImageError)),  # type: ignore[arg-type]
        AnswerError(**_chosen(manifest.settings, AnswerError)),  # type: ignore[arg-type]
        HandlingError(**_chosen(manifest.settings, HandlingError)),  # type: ignore[arg-type]
    )


def _fits(value: Setting, like: Setting) -> bool:
    if isinstance(like, bool):
        return isinstance(value, bool)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _chosen(settings: Mapping[str, Setting], part: type) -> Dict[str, Setting]:
    return {field.name: settings[field.name] for field in fields(part) if field.name in settings}
