"""Make training data: ``python -m harness.studies.learnt_score.make_data --homes 190 --split train --out DIR``.

One file a home: real views and the distances between them. Panoramas are seen from uniform places, goal views from
uniform places and headings, mostly such as could be a goal of an episode. Everything depends on the home's name, the
sizes and the seed alone. Files that are there already are kept, so a command that was cut off goes on where it was; the
bytes do not depend on the number of workers.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts import seeds
from harness.contracts.cameras import Vec3
from harness.contracts.errors import WiwError
from harness.contracts.folders import cache_root
from images.embedded.environment import RIG, Scene
from tasks.ignav.scores.learnt_file import read_metadata, write_tensors
from tasks.ignav.scores.learnt_network import BAND_HEIGHT

FORMAT = "learnt-score-data-1"
SUFFIX = ".safetensors"

DULL_SHARE = 0.1
"""Share of the views too empty to be a goal that are kept, so that the score knows bare walls too."""
_DRAWS_PER_GOAL = 8
_TURN_TENTHS = 3600
_ALONE = -1


@dataclass(frozen=True)
class HomeJob:
    """One home to make data of. ``folder`` takes the file, ``cache`` holds baked homes."""

    name: str
    folder: str
    cache: str
    panoramas: int
    goals: int
    seed: int

    @property
    def path(self) -> Path:
        """Return the home's file."""
        return Path(self.folder) / f"{self.name}{SUFFIX}"

    @property
    def metadata(self) -> Dict[str, str]:
        """Return what the file says about itself, save for the home's digest."""
        sizes = {"panoramas": str(self.panoramas), "goals": str(self.goals), "seed": str(self.seed)}
        return {"format": FORMAT, "home": self.name, **sizes}


def is_done(job: HomeJob) -> bool:
    """Say whether the file of a job is there and whole, and was made with the same sizes and seed."""
    if not job.path.exists():
        return False
    return job.metadata.items() <= read_metadata(job.path).items()


def make_file(job: HomeJob) -> str:
    """Build the home and write its file; return the home's name."""
    from images.embedded.cache import HomeCache, home_digest
    from images.embedded.environment import make_scene

    home = HomeCache(job.cache).load(job.name)
    tensors = views_and_distances(make_scene(job.name, home), job)
    write_tensors(job.path, tensors, {**job.metadata, "home_digest": home_digest(home)})
    return job.name


def views_and_distances(scene: Scene, job: HomeJob) -> Mapping[str, npt.NDArray[Any]]:
    """Return ``panoramas`` uint8 [P, 64, 256, 3], ``goals`` uint8 [G, 128, 128, 3], ``distances_m`` float32 [G, P].

    Panoramas are bands of 45 degrees above and below the horizon. Distances are geodesic, from the panorama's place
    to the goal's.
    """
    places, panoramas = _draw_panoramas(scene, job)
    goal_places, goals = _draw_goals(scene, job)
    navigator = scene.navigator
    distances = [[navigator.geodesic_distance(place, goal) for place in places] for goal in goal_places]
    return {
        "panoramas": np.stack(panoramas),
        "goals": np.stack(goals),
        "distances_m": np.array(distances, np.float32),
    }


_Drawn = Tuple[Sequence[Vec3], Sequence[npt.NDArray[np.uint8]]]


def _draw_panoramas(scene: Scene, job: HomeJob) -> _Drawn:
    generator = seeds.generator(job.seed, job.name, _ALONE, _ALONE, "learnt score panoramas")
    places = [scene.navigator.sample(generator) for _ in range(job.panoramas)]
    camera = RIG.camera("pano")
    rows = slice(BAND_HEIGHT // 2, BAND_HEIGHT // 2 + BAND_HEIGHT)
    return places, [scene.renderer.render(camera, place, 0.0).rgb[rows] for place in places]


def _draw_goals(scene: Scene, job: HomeJob) -> _Drawn:
    from images.embedded.sampling import TierConstants, view_flaw

    constants = TierConstants("ignav", "any", "any", 0.0, 0.0, 0.0)
    generator = seeds.generator(job.seed, job.name, _ALONE, _ALONE, "learnt score goals")
    places: List[Vec3] = []
    goals: List[npt.NDArray[np.uint8]] = []
    camera = RIG.camera(constants.goal_camera)
    draws = 0
    while len(goals) < job.goals:
        place = scene.navigator.sample(generator)
        yaw_deg = int(generator.integers(_TURN_TENTHS)) / 10.0
        view = scene.renderer.render(camera, place, yaw_deg, depth=True, ids=True)
        spare = draws < _DRAWS_PER_GOAL * job.goals
        draws += 1
        if view_flaw(view, constants) and generator.random() >= DULL_SHARE and spare:
            continue
        places.append(place)
        goals.append(view.rgb)
    return places, goals


PANORAMAS, GOALS = 240, 96


def make_all(jobs: Sequence[HomeJob], workers: int) -> None:
    """Make the files of all jobs that are not done yet, and tell how long the rest will take."""
    waiting = [job for job in jobs if not is_done(job)]
    print(f"{len(jobs) - len(waiting)} of {len(jobs)} homes are there already", file=sys.stderr, flush=True)
    started = time.monotonic()
    for number, name in enumerate(_made(waiting, workers), 1):
        left_s = (time.monotonic() - started) / number * (len(waiting) - number)
        print(f"{number}/{len(waiting)} {name}, about {left_s:.0f} s left", file=sys.stderr, flush=True)


def _made(jobs: Sequence[HomeJob], workers: int) -> Iterator[str]:
    if workers == 1:
        yield from map(make_file, jobs)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(make_file, jobs)


def jobs_of(arguments: Sequence[str] | None) -> tuple[List[HomeJob], int]:
    """Return the jobs that a command line asks for, and the number of workers."""
    from images.embedded.homes.splits import home_name

    parser = argparse.ArgumentParser(
        prog="python -m harness.studies.learnt_score.make_data", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--homes", type=int, required=True)
    parser.add_argument("--split", required=True, help="train, validation to choose with; others only to report")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first home")
    parser.add_argument("--panoramas", type=int, default=PANORAMAS, help="a home")
    parser.add_argument("--goals", type=int, default=GOALS, help="a home")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", default=str(cache_root()), help="folder of baked homes (default: the user's cache)")
    chosen = parser.parse_args(arguments)
    names = [home_name(chosen.split, chosen.first + index) for index in range(chosen.homes)]
    chosen.out.mkdir(parents=True, exist_ok=True)
    sizes = (chosen.panoramas, chosen.goals, chosen.seed)
    return [HomeJob(name, str(chosen.out), chosen.cache, *sizes) for name in names], chosen.workers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2: refused)."""
    try:
        jobs, workers = jobs_of(arguments)
        make_all(jobs, workers)
    except WiwError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
