"""Is a test home somewhere in the training data? The nearest training frame of every test view, and what is normal.

    python -m tests.studies.nearest_train_frame data/DATASET [--homes 25] [--views 8]

Views of test homes (episode starts, as the recorded camera sees them) are compared with all frames of a training data
set as thumbnails. The same is done for frames of each training home against the frames of all *other* training homes:
that is how near strangers are. A test home that had leaked would have neighbours much nearer than strangers have;
neighbours in its own home are printed beside it, to show what a leak would look like.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.metrics import structural_similarity

from harness.collecting.dataset_reader import read_frames, read_rows
from harness.collecting.plan import CollectPlan, read_plan
from harness.contracts.cameras import quaternion_to_yaw
from harness.contracts.folders import cache_root
from harness.contracts.observations import RGB
from images.embedded.cache import HomeCache
from images.embedded.renderer import Renderer
from tasks.suite import load_suite
from tests.image_goals import goal_of

THUMBNAIL = (32, 32)
TIER = "easy"
GAP_CLIPS = 3
"""Frames of the same home count as neighbours from another place when they are so many clips apart."""

Vectors = npt.NDArray[np.float32]
Nearest = Tuple[float, float]


def thumbnail(rgb: RGB) -> Vectors:
    """Return a small picture as a vector of values in 0..255."""
    small = Image.fromarray(rgb).resize(THUMBNAIL, Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel()


def training_frames(folder: Path, plan: CollectPlan) -> Dict[str, List[Tuple[int, Vectors]]]:
    """Return (clip, thumbnail) of the first and the middle frame of every clip, by home."""
    rows = read_rows(folder, plan)
    found: Dict[str, List[Tuple[int, Vectors]]] = {}
    for unit in plan.units:
        mine = rows[unit.first_clip : unit.first_clip + unit.clips]
        for row, frames in read_frames(folder, plan, unit, mine):
            for frame in (frames[0], frames[len(frames) // 2]):
                found.setdefault(unit.scene, []).append((row["episode_index"], thumbnail(frame)))
    return found


def test_views(plan: CollectPlan, homes: int, views: int) -> Dict[str, List[Vectors]]:
    """Return thumbnails at starts and goals of test episodes, by home."""
    suite = load_suite(plan.suite)
    places: Dict[str, List[Tuple[Tuple[float, float, float], float]]] = {}
    for episode in suite.episodes(TIER, "test"):
        for pose in (episode.start, goal_of(episode).goal):
            places.setdefault(episode.scene, []).append((pose.position, quaternion_to_yaw(pose.rotation)))
    cache = HomeCache(cache_root())
    found = {}
    for home in list(places)[:homes]:
        renderer = Renderer(cache.load(home))
        shown = [renderer.render(plan.camera, position, yaw).rgb for position, yaw in places[home][:views]]
        found[home] = [thumbnail(rgb) for rgb in shown]
    return found


def nearest(view: Vectors, others: Vectors) -> Nearest:
    """Return (root mean square difference, SSIM) of the nearest of ``others`` [n, d]."""
    squares = ((others - view) ** 2).mean(axis=1)
    best = int(squares.argmin())
    shape = (*THUMBNAIL, 3)
    pair = (view.reshape(shape), others[best].reshape(shape))
    return float(np.sqrt(squares[best])), float(structural_similarity(*pair, channel_axis=2, data_range=255.0))


def describe(label: str, found: List[Nearest]) -> str:
    """Return a row of the table in docs/science.md."""
    values = np.array(found)
    low, fifth, middle = np.percentile(values[:, 0], (1, 5, 50))
    high = np.percentile(values[:, 1], (50, 95, 99))
    left = f"{values[:, 0].min():.1f} | {low:.1f} | {fifth:.1f} | {middle:.1f}"
    return f"| {label} | {len(found)} | {left} | {high[0]:.2f} | {high[1]:.2f} | {high[2]:.2f} |"


def main() -> None:
    """Print the audit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a training data set (layout lerobot or folders)")
    parser.add_argument("--homes", type=int, default=25, help="how many test homes")
    parser.add_argument("--views", type=int, default=8, help="how many views of each")
    chosen = parser.parse_args()
    plan = read_plan(chosen.data)
    train = training_frames(chosen.data, plan)
    everything = np.stack([vector for frames in train.values() for _, vector in frames])
    strangers: List[Nearest] = []
    family: List[Nearest] = []
    for home, frames in train.items():
        others = np.stack([vector for name, found in train.items() if name != home for _, vector in found])
        for clip, vector in frames[:: max(1, len(frames) // chosen.views)]:
            strangers.append(nearest(vector, others))
            own = [other for number, other in frames if abs(number - clip) >= GAP_CLIPS]
            if own:
                family.append(nearest(vector, np.stack(own)))
    views = test_views(plan, chosen.homes, chosen.views)
    tested = [nearest(view, everything) for found in views.values() for view in found]
    print(f"{len(everything)} frames of {len(train)} training homes; {len(views)} test homes")
    print("| views | n | least RMS | 1 % | 5 % | median | SSIM median | 95 % | 99 % |")
    print(describe("of test homes, nearest training frame", tested))
    print(describe("of training homes, nearest frame of another home", strangers))
    print(describe("of training homes, nearest frame of the same home", family))


if __name__ == "__main__":
    main()
