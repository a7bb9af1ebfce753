"""The normalised gain: where a world model stands between the best reference that imagines nothing and the simulator.

Episodes are paired: the three runs played the same ones, so what an episode makes harder for all three cancels.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from harness.contracts.results import OK, EpisodeResult, Metric
from harness.scoring.bounds import inside
from harness.scoring.comparing_effect import ADDED, design_effect
from harness.scoring.intervals import CONFIDENCE, Sample, t_quantile

NO_INTERVAL = (float("nan"), float("nan"))


def gain_value(model: float, baseline: float, ceiling: float) -> float:
    """Return (model - baseline) / (ceiling - baseline) of three success rates; the ceiling must be the higher end."""
    return (model - baseline) / (ceiling - baseline)


def gain_interval(
    model: Sequence[EpisodeResult], baseline: Sequence[EpisodeResult], ceiling: Sequence[EpisodeResult]
) -> Tuple[float, float]:
    """Return the t interval of the gain, homes as clusters; NaN with fewer than two homes.

    It ends where the gain does: beside these two ends no model can solve less than nothing, or more than everything.

    The gain g is where the mean of (m - b) - g (c - b) over episodes is zero, so its error is that mean's error
    divided by the mean of c - b (the delta method for ratios). As in `success_effect`, two pseudo-episodes are added,
    spread evenly over the eight outcomes that three runs can have together: without them the interval has no length
    where two of the runs solve the same episodes, which 24 episodes show often. At g = 0 and g = 1 this is exactly the
    adjustment of Agresti and Min. Seeds may differ in number; an episode counts once, with its mean over its seeds.
    """
    homes = {result.episode: result.home for result in model}
    if len(set(homes.values())) < 2:
        return NO_INTERVAL
    of_model, of_baseline, of_ceiling = (_by_episode(results) for results in (model, baseline, ceiling))
    episodes = sorted(homes)
    m, b, c = (np.array([rates[e] for e in episodes]) for rates in (of_model, of_baseline, of_ceiling))
    span = float(np.mean(c - b))
    gain = float(np.mean(m - b)) / span
    residuals = Sample.of(list((m - b) - gain * (c - b)), [homes[e] for e in episodes])
    effective = len(residuals) / design_effect(residuals)
    pseudo = 0.25 * (1.0 + (1.0 - gain) ** 2 + gain**2)
    added = 4.0 * ADDED
    spread = float(np.mean(residuals.values**2))
    error = float(np.sqrt(effective * spread + added * pseudo)) / (effective + added)
    half = t_quantile(0.5 + CONFIDENCE / 2.0, residuals.homes - 1) * error / span
    none, every = (gain_value(solved, float(np.mean(b)), float(np.mean(c))) for solved in (0.0, 1.0))
    return inside((gain - half, gain + half), (none, every))


def gain_of(
    name: str, points: Mapping[str, Metric], played: Mapping[str, Sequence[EpisodeResult]], ends: Tuple[str, str]
) -> Metric | None:
    """Return the gain of ``name`` between the two ``ends`` (baseline, ceiling), None where they leave no room.

    ``played`` holds the results of those whose episodes are known. The interval is NaN where one of the three is not
    among them, and for the ends, which are 0 and 1 by definition.
    """
    baseline, ceiling = ends
    if baseline not in points or ceiling not in points or points[ceiling].value <= points[baseline].value:
        return None
    value = gain_value(points[name].value, points[baseline].value, points[ceiling].value)
    known = name not in ends and all(end in played for end in (name, *ends))
    low, high = gain_interval(played[name], played[baseline], played[ceiling]) if known else NO_INTERVAL
    return Metric(value, low, high, points[name].n)


def _by_episode(results: Sequence[EpisodeResult]) -> Dict[str, float]:
    """Return the share of an episode's rows that were solved, by episode."""
    rows: Dict[str, List[float]] = {}
    for result in results:
        rows.setdefault(result.episode, []).append(float(result.state == OK))
    return {episode: sum(solved) / len(solved) for episode, solved in rows.items()}
