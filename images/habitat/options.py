"""The options of the environment: what a suite or a user may choose, checked when the service starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, List, Mapping, Optional, Sequence

from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera, Rig
from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain

COMPUTED = "computed"
FROM_FILE = "file"


@dataclass(frozen=True)
class NavmeshSettings:
    """How the walkable area comes about.

    ``source`` is ``computed`` (from the scene's mesh with the values below) or ``file`` (the ``.navmesh`` beside the
    scene, whatever it was made with). Metres and degrees; ``region_*``, ``detail_sample_dist`` and
    ``detail_sample_max_error`` are in voxels. The simulator rounds height and radius up, and the climb down, to whole
    voxels; the mesh lies up to one ``cell_height`` above the floor, and the camera with it.
    """

    source: str = COMPUTED
    cell_size: float = 0.05
    cell_height: float = 0.02
    agent_height: float = 1.5
    agent_radius: float = 0.1
    agent_max_climb: float = 0.2
    agent_max_slope: float = 45.0
    region_min_size: float = 20.0
    region_merge_size: float = 20.0
    edge_max_len: float = 12.0
    edge_max_error: float = 1.3
    verts_per_poly: float = 6.0
    detail_sample_dist: float = 6.0
    detail_sample_max_error: float = 1.0
    filter_low_hanging_obstacles: bool = True
    filter_ledge_spans: bool = True
    filter_walkable_low_height_spans: bool = True

    def for_simulator(self) -> Dict[str, Any]:
        """Return the values by the simulator's own names."""
        values = asdict(self)
        del values["source"]
        return values


PUBLISHED_NAVMESH: Mapping[str, Any] = {"source": FROM_FILE, "agent_height": 1.0, "agent_radius": 0.1}
"""The walkable area that comes with the licensed scenes: for collection and evaluation alike."""


def navmesh_settings(values: Optional[Mapping[str, Any]]) -> NavmeshSettings:
    """Return settings from plain values; a value that does not exist or fit raises Refusal."""
    given = dict(values or {})
    kinds = {field.name: type(field.default) for field in fields(NavmeshSettings)}
    for name, value in given.items():
        if name not in kinds:
            raise Refusal(f"navmesh has no setting {name!r}.", f"Known: {', '.join(kinds)}.")
        if kinds[name] is float and type(value) is int:
            given[name] = float(value)
        elif type(value) is not kinds[name]:
            raise Refusal(f"navmesh setting {name} is {value!r}.", f"Give a {kinds[name].__name__}.")
    settings = NavmeshSettings(**given)
    if settings.source not in (COMPUTED, FROM_FILE):
        raise Refusal(f"navmesh source is {settings.source!r}.", f"Use {COMPUTED} or {FROM_FILE}.")
    return settings


def rig_from_plain(cameras: Sequence[Mapping[str, Any]]) -> Rig:
    """Return the rig that a suite describes, each camera as the fields of `Camera`."""
    made: List[Camera] = []
    for index, values in enumerate(cameras):
        try:
            camera = from_plain(Camera, values)
        except ValueError as error:
            raise Refusal(f"camera {index} of the rig: {error}.", "Give the fields of Camera.") from error
        _check_camera(camera)
        made.append(camera)
    names = [camera.name for camera in made]
    if not names or len(set(names)) != len(names):
        raise Refusal(f"the rig has the cameras {names}.", "Give at least one camera, each with a name of its own.")
    return Rig(tuple(made))


def _check_camera(camera: Camera) -> None:
    pinhole = camera.kind == PINHOLE and 0.0 < camera.hfov_deg < 175.0
    equirect = camera.kind == EQUIRECT and camera.hfov_deg == 360.0 and camera.pitch_deg == 0.0
    if not (pinhole or equirect) or camera.height < 1 or camera.width < 2:
        raise Refusal(
            f"{camera} is no camera that can be rendered.",
            "Give a pinhole below 175 degrees, or an equirect camera of 360 degrees and pitch 0.",
        )
