"""What a page shows of episodes: their rows, maps and pictures, and which of them it holds itself.

A report is first read from one file, sent by mail or opened over a slow link; pictures of a thousand episodes would
make that 200 MB. So the first episodes carry theirs inside, the others load from ``episodes/`` when opened, and the
file never grows past its limit. Top-down maps are vector shapes: small enough to embed a hundred of them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from harness.contracts.actions import DISCRETE7, Action, Vector
from harness.contracts.cameras import Pose, quaternion_to_yaw
from harness.contracts.episodes import Episode
from harness.contracts.policies import ProposalRecord
from harness.contracts.results import PLAYED, DecisionRecord
from harness.contracts.trajectories import Trajectory
from harness.records.episode_files import GOAL, MAP, MapInfo, read_episode, read_picture
from harness.records.folder import RunFolder
from harness.records.identity import EpisodeKey
from harness.records.journal import JournalRow
from harness.records.pictures import MAX_PIXELS, is_small_jpeg, shown_steps
from harness.records.proposals import read_proposals

Run = Tuple[int, int]


@dataclass(frozen=True)
class MapShape:
    """The walkable area as an SVG path in cells; ``origin`` (x, z) of its corner and ``cell_m`` place it in metres."""

    path: str
    origin: Tuple[float, float]
    cell_m: float
    rows: int
    columns: int

    def plain(self) -> Dict[str, Any]:
        """Return the JSON form that the report's script draws."""
        return {
            "path": self.path,
            "x": self.origin[0],
            "z": self.origin[1],
            "cell": self.cell_m,
            "rows": self.rows,
            "columns": self.columns,
        }


MAX_EDGES = 200_000
"""More changes between walkable and not than any building has: such a map would take minutes to draw."""


def map_shape(png: bytes, info: MapInfo) -> Optional[MapShape]:
    """Return the shape of a one-bit map PNG (white: walkable); None where it is not the map that ``info`` describes.

    Its size is compared before it is decoded: half a megabyte of PNG can hold a gigabyte of one colour.
    """
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.size != (info.columns, info.rows) or image.width * image.height > MAX_PIXELS:
                return None
            walkable = np.asarray(image.convert("L")) > 127
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if np.count_nonzero(np.diff(walkable, axis=1)) > MAX_EDGES:
        return None
    return MapShape(rectangles_path(walkable), info.origin, info.cell_m, info.rows, info.columns)


def rectangles_path(walkable: npt.NDArray[np.bool_]) -> str:
    """Return an SVG path of rectangles that cover exactly the true cells of [rows, columns].

    Runs of a row that continue unchanged in the next row become one rectangle: rooms are rectangles, so a home of
    200 x 200 cells takes a few kilobytes.
    """
    pieces: List[str] = []
    open_since: Dict[Run, int] = {}
    for row in range(walkable.shape[0] + 1):
        runs = set(_runs(walkable[row])) if row < walkable.shape[0] else set()
        for run in sorted(set(open_since) - runs):
            start = open_since.pop(run)
            width = run[1] - run[0]
            pieces.append(f"M{run[0]} {start}h{width}v{row - start}h-{width}z")
        for run in runs - set(open_since):
            open_since[run] = row
    return "".join(pieces)


