"""Do both collectors show the same? Frames that Habitat collected in embedded homes beside the embedded renderer's.

    python benchmark.py collect trial data/ 1 --suite embedded@habitat --clips 20 --scenes 2 --env-python PYTHON
    python -m tests.studies.collected_agreement data/trial

Every frame of the data set is drawn again by the embedded renderer at its pose. Prints the rows of the table in
docs/collecting.md: mean absolute difference (of 255) and SSIM, for the same pose and, as a measure of what matters,
for the poses of the clip before it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List, Tuple

import numpy as np
from skimage.metrics import structural_similarity

from harness.collecting.dataset_reader import read_clips, read_frames, read_rows
from harness.collecting.plan import read_plan
from harness.contracts.folders import cache_root
from harness.contracts.observations import RGB
from images.embedded.cache import HomeCache
from images.embedded.renderer import Renderer

Pair = Tuple[float, float]


def compare(first: RGB, second: RGB) -> Pair:
    """Return (mean absolute difference, SSIM)."""
    difference = float(np.abs(first.astype(np.int64) - second.astype(np.int64)).mean())
    return difference, float(structural_similarity(first, second, channel_axis=2))


def main() -> None:
    """Compare all frames of one data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data set that Habitat collected in embedded homes")
    folder = parser.parse_args().data
    plan = read_plan(folder)
    rows = read_rows(folder, plan)
    homes = HomeCache(cache_root())
    same: List[Pair] = []
    other: List[Pair] = []
    for unit in plan.units:
        mine = rows[unit.first_clip : unit.first_clip + unit.clips]
        renderer = Renderer(homes.load(unit.scene))
        before: List[RGB] = []
        clips = read_clips(folder, plan, unit, mine)
        for clip, (_, frames) in zip(clips, read_frames(folder, plan, unit, mine), strict=True):
            drawn: List[RGB] = []
            for pose, frame in zip(clip.poses, frames, strict=True):
                x, _, z, yaw = (float(value) for value in pose)
                drawn.append(renderer.render(plan.camera, (x, 0.0, z), yaw).rgb)
                same.append(compare(frame, drawn[-1]))
                if len(before) >= len(drawn):
                    other.append(compare(frame, before[len(drawn) - 1]))
            before = drawn
    print(f"{plan.simulator}, {plan.camera.name}: {len(same)} frames of {len(plan.scenes)} homes")
    for label, pairs in (("same pose", same), ("the clip before", other)):
        values = np.array(pairs)
        low, middle, high = np.percentile(values, (10, 50, 90), axis=0)
        text = " | ".join(f"{middle[i]:.3f} ({low[i]:.3f} to {high[i]:.3f})" for i in range(2))
        print(f"| {label} | {text} |")


if __name__ == "__main__":
    main()
