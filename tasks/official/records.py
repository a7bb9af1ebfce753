"""The items of the published episode files: active recognition, image-goal navigation, embodied questions.

Frozen and typed. A field that the published readers do not use may be absent or unknown here as well; a field that is
used must be right, because a wrong one would play another episode than the one that was published.
"""

from __future__ import annotations

from typing import Annotated, Any, Dict, Literal, Mapping, Optional, Tuple, Union, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

UNIT_TOLERANCE = 1e-3
"""How far a quaternion's length may be from 1: the files hold rounded decimals."""

_UPRIGHT_TOLERANCE = 1e-3

ARClass = Literal[
    "appliances", "bathtub", "bed", "cabinet", "chair", "chest_of_drawers", "clothes", "counter", "curtain",
    "cushion", "door", "fireplace", "furniture", "gym_equipment", "mirror", "picture", "plant", "seating", "shower",
    "sink", "sofa", "stool", "table", "toilet", "towel", "tv_monitor", "window",
]  # fmt: skip

AEQACategory = Literal[
    "object localization", "attribute recognition", "world knowledge", "object state", "object recognition",
    "spatial understanding", "functional reasoning",
]  # fmt: skip

AR_CLASSES: Tuple[str, ...] = get_args(ARClass)
AEQA_CATEGORIES: Tuple[str, ...] = get_args(AEQACategory)
DIFFICULTIES = ("easy", "moderate", "hard")
"""What 0, 1 and 2 stand for in the field ``difficulty``."""

_MISSPELT, _CORRECT = "target_categrory", "target_category"


def _unit_quaternion(value: Tuple[float, float, float, float]) -> Tuple[float, float, float, float]:
    """Refuse what is no rotation, and what is one in the order x, y, z, w.

    A body stands upright, so x and z are 0 in the order w, x, y, z; where w and y are 0 instead, the order is wrong.
    """
    w, x, y, z = value
    length = (w * w + x * x + y * y + z * z) ** 0.5
    if abs(length - 1.0) > UNIT_TOLERANCE:
        raise ValueError(f"expected a unit quaternion w, x, y, z; its length is {length:.4f}")
    if max(abs(w), abs(y)) < _UPRIGHT_TOLERANCE:
        raise ValueError("expected the order w, x, y, z; this looks like x, y, z, w")
    return value


def _relative_path(value: str) -> str:
    parts = value.replace("\\", "/").split("/")
    if value.startswith(("/", "~")) or ".." in parts or "\0" in value:
        raise ValueError("expected a relative path that stays in its folder")
    return value


def _not_a_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number, found true or false")
    return value


Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Coordinate = Annotated[
    float, BeforeValidator(_not_a_truth_value), Field(strict=True, allow_inf_nan=False, ge=-1e4, le=1e4)
]
Position = Tuple[Coordinate, Coordinate, Coordinate]
Rotation = Annotated[Tuple[Coordinate, Coordinate, Coordinate, Coordinate], AfterValidator(_unit_quaternion)]
RelativePath = Annotated[Text, AfterValidator(_relative_path)]
Number = Annotated[int, Field(strict=True, ge=0, le=10**9)]


class _Item(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ARItem(_Item):
    """One episode of active recognition: which object is classified, and where the agent starts.

    Positions are metres, y up; rotations w, x, y, z. The published files misspell ``target_category``; both spellings
    are read.
    """

    scene_id: RelativePath
    episode_id: Number
    target_id: Union[Number, Text]
    target_category: ARClass
    difficulty: Literal[0, 1, 2]
    start_position: Position
    start_rotation: Rotation

    @model_validator(mode="before")
    @classmethod
    def _read_both_spellings(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or _MISSPELT not in data:
            return data
        if data.get(_CORRECT, data[_MISSPELT]) != data[_MISSPELT]:
            raise ValueError(f"{_MISSPELT} is {data[_MISSPELT]!r}, {_CORRECT} is {data[_CORRECT]!r}: expected one")
        return {**data, _CORRECT: data[_MISSPELT]}

    @model_validator(mode="after")
    def _scene_is_known(self) -> ARItem:
        if "mp3d" not in self.scene_id:
            raise ValueError(f"scene_id is {self.scene_id!r}: expected a path that contains 'mp3d'")
        return self

    @property
    def key(self) -> Tuple[str, int]:
        """What no other item may share."""
        return (self.scene_id, self.episode_id)


class IGNavItem(_Item):
    """One episode of image-goal navigation. ``step_to_goal`` counts the actions of a shortest way (turns included).

    ``goal_rot_diff`` is read and not used, as in the published evaluation.
    """

    datum_id: RelativePath
    episode_id: Number
    scene_relpath: RelativePath
    goal_image_relpath: RelativePath
    goal_image_png_bytes: None = None
    start_position: Position
    start_rotation: Rotation
    goal_position: Position
    goal_rotation: Rotation
    goal_radius: Annotated[Coordinate, Field(gt=0.0, le=10.0)]
    goal_rot_diff: Optional[Coordinate] = None
    step_to_goal: Annotated[int, Field(strict=True, ge=1, le=100_000)]

    @property
    def key(self) -> str:
        """What no other item may share."""
        return self.datum_id


class AEQAItem(_Item):
    """One question about a home. ``hfov`` is the file's own; the published solver uses 105 degrees instead."""

    question: Text
    answer: Text
    category: AEQACategory
    question_id: Text
    episode_history: RelativePath
    extra_answers: Optional[Tuple[Text, ...]] = None
    scene_id: RelativePath
    hfov: Annotated[Coordinate, Field(gt=0.0, lt=180.0)]
    start_position: Position
    start_rotation: Rotation

    @property
    def key(self) -> str:
        """What no other item may share."""
        return self.question_id


OfficialItem = Union[ARItem, IGNavItem, AEQAItem]


class ARContainer(_Item):
    """The outer object of the active-recognition file."""

    episodes: Tuple[Dict[str, Any], ...] = Field(min_length=1)


class IGNavMeta(_Item):
    """Where the image-goal file was made."""

    original_hm3d_root: str
    img_zip_filename: RelativePath


class IGNavContainer(_Item):
    """The outer object of the image-goal file."""

    version: Literal["1.1"]
    num_items: Number
    meta: IGNavMeta
    data: Tuple[Dict[str, Any], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _count_is_right(self) -> IGNavContainer:
        if self.num_items != len(self.data):
            raise ValueError(f"num_items is {self.num_items}, expected {len(self.data)}, the number of items in data")
        return self
