"""Do the embedded homes mean the same in Habitat? The same episodes in both simulators, and how they agree.

    python -m tests.studies.habitat_agreement --python PY39_WITH_HABITAT --homes 25 --episodes 2 --out FOLDER

Exports each home as GLB, plays the environment service of `images.habitat` under another interpreter, and compares it
with the embedded environment: walkable area, distances, depth and colours of corresponding views, success of `gtsim`.
Prints the rows of the table in docs/habitat.md; everything measured is in FOLDER/agreement.json.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import numpy as np

from harness.contracts import seeds
from harness.contracts.cameras import PINHOLE, Camera, quaternion_to_yaw
from harness.contracts.episodes import Episode
from harness.contracts.errors import NotNavigable
from harness.contracts.folders import cache_root
from harness.contracts.observations import View, ViewRequest
from harness.runtimes.process import start_process
from harness.runtimes.service import ENVIRONMENT, ServiceLimits, ServiceSpec
from harness.wire.client import Deadlines, EnvironmentClient
from harness.wire.sdk import Environment
from harness.worldmodels.imaginer import EnvironmentImaginer
from images.embedded.environment import CAMERA_HEIGHT_M, RIG, EmbeddedEnvironment
from images.embedded.navigation import Navigator
from images.embedded.renderer import Renderer
from tasks.ignav.task import TASK
from tasks.suite import Suite, load_suite
from tests.image_goals import goal_of
from tests.images.habitat.scene_files import habitat_options, write_scene
from tests.studies.agreement import (
    compare_colours,
    compare_depths,
    compare_maps,
    relative_differences,
    summary,
)

TIER, SPLIT = "easy", "validation"
PAIRS = 20
"""Random pairs of positions a home, beside the start and goal of its episodes."""

TILTED = tuple(
    Camera(f"tilted{yaw:+d}", PINHOLE, 240, 280, 105.0, CAMERA_HEIGHT_M, float(yaw), -10.0) for yaw in (0, 90, -90, 180)
)
"""The four views of embodied question answering at half size: to all sides, 10 degrees down."""

CAMERAS = (*RIG.cameras, *TILTED)
VIEWS = [ViewRequest(camera.name, depth=True) for camera in CAMERAS]


@dataclass
class Findings:
    """What was measured, one entry a home, a pair, a view or an episode."""

    areas: List[Dict[str, Any]] = field(default_factory=list)
    distances: List[Tuple[float, float]] = field(default_factory=list)
    random_distances: List[Tuple[float, float]] = field(default_factory=list)
    depths: List[Dict[str, Any]] = field(default_factory=list)
    colours: List[Dict[str, Any]] = field(default_factory=list)
    other_colours: List[Dict[str, Any]] = field(default_factory=list)
    episodes: List[Dict[str, Any]] = field(default_factory=list)
    not_navigable: List[str] = field(default_factory=list)
    versions: Dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Run the study."""
    arguments = parse_arguments()
    suite = load_suite()
    embedded = EmbeddedEnvironment(str(cache_root()), scene_digests=suite.scene_digests())
    chosen = chosen_episodes(suite, arguments.homes, arguments.episodes)
    scenes = arguments.out / "scenes"
    for scene in chosen:
        if not (scenes / f"{scene}.glb").exists():
            write_scene(embedded.load_home(scene), scenes, scene)
    options = habitat_options(scenes, CAMERAS)
    spec = ServiceSpec(
        ENVIRONMENT, "habitat", "images.habitat.environment:HabitatEnvironment", (), arguments.python, options
    )
    findings = Findings()
    with start_process(spec, ServiceLimits(start_s=120.0), arguments.out / "habitat.log") as service:
        habitat = EnvironmentClient(service.socket, Deadlines())
        findings.versions = {"habitat": habitat.describe().simulator, "embedded": embedded.describe().simulator}
        for scene, episodes in chosen.items():
            playable = compare_home(findings, embedded, habitat, episodes)
            for episode in [] if arguments.no_play else playable:
                findings.episodes.append(compare_play(suite, embedded, habitat, episode))
            print(f"{scene}: {json.dumps(findings.areas[-1])}", flush=True)
            (arguments.out / "agreement.json").write_text(json.dumps(asdict(findings), indent=1), encoding="utf-8")
        habitat.close()
    embedded.close()
    print("\n".join(rows(findings)))


def parse_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="interpreter that can import habitat_sim")
    parser.add_argument("--homes", type=int, default=25, help="how many validation homes")
    parser.add_argument("--episodes", type=int, default=2, help="how many episodes of each home")
    parser.add_argument("--no-play", action="store_true", help="compare without playing episodes")
    parser.add_argument("--out", type=Path, required=True, help="folder for scenes, log and agreement.json")
    return parser.parse_args()


def chosen_episodes(suite: Suite, homes: int, episodes: int) -> Dict[str, List[Episode]]:
    """Return the first episodes of the first homes, by scene."""
    by_scene: Dict[str, List[Episode]] = {}
    for episode in suite.episodes(TIER, SPLIT):
        by_scene.setdefault(episode.scene, []).append(episode)
    return {scene: by_scene[scene][:episodes] for scene in list(by_scene)[:homes]}