def _runs(cells: npt.NDArray[np.bool_]) -> List[Run]:
    """Return (start, end) of each run of true cells; ``end`` is exclusive."""
    edges = np.flatnonzero(np.diff(cells.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


MOST_TEXT = 500
"""Characters of a payload's text that are shown."""

POSITION_DIGITS = 2
UPRIGHT = 1e-6
"""A rotation about y has no more of x and z than this."""

SCORE_DIGITS = 4
GAP_DIGITS = 3


class EpisodeReader:
    """Reads each episode's file once, for scoring (its trajectory) and for the page (its details, its map).

    Reading and verifying a trajectory is most of the cost of a report, so what scoring has read is kept as the few
    kilobytes that the page needs. Each map is kept once: the episodes of a home share theirs. Rows that are
    ``damaged`` (by the names of their folders) show nothing.
    """

    def __init__(self, folder: RunFolder, damaged: Collection[str] = ()) -> None:
        self._folder = folder
        self._damaged = frozenset(damaged)
        self._specified = {episode.id: episode for episode in folder.identity.episodes}
        self._details: Dict[EpisodeKey, Dict[str, Any]] = {}
        self._map_index: Dict[str, int] = {}  # -1 for what is no map
        self._maps: List[MapShape] = []

    @property
    def maps(self) -> Tuple[MapShape, ...]:
        """Return the maps seen so far, in the order of their indices."""
        return tuple(self._maps)

    def trajectory(self, row: JournalRow) -> Optional[Trajectory]:
        """Return a played episode's trajectory; None where it was not played or its folder was removed.

        Raises RecordError where the file is damaged.
        """
        path = self._folder.episode_folder(row.key)
        if row.result.state not in PLAYED or row.key.folder_name in self._damaged or not path.is_dir():
            return None
        record = read_episode(path)
        proposed = read_proposals(path) if self._folder.identity.proposer else None
        details = trajectory_details(record.trajectory, self._specified[row.key.episode], proposed)
        self._details[row.key] = {**details, "map": self._map(path / MAP, record.map)}
        return record.trajectory

    def details(self, row: JournalRow) -> Optional[Dict[str, Any]]:
        """Return what the page draws of an episode, with the index of its map (-1: none); None as above."""
        if row.key not in self._details:
            self.trajectory(row)
        return self._details.get(row.key)

    def _map(self, path: Path, info: Optional[MapInfo]) -> int:
        png = read_picture(path.parent, path.name)
        if png is None or info is None:
            return -1
        name = hashlib.sha256(png + repr(info).encode()).hexdigest()
        if name not in self._map_index:
            shape = map_shape(png, info)
            self._map_index[name] = -1 if shape is None else len(self._maps)
            self._maps += [] if shape is None else [shape]
        return self._map_index[name]


def trajectory_details(
    trajectory: Trajectory, episode: Episode, proposed: Optional[Sequence[ProposalRecord]] = None
) -> Dict[str, Any]:
    """Return what the report draws of a trajectory: poses as [x, z, yaw] in metres and degrees, decisions in order.

    Plans are called what the episode calls them; where a policy ``proposed``, what that says of its own. Numbers are
    rounded to what a reader can see; the exact ones are in ``trajectory.json``.
    """
    said = {record.decision: record.plans for record in proposed or ()}

    def named(decision: int) -> List[str]:
        if proposed is None:
            return _named_plans(episode)
        return [_text(plan.words) or f"plan {number}" for number, plan in enumerate(said.get(decision, ()))]

    after = [d.distance_m for d in trajectory.decisions[1:]] + [trajectory.final_distance_m]
    return {
        "stopped": trajectory.stopped,
        "start": _placed(trajectory.start),
        **_asked(episode),
        "words": _text(episode.payload.get("words")),
        "decisions": [_decision(d, a, named(d.index)) for d, a in zip(trajectory.decisions, after)],
    }


def _asked(episode: Episode) -> Dict[str, Any]:
    """Return the place that an episode asks for, where its task's payload has one."""
    if "goal" not in episode.payload:
        return {"goal": None, "geodesic": None}
    return {
        "goal": [*_placed(Pose.of(episode.payload["goal"])), episode.payload["radius_m"]],
        "geodesic": round(episode.payload["geodesic_m"], POSITION_DIGITS),
    }


def _named_plans(episode: Episode) -> List[str]:
    """Return what the plans that a task's payload holds are called, none where it has no such plans."""
    plans = episode.payload.get("plans")
    if not isinstance(plans, (list, tuple)) or not all(isinstance(plan, dict) for plan in plans):
        return []
    return [f"{_text(plan.get('mistake'))}{_sized(plan.get('size_cm'))}" for plan in plans]


def _sized(size_cm: Any) -> str:
    return f" {size_cm} cm" if isinstance(size_cm, int) and size_cm else ""


def _text(value: Any) -> str:
    return value[:MOST_TEXT] if isinstance(value, str) else ""


def _in_words(action: Action) -> str:
    """Return what a pose of a hand says, "" for other actions."""
    if not isinstance(action, Vector):
        return ""
    if action.space != DISCRETE7 or len(action.values) != 7:
        return " ".join(f"{value:g}" for value in action.values)
    x, y, z, _, _, yaw, fingers = (f"{value:g}" for value in action.values)
    return f"to {x} {y} {z}, turned {yaw}, {'open' if fingers == '1' else 'closed'}"


def _decision(decision: DecisionRecord, distance_after: float, plans: List[str]) -> Dict[str, Any]:
    names = sorted({name for step in decision.steps for name in step.gap})
    return {
        "candidates": decision.candidates,
        "chosen": decision.chosen,
        "scores": [round(score, SCORE_DIGITS) for score in decision.scores],
        "stay": round(decision.stay_score, SCORE_DIGITS),
        "before": round(decision.distance_m, POSITION_DIGITS),
        "after": round(distance_after, POSITION_DIGITS),
        "rollouts": decision.rollouts,
        "plans": plans if len(plans) == decision.ends else [],
        "words": [words for words in (_in_words(step.action) for step in decision.steps) if words],
        "shown": list(shown_steps(len(decision.steps))),
        "steps": [[*_placed(step.pose), int(step.collided)] for step in decision.steps],
        "gap": {
            name: [round(step.gap[name], GAP_DIGITS) if name in step.gap else None for step in decision.steps]
            for name in names
        },
    }


def _placed(pose: Pose) -> List[float]:
    """Return x, z and the heading, which is 0 for what does not stand upright, such as a robot's hand."""
    x, _, z = pose.position
    _, i, _, k = pose.rotation
    heading = quaternion_to_yaw(pose.rotation) if abs(i) < UPRIGHT and abs(k) < UPRIGHT else 0.0
    return [round(x, POSITION_DIGITS), round(z, POSITION_DIGITS), round(heading, 1)]


LIMIT_BYTES = 20_000_000
"""The largest report, whatever the run."""

PICTURE_BYTES = 12_000_000
DETAIL_BYTES = 5_000_000
MAP_BYTES = 1_000_000
ROW_BYTES = 1_500_000
"""Shares of the limit; they leave half a megabyte to the page, its style and its script."""


@dataclass(frozen=True)
class EmbeddedJson:
    """JSON that is safe inside a script element: no character of it can end the element."""

    text: Markup

    def __len__(self) -> int:
        return len(self.text.encode())


def embedded_json(value: Any) -> EmbeddedJson:
    """Return ``value`` as JSON for a script element: ``<``, ``>`` and ``&`` are written as escapes."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return EmbeddedJson(Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")))


def decision_picture(index: int) -> str:
    """Return the file name of a decision's strip."""
    return f"decision-{index:02d}.jpg"


def embedded_pictures(episodes: Iterable[Tuple[str, Path, int]], budget: int) -> Dict[str, str]:
    """Return data URIs by ``folder name/file name``, whole episodes in order until ``budget`` bytes are used.

    ``episodes`` gives folder name, folder and number of decisions. A file that is missing, that leads out of its folder
    or that is no small JPEG is passed over: the page then says that it is missing.
    """
    chosen: Dict[str, str] = {}
    used = 0
    for name, folder, decisions in episodes:
        files = [GOAL, *(decision_picture(index) for index in range(decisions))]
        pictures = ((f"{name}/{file}", read_picture(folder, file)) for file in files)
        found = {key: _data_uri(data) for key, data in pictures if data is not None and is_small_jpeg(data)}
        size = sum(len(key) + len(uri) + 6 for key, uri in found.items())
        if used + size > budget:
            break
        chosen.update(found)
        used += size
    return chosen


def within(items: Iterable[Tuple[str, Any]], budget: int) -> Dict[str, Any]:
    """Return the first items whose JSON fits into ``budget`` bytes together."""
    kept: Dict[str, Any] = {}
    used = 0
    for key, value in items:
        used += len(embedded_json({key: value}))
        if used > budget:
            break
        kept[key] = value
    return kept


def _data_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
