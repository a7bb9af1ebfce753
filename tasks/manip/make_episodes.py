"""Make the episode files of a tier: ``python -m tasks.manip.make_episodes --suite embedded-v1 --tier easy``.

Needs the extra ``tabletop``: each episode's solution is played, and a scene that it does not solve is left out. What
was played is kept, so that the same command goes on where it was interrupted; the files are equal whatever the number
of workers. ``--unplayed`` trusts all solutions and needs no simulator; where none fails it makes the same files. No
run's outcome enters. Splits share no variation of a scene (its colours, counts and order), so no episode either.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

import numpy as np

from harness.contracts import seeds
from harness.contracts.arm_poses import LAST_VOXEL
from harness.contracts.cameras import Pose
from harness.contracts.digest import to_plain
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, WiwError
from images.tabletop.scenes import SubGoal
from images.tabletop.tasks.all import make_puzzle, scene_digest
from images.tabletop.tasks.puzzle import Stage
from tasks.fresh_homes import TEST
from tasks.manip.episodes import RIGHT, Plan, TableScene
from tasks.manip.mistakes import mistaken
from tasks.manip.solving import after, outcomes, shown
from tasks.suite import Suite, Tier, load_suite
from tasks.suite_files import read_homes, write_episodes, write_json

TASK = "manip"
VARIATIONS: Mapping[str, range] = {"validation": range(20), TEST: range(20, 60)}

_OF_A_TIER = 100
"""How many episodes of one variation a tier may have: those of another tier have other numbers."""

_ORIGIN = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
"""Where an episode starts is the scene's to say: the arm is where the simulator puts it."""


@dataclass(frozen=True)
class Drawn:
    """One episode, and the digest of its scene."""

    episode: Episode
    digest: str


def make_split(suite: Suite, tier: Tier, split: str, workers: int) -> Tuple[List[Drawn], List[str]]:
    """Return a split's episodes, and the scenes that were left out because their solution did not solve them.

    Without ``workers`` (0) every solution is trusted.
    """
    wanted = tier.splits[split].episodes
    kept: List[Drawn] = []
    left_out: List[str] = []
    scenes, began = scenes_of(suite, tier, split), time.monotonic()
    for scene, solved in outcomes(scenes, workers) if workers else ((scene, True) for scene in scenes):
        if solved:
            kept.append(draw(tier, split, scene))
        else:
            left_out.append(scene)
        left_s = (time.monotonic() - began) * (wanted - len(kept)) / max(len(kept), 1)
        print(f"{tier.name} {split}: {len(kept)}/{wanted} ({scene}), {left_s:.0f} s left", file=sys.stderr)
        if len(kept) == wanted:
            break
    homes = len({drawn.episode.home for drawn in kept})
    if (len(kept), homes) != (wanted, tier.splits[split].homes):
        raise Refusal(
            f"{tier.name} {split}: {len(kept)} episodes of {homes} variations were drawn.",
            "Fix the split in suite.toml.",
        )
    return kept, left_out


def scenes_of(suite: Suite, tier: Tier, split: str) -> Iterator[str]:
    """Yield scenes: their kinds take turns, then the variations, so that a few episodes are as mixed as all."""
    first = _OF_A_TIER * list(suite.tiers).index(tier.name)
    for number, variation, kind in itertools.product(range(_OF_A_TIER), VARIATIONS[split], tier.constants.mistakes):
        yield f"{kind}/variation{variation}/episode{first + number}"


def draw(tier: Tier, split: str, scene: str) -> Drawn:
    """Return the episode of a scene."""
    puzzle = make_puzzle(scene)
    stage = puzzle.last_stage()
    kind, variation, number = scene.split("/")
    plans = draw_plans(stage, tier.constants.mistakes[kind], seeds.generator(0, scene, -1, -1, tier.name))
    payload = TableScene(
        words=puzzle.words,
        before=_numbers(stage.before),
        solution=_numbers(stage.plan),
        sub_goals=len(stage.plan),
        plans=tuple(plans),
        after=_numbers(after(stage)),
        shown=_numbers(shown(stage)),
    )
    episode = Episode(
        id=f"{tier.name}-{split}-{kind}-{variation.removeprefix('variation')}-{number.removeprefix('episode')}",
        task=TASK,
        tier=tier.name,
        split=split,
        scene=scene,
        home=f"{kind}/{variation}",
        start=_ORIGIN,
        reference_actions=len(stage.plan) + len(after(stage)),
        payload=to_plain(payload),
    )
    return Drawn(episode, scene_digest(puzzle))


