"""The best constant depth of `warp` on training homes: ``python -m harness.studies.constant_depth --scenes 8``.

`warp` takes the world for a sphere around the camera. Its fair form has the radius whose frames come nearest to real
ones: the least mean absolute colour error after each step of straight walks from random places and headings, walls met
on the way included. Homes of the training split alone are looked at, and equal arguments give equal numbers.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts import seeds
from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.folders import cache_root
from harness.contracts.rollouts import RolloutRequest
from harness.studies.markdown_sections import columns
from harness.worldmodels.catalog import load_catalog
from images.embedded.cache import HomeCache
from images.embedded.cameras import HEADINGS
from images.embedded.environment import RIG, SceneViews, make_scene
from images.embedded.motion import Body
from wm_plugins.reference.warp_model import Warp

CAMERA = RIG.camera("pano")
FORWARDS = 8
"""Steps of a walk: the longest straight leg that a tier of the suite proposes."""
STEP_M = 0.2
DEPTHS_M = tuple(0.25 * number for number in range(3, 25))
"""The grid: 0.75 to 6 m."""
_ALONE = -1

Sums = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BestDepth:
    """The errors of a grid of depths, 0 to 255, and the depth where a parabola through the best three is least.

    ``alone`` are the grid's best depths of each home by itself.
    """

    depths_m: Tuple[float, ...]
    errors: Tuple[float, ...]
    alone: Tuple[float, ...]
    frames: int
    best_m: float


def best_depth(
    homes: Sequence[str], walks: int, seed: int, cache: str, depths: Sequence[float] = DEPTHS_M
) -> BestDepth:
    """Return the best depth over ``walks`` walks in each of ``homes``; Refusal where the grid does not enclose it."""
    sums = np.array([home_errors(home, walks, seed, cache, depths) for home in homes])
    frames = walks * FORWARDS
    errors = sums.sum(axis=0) / (len(homes) * frames)
    alone = tuple(depths[int(place)] for place in sums.argmin(axis=1))
    return BestDepth(tuple(depths), tuple(map(float, errors)), alone, len(homes) * frames, lowest(depths, errors))


def lowest(depths: Sequence[float], errors: Sequence[float]) -> float:
    """Return where the parabola through the least error and its neighbours on either side is least."""
    place = int(np.argmin(errors))
    if not 0 < place < len(depths) - 1:
        raise Refusal(
            f"the least error is at the edge of the grid, {depths[place]:g} m.", "Give a grid that encloses it."
        )
    (x0, x1, x2), (y0, y1, y2) = depths[place - 1 : place + 2], errors[place - 1 : place + 2]
    left, right = (x1 - x0) * (y1 - y2), (x1 - x2) * (y1 - y0)
    if left == right:  # three equal errors
        return float(x1)
    return float(x1 - 0.5 * ((x1 - x0) * left - (x1 - x2) * right) / (left - right))


def home_errors(home: str, walks: int, seed: int, cache: str, depths: Sequence[float]) -> Sums:
    """Return for each depth the sum over all frames of one home's walks of the mean absolute colour error."""
    manifest = load_catalog(()).find("warp").manifest
    models = [Warp(replace(manifest, settings={**manifest.settings, "depth_m": depth})) for depth in depths]
    scene = make_scene(home, HomeCache(cache).load(home))
    views = SceneViews(scene)
    generator = seeds.generator(seed, home, _ALONE, _ALONE, "constant depth")
    walk = Candidate((Primitive(FORWARD, STEP_M),) * FORWARDS)
    sums = np.zeros(len(depths), np.int64)
    for _ in range(walks):
        x, _, z = scene.navigator.sample(generator)
        body = Body(x, z, int(generator.integers(HEADINGS)))
        start, real = views.view(CAMERA, body).rgb, []
        for action in walk.actions:
            body, _ = scene.navigator.move(body, action)
            real.append(views.view(CAMERA, body).rgb)
        seen = np.stack(real).astype(np.int16)
        request = RolloutRequest(0, 0, start, CAMERA, walk, tuple(range(1, FORWARDS + 1)))
        sums += [int(np.abs(model.imagine(request).rgb - seen).sum()) for model in models]
    return sums / float(seen[0].size)


def page(found: BestDepth) -> str:
    """Return the table and the value."""
    lines = list(zip(found.depths_m, found.errors))
    table = columns(lines, ("depth_m", lambda line: f"{line[0]:.2f}"), ("error, 0-255", lambda line: f"{line[1]:.3f}"))
    return (
        f"{table}\n\nbest depth {found.best_m:.3f} m ({found.frames} frames of {len(found.alone)} homes; best of each "
        f"home alone {min(found.alone):g} to {max(found.alone):g} m)"
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print the table and the best depth; return 0, or 2 after saying what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m harness.studies.constant_depth", description=__doc__)
    parser.add_argument("--scenes", type=int, default=8, help="how many training homes, from the first on")
    parser.add_argument("--walks", type=int, default=24, help="walks in each home")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", default=str(cache_root()), help="folder of baked homes (default: the user's cache)")
    asked = parser.parse_args(arguments)
    try:
        if asked.scenes < 1 or asked.walks < 1:
            raise Refusal(f"{asked.scenes} homes with {asked.walks} walks show nothing.", "Give 1 or more of each.")
        homes = [f"train-{number:04d}" for number in range(asked.scenes)]
        print(page(best_depth(homes, asked.walks, asked.seed, str(Path(asked.cache)))))
    except WiwError as error:
        print(f"error: {error.what}\n{error.next_step}".rstrip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
