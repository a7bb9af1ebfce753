"""What one home gives to the training of the learnt score: real views and the distances between them.

Panoramas are seen from uniform places, goal views from uniform places and headings, mostly such as could be a goal of
an episode. Everything depends on the home's name, the sizes and the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts import seeds
from harness.contracts.cameras import Vec3
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