def compare_home(
    findings: Findings, embedded: EmbeddedEnvironment, habitat: EnvironmentClient, episodes: List[Episode]
) -> List[Episode]:
    """Add what does not need an agent: areas, distances and views; return the episodes that Habitat accepts."""
    home = embedded.load_home(episodes[0].scene)
    renderer, navigator = Renderer(home), Navigator(home)
    playable = []
    shown: Dict[str, View] = {}
    for episode in episodes:
        embedded.reset(episode, 0, [])
        try:
            seen = habitat.reset(episode, 0, VIEWS).views
        except NotNavigable as error:
            findings.not_navigable.append(f"{episode.id}: {error.what}")
            continue
        playable.append(episode)
        shown = compare_views(findings, renderer, episode, seen, shown)
        ends = (episode.start.position, goal_of(episode).goal.position)
        findings.distances.append((navigator.geodesic_distance(*ends), habitat.geodesic_distance(*ends)))
    areas = compare_maps(embedded.top_down_map(), habitat.top_down_map())
    findings.areas.append({"home": episodes[0].scene, **asdict(areas), "overlap": areas.overlap})
    for start, goal in random_pairs(navigator, episodes[0].scene):
        findings.random_distances.append(
            (navigator.geodesic_distance(start, goal), habitat.geodesic_distance(start, goal))
        )
    return playable


def compare_views(
    findings: Findings, renderer: Renderer, episode: Episode, seen: Mapping[str, View], before: Mapping[str, View]
) -> Dict[str, View]:
    """Compare all cameras at an episode's start; ``before`` are the embedded views of the last one, a far pose."""
    yaw_deg = quaternion_to_yaw(episode.start.rotation)
    shown = {}
    for camera in CAMERAS:
        drawn = renderer.render(camera, episode.start.position, yaw_deg, depth=True)
        where = {"episode": episode.id, "camera": camera.name.rstrip("+-0123456789")}
        findings.depths.append({**where, **asdict(compare_depths(drawn, seen[camera.name]))})
        findings.colours.append({**where, **asdict(compare_colours(drawn, seen[camera.name]))})
        if before:
            findings.other_colours.append({**where, **asdict(compare_colours(drawn, before[camera.name]))})
        shown[camera.name] = drawn
    return shown


def random_pairs(navigator: Navigator, scene: str) -> Iterator[Tuple[Any, Any]]:
    """Yield pairs of walkable positions that are at least 1 m apart by walking."""
    generator = seeds.generator(0, scene, -1, 0, "agreement")
    found = 0
    while found < PAIRS:
        start, goal = navigator.sample(generator), navigator.sample(generator)
        if navigator.geodesic_distance(start, goal) >= 1.0:
            found += 1
            yield start, goal


def compare_play(suite: Suite, embedded: Environment, habitat: EnvironmentClient, episode: Episode) -> Dict[str, Any]:
    """Play one episode with gtsim in both; return outcomes and how long they took."""
    row: Dict[str, Any] = {"episode": episode.id}
    tier = suite.tier(TIER)
    for name, environment in (("embedded", embedded), ("habitat", habitat)):
        started = time.perf_counter()
        played = TASK.play_episode(
            environment, EnvironmentImaginer(environment), episode, tier, 0, "gtsim", tier.loop.stop_rules[0]
        )
        row[name] = {
            "success": played.metrics["success"],
            "spl": played.metrics["spl"],
            "final_distance_m": played.metrics["final_distance_m"],
            "collisions": played.metrics["collisions"],
            "actions": played.metrics["actions"],
            "seconds": time.perf_counter() - started,
        }
    return row


def rows(findings: Findings) -> Iterator[str]:
    """Yield the rows of the table in docs/habitat.md."""
    yield f"versions: {findings.versions}"
    areas = findings.areas
    yield f"| walkable area, Habitat ÷ embedded | {summary([a['second_m2'] / a['first_m2'] for a in areas])} |"
    yield f"| overlap of the walkable areas | {summary([a['overlap'] for a in areas])} |"
    for name, pairs in (("episodes", findings.distances), ("random pairs", findings.random_distances)):
        differences = relative_differences(pairs)
        within = float((differences <= 0.05).mean())
        lost = sum(math.isfinite(a) and not math.isfinite(b) for a, b in pairs)
        yield f"| geodesic distance, {name}: difference | {summary(differences.tolist())}; within 5 %: {within:.1%} |"
        yield f"| … of {len(pairs)}, no way in Habitat | {lost} |"
    yield f"| starts or goals that Habitat does not accept | {len(findings.not_navigable)} |"
    for camera in sorted({str(depth["camera"]) for depth in findings.depths}):
        depths = [d for d in findings.depths if d["camera"] == camera]
        for key in ("median_difference", "close", "one_hit"):
            yield f"| depth, {camera}: {key} | {summary([d[key] for d in depths])} |"
        for label, values in (("same pose", findings.colours), ("another pose", findings.other_colours)):
            chosen = [c for c in values if c["camera"] == camera]
            for key in ("difference", "correlation", "ssim"):
                yield f"| colours, {camera}, {label}: {key} | {summary([c[key] for c in chosen])} |"
    played = findings.episodes
    if played:
        yield from play_rows(played)


def play_rows(played: List[Dict[str, Any]]) -> Iterator[str]:
    """Yield the rows of what gtsim achieved."""
    for name in ("embedded", "habitat"):
        success = float(np.mean([row[name]["success"] for row in played]))
        seconds = float(np.median([row[name]["seconds"] for row in played]))
        yield f"| gtsim in {name}: success of {len(played)}; seconds an episode | {success:.1%}; {seconds:.1f} |"
    outcomes = [(bool(row["embedded"]["success"]), bool(row["habitat"]["success"])) for row in played]
    both, neither = outcomes.count((True, True)), outcomes.count((False, False))
    only = f"{outcomes.count((True, False))}, only Habitat {outcomes.count((False, True))}"
    yield f"| same outcome | {both + neither} of {len(played)} (both {both}, neither {neither}, only embedded {only}) |"


if __name__ == "__main__":
    main()