def draw_plans(stage: Stage, mistakes: Mapping[str, int], draws: np.random.Generator) -> List[Plan]:
    """Return the right plan and as many with mistakes as ``mistakes`` adds up to, in a drawn order.

    No two of them are equal. Refusal where the stage has too few.
    """
    chosen = [Plan(RIGHT, 0, _numbers(stage.plan))]
    left: List[Plan] = []
    for named, count in mistakes.items():
        mistake, _, size = named.partition(" ")
        options = [Plan(mistake, int(size or 0), _numbers(plan)) for plan in mistaken(stage, mistake, int(size or 0))]
        options = [option for option in options if _is_possible(option) and not _is_among(option, (*chosen, *left))]
        order = [options[index] for index in draws.permutation(len(options))]
        chosen += order[:count]
        left += order[count:]
    missing = 1 + sum(mistakes.values()) - len(chosen)
    if missing > len(left):
        raise Refusal(
            f"this stage has {missing - len(left)} plans too few for {dict(mistakes)}.", "Name more mistakes."
        )
    chosen += left[:missing]
    return [chosen[index] for index in draws.permutation(len(chosen))]


def _is_possible(plan: Plan) -> bool:
    return all(0 <= voxel <= LAST_VOXEL for goal in plan.goals for voxel in goal[:3])


def _is_among(plan: Plan, others: Sequence[Plan]) -> bool:
    return any(plan.goals == other.goals for other in others)


def _numbers(goals: Sequence[SubGoal]) -> Tuple[Tuple[int, ...], ...]:
    return tuple(tuple(int(value) for value in goal.values()) for goal in goals)


def make_tier(suite: Suite, tier: Tier, splits: Sequence[str], workers: int) -> Dict[str, object]:
    """Write the episodes of ``splits``, the scene digests and the statistics; return the statistics."""
    digests: Dict[str, str] = {}
    statistics: Dict[str, object] = {}
    for split in splits:
        kept, left_out = make_split(suite, tier, split, workers)
        write_episodes(suite.episode_path(tier.name, split), [drawn.episode for drawn in kept])
        digests.update({drawn.episode.scene: drawn.digest for drawn in kept})
        statistics[split] = {"episodes": len(kept), "scenes left out": left_out, "mistakes": _counts(kept)}
    homes = suite.folder / "homes.json"
    known = read_homes(homes, TASK, suite.name) if homes.exists() else {}
    write_json(homes, {**known, **digests})
    return statistics


def _counts(kept: Sequence[Drawn]) -> Dict[str, int]:
    counts: Dict[str, int] = {}
    for drawn in kept:
        for plan in drawn.episode.payload["plans"]:
            named = f"{plan['mistake']} {plan['size_cm'] or ''}".strip()
            counts[named] = counts.get(named, 0) + 1
    return dict(sorted(counts.items()))


def main() -> int:
    """Make a tier's files; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--tier", default="easy")
    parser.add_argument("--split", choices=tuple(VARIATIONS), help="one split alone (default: all)")
    parser.add_argument("--workers", type=int, default=1, help="processes that play solutions (default: 1)")
    parser.add_argument("--unplayed", action="store_true", help="trust all solutions")
    given = parser.parse_args()
    if given.workers < 1:
        parser.error(f"--workers is {given.workers}: give at least 1")
    try:
        suite = load_suite(given.suite, TASK)
        tier = suite.tier(given.tier)
        splits = [given.split] if given.split else sorted(tier.splits)
        for name, value in make_tier(suite, tier, splits, 0 if given.unplayed else given.workers).items():
            print(f"{name}: {value}")
    except WiwError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
