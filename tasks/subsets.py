"""Named subsets of a split's episodes: `mini` is small enough to be played in minutes, and the same for everybody.

The rule reads homes, distances and ids alone, which the suite hash covers: a subset cannot change while a hash stays.
"""

from __future__ import annotations

import hashlib
from typing import Dict, List, Sequence, Tuple

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from tasks.registry import load_task

MINI = "mini"
ALL = "all"
MINI_EPISODES = 96
STRATA = 4


def subset_name(chosen: int, available: int, wanted: str) -> str:
    """Return what results call the episodes that were played: ``all``, ``mini``, or their number."""
    if wanted == MINI:
        return MINI
    return ALL if chosen == available else str(chosen)


def mini(episodes: Sequence[Episode]) -> Tuple[Episode, ...]:
    """Return the 96 episodes of the subset `mini`, in file order; Refusal where a split has fewer.

    Episodes are cut into four strata of equal size by their task's `length`, the geodesic distance in navigation (then
    id). Homes take turns in the order of the SHA-256 of their names; at its turn a home gives the episode of the
    stratum that has the fewest so far (then the one with the least SHA-256 of its id), until there are 96. So no home
    gives a second episode before every home gave one, and the strata differ by a few at most.
    """
    if len(episodes) < MINI_EPISODES:
        raise Refusal(
            f"this split has {len(episodes)} episodes, fewer than the {MINI_EPISODES} of --episodes {MINI}.",
            "Play it whole with --episodes all.",
        )
    stratum = _strata(episodes)
    left: Dict[str, List[Episode]] = {}
    for episode in sorted(episodes, key=lambda e: _draw(e.id)):
        left.setdefault(episode.home, []).append(episode)
    taken = [0] * STRATA
    chosen: set[str] = set()
    while len(chosen) < MINI_EPISODES:
        for home in sorted(left, key=_draw):
            if not left[home] or len(chosen) == MINI_EPISODES:
                continue
            episode = min(left[home], key=lambda e: taken[stratum[e.id]])
            left[home].remove(episode)
            taken[stratum[episode.id]] += 1
            chosen.add(episode.id)
    return tuple(episode for episode in episodes if episode.id in chosen)


def _strata(episodes: Sequence[Episode]) -> Dict[str, int]:
    """Return the stratum of each episode's length by id: 0 holds the shortest."""
    length = load_task(episodes[0].task).length
    by_length = sorted(episodes, key=lambda e: (e.payload[length], e.id))
    return {episode.id: place * STRATA // len(by_length) for place, episode in enumerate(by_length)}


def _draw(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8")).digest()
