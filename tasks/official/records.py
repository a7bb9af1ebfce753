"""The items of the published episode files: active recognition, image-goal navigation, embodied questions.

Frozen and typed. A field that the published readers do not use may be absent or unknown here as well; a field that is
used must be right, because a wrong one would play another episode than the one that was published.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Mapping, Optional, Tuple, Union, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

Four = Tuple[float, float, float, float]

UNIT_TOLERANCE = 1e-3
"""How far a quaternion's length may be from 1 and still be taken as it is: the files hold rounded decimals."""

ROUNDED_TOLERANCE = 0.02
"""How far it may be from 1 where decimals were rounded to two places; such a rotation is given the length 1."""

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


NOTES = "notes"
"""Under this name a reader gives a list in the validation's context: what was read in another form goes there."""


def _read_as(info: ValidationInfo, found: Any, value: Any) -> Any:
    if info.context is not None:
        info.context[NOTES].append(f"{info.field_name} {found!r} as {value!r}")
    return value


def _unit_quaternion(value: Four, info: ValidationInfo) -> Four:
    """Refuse what is no rotation, and what is one in the order x, y, z, w; give rounded decimals the length 1.

    A body stands upright, so x and z are 0 in the order w, x, y, z; where w and y are 0 instead, the order is wrong.
    """
    w, x, y, z = value
    length = (w * w + x * x + y * y + z * z) ** 0.5
    if abs(length - 1.0) > ROUNDED_TOLERANCE:
        raise ValueError(f"expected a unit quaternion w, x, y, z; its length is {length:.4f}")
    if _reversed(value):
        raise ValueError("expected the order w, x, y, z; this looks like x, y, z, w")
    if abs(length - 1.0) <= UNIT_TOLERANCE:
        return value
    exact: Four = (w / length, x / length, y / length, z / length)
    _read_as(info, list(value), [round(part, 6) for part in exact])
    return exact


def _in_our_order(value: Four, info: ValidationInfo) -> Four:
    """Return a rotation in the order w, x, y, z also where it is in the other one: of a body both cannot be meant."""
    if not _reversed(value):
        return value
    x, y, z, w = value
    _read_as(info, list(value), [w, x, y, z])
    return (w, x, y, z)


def _reversed(value: Four) -> bool:
    return max(abs(value[0]), abs(value[2])) < _UPRIGHT_TOLERANCE


def _relative_path(value: str) -> str:
    parts = value.replace("\\", "/").split("/")
    if value.startswith(("/", "~")) or ".." in parts or "\0" in value:
        raise ValueError("expected a relative path that stays in its folder")
    return value


def _whole(value: Any, info: ValidationInfo) -> Any:
    """Return a whole number that is written as ``7.0`` or ``"7"`` as 7; anything else as it is, to be refused."""
    value = _not_a_truth_value(value)
    if isinstance(value, float) and value.is_integer():
        return _read_as(info, value, int(value))
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return _read_as(info, value, int(value))
    return value


def _text_of_number(value: Any, info: ValidationInfo) -> Any:
    """Return an id that is written as a number as text; anything else as it is."""
    if isinstance(value, float) and value.is_integer():
        return _read_as(info, value, str(int(value)))
    if isinstance(value, int) and not isinstance(value, bool):
        return _read_as(info, value, str(value))
    return value


def _text_of_version(value: Any, info: ValidationInfo) -> Any:
    return _read_as(info, value, repr(value)) if isinstance(value, float) else value


def _not_a_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number, found true or false")
    return value


Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Coordinate = Annotated[
    float, BeforeValidator(_not_a_truth_value), Field(strict=True, allow_inf_nan=False, ge=-1e4, le=1e4)
]
Position = Tuple[Coordinate, Coordinate, Coordinate]
_Rotation = Tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Rotation = Annotated[_Rotation, AfterValidator(_unit_quaternion)]
GoalRotation = Annotated[_Rotation, AfterValidator(_in_our_order), AfterValidator(_unit_quaternion)]
"""The published evaluation uses no rotation of a goal, so nobody noticed its order."""

RelativePath = Annotated[Text, AfterValidator(_relative_path)]
TextId = Annotated[Text, BeforeValidator(_text_of_number)]
PathId = Annotated[RelativePath, BeforeValidator(_text_of_number)]
Number = Annotated[int, BeforeValidator(_whole), Field(strict=True, ge=0, le=10**9)]


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
    difficulty: Annotated[Literal[0, 1, 2], BeforeValidator(_whole)]
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

    datum_id: PathId
    episode_id: Number
    scene_relpath: RelativePath
    goal_image_relpath: RelativePath
    goal_image_png_bytes: None = None
    start_position: Position
    start_rotation: Rotation
    goal_position: Position
    goal_rotation: GoalRotation
    goal_radius: Annotated[Coordinate, Field(gt=0.0, le=10.0)]
    goal_rot_diff: Optional[Coordinate] = None
    step_to_goal: Annotated[int, BeforeValidator(_whole), Field(strict=True, ge=1, le=100_000)]

    @property
    def key(self) -> str:
        """What no other item may share."""
        return self.datum_id


class AEQAItem(_Item):
    """One question about a home. ``hfov`` is the file's own; the published solver uses 105 degrees instead."""

    question: Text
    answer: Text
    category: AEQACategory
    question_id: TextId
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

    episodes: Tuple[Any, ...] = Field(min_length=1)


class IGNavMeta(_Item):
    """Where the image-goal file was made."""

    original_hm3d_root: str
    img_zip_filename: RelativePath


class IGNavContainer(_Item):
    """The outer object of the image-goal file."""

    version: Annotated[Literal["1.1"], BeforeValidator(_text_of_version)]
    num_items: Number
    meta: IGNavMeta
    data: Tuple[Any, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _count_is_right(self) -> IGNavContainer:
        if self.num_items != len(self.data):
            raise ValueError(f"num_items is {self.num_items}, expected {len(self.data)}, the number of items in data")
        return self
