"""Paired differences between two runs of the same episodes, homes as clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.results import OK, EpisodeResult, Metric
from harness.scoring.comparing import pair
from harness.scoring.comparing_effect import equivalence_test, success_effect
from harness.scoring.comparing_matching import Terms, check_comparable
from harness.scoring.comparing_power import detectable_difference
from harness.scoring.comparing_tests import sign_flip_test
from harness.scoring.data import RunData
from harness.scoring.intervals import Sample, mean_interval


@dataclass(frozen=True)
class Cost:
    """What a world model solves less than another: ``points`` in [-1, 1] with its interval over homes.

    ``p`` is the home-clustered sign-flip test, ``equivalence_p`` that of a difference of at least 8 points, and
    ``detectable`` the smallest true difference found with 80 % power.
    """

    points: Metric
    homes: int
    p: float
    equivalence_p: float
    detectable: Optional[float]


def cost(better: RunData, other: RunData) -> Cost:
    """Return what ``other`` solves less than ``better``; Refusal where the two may not be compared."""
    check_comparable((better, other), Terms())
    pairs = pair((better, other))
    solved = [np.array([result.state == OK for result in results], dtype=np.float64) for results in pairs.results]
    sample = Sample.of((solved[0] - solved[1]).tolist(), pairs.homes)
    effect = success_effect(sample)
    sums = np.rint(sample.home_sums(sample.values)).astype(np.int64)
    return Cost(
        points=Metric(effect.value, *effect.interval(), len(sample)),
        homes=sample.homes,
        p=sign_flip_test(sums),
        equivalence_p=equivalence_test(effect),
        detectable=detectable_difference(effect),
    )


def lead(better: RunData, other: RunData) -> Metric:
    """Return how much more ``better`` solves, with the t interval over homes; ``n`` counts episodes.

    Runs of several seeds are averaged by episode first: a reference that draws lots is pooled over its draws, while
    one that does not is played once. Both runs were played on the same episodes.
    """
    sample = episode_differences(better, other)
    return Metric(float(sample.values.mean()), *mean_interval(sample, (-1.0, 1.0)), len(sample))


def episode_differences(better: RunData, other: RunData) -> Sample:
    """Return what ``better`` solves more of each of its episodes: a mean over the seeds of either, with the home."""
    first, second = success_by_episode(better.results), success_by_episode(other.results)
    homes = {result.episode: result.home for result in better.results}
    return Sample.of([first[name] - second[name] for name in homes], list(homes.values()))


def success_by_episode(results: Sequence[EpisodeResult]) -> Dict[str, float]:
    """Return the share of seeds in which each episode was solved, by its id."""
    by_episode: Dict[str, List[float]] = {}
    for result in results:
        by_episode.setdefault(result.episode, []).append(float(result.state == OK))
    return {name: sum(solved) / len(solved) for name, solved in by_episode.items()}


def size(run: RunData) -> Tuple[int, int]:
    """Return how many (episode, seed) rows a run has, and in how many homes."""
    return len(run.results), len({result.home for result in run.results})
