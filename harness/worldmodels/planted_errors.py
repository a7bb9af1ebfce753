"""World models with known errors: the simulator's own imagination, made worse by settings.

``gtsim`` takes them from ``--set`` and from models of kind ``environment`` in a plugin.toml. Their losses of success
are the unit in which a benchmark's resolution, and other models' errors, can be told.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Dict, Mapping

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ENVIRONMENT, ModelManifest, Setting
from harness.contracts.motion_errors import NO_ERROR, MotionError
from harness.contracts.names import nearest
from harness.contracts.observations import View
from harness.worldmodels.image_errors import blur, turn_hue

MAX_BLUR_PX = 16.0


@dataclass(frozen=True)
class ImageError:
    """What is wrong with imagined images: a Gaussian blur (standard deviation in pixels) and a turn of all hues."""

    blur_px: float = 0.0
    hue_deg: float = 0.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("blur_px", self.blur_px, 0.0, MAX_BLUR_PX),
            ("hue_deg", self.hue_deg, -180.0, 180.0),
        ):
            if not low <= value <= high:
                raise Refusal(f"{name} {value:g} is not in {low:g}..{high:g}.", "Choose a value in this range.")

    def applied(self, view: View) -> View:
        """Return the view with this error, its colours turned before it is blurred."""
        rgb = view.rgb if self.hue_deg == 0.0 else turn_hue(view.rgb, self.hue_deg)
        rgb = rgb if self.blur_px == 0.0 else blur(View(view.camera, rgb), self.blur_px)
        return view if rgb is view.rgb else replace(view, rgb=rgb)


@dataclass(frozen=True)
class PlantedErrors:
    """All that is wrong with a simulator's imagination; the defaults are nothing."""

    motion: MotionError = NO_ERROR
    image: ImageError = ImageError()


NOTHING = PlantedErrors()


def own_settings() -> Dict[str, Setting]:
    """Return every setting of a model of kind ``environment`` with its default."""
    parts = (NOTHING.motion, NOTHING.image)
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
    )


def _fits(value: Setting, like: Setting) -> bool:
    if isinstance(like, bool):
        return isinstance(value, bool)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _chosen(settings: Mapping[str, Setting], part: type) -> Dict[str, Setting]:
    return {field.name: settings[field.name] for field in fields(part) if field.name in settings}
