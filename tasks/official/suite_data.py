"""Makes the data of the suite ``wiw-v1`` from the published file, the licensed scenes and a simulator that has them.

The result stays on the machine: neither the published episodes nor anything measured in licensed scenes is part of
this repository. Equal files and an equal simulator give equal bytes, and so an equal suite hash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Sequence

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.walkable import Walkable
from harness.wire.sdk import Environment
from tasks.datasets.checking import fingerprint
from tasks.official.episodes import ignav_episodes, measure_distances, refused_items
from tasks.official.files import read_ignav
from tasks.official.scenes import require_scenes, scene_path
from tasks.suite import NAVMESHES, Split, Suite, Tier
from tasks.suite_files import write_episodes, write_json


def make_suite_data(
    suite: Suite, data: Path, environment: Environment, say: Callable[[str], None] = print
) -> Sequence[Episode]:
    """Write episodes and scene digests of the suite's default tier and split; return the episodes.

    ``say`` gets a sentence for everything that is left out: items of the file, parts of scenes that do not count as
    walkable. The digests of the walkable areas are written too, so that evaluation refuses other ones. Raises Refusal
    where the file holds other numbers of episodes or buildings than the suite says, or scenes are missing; nothing is
    written then.
    """
    tier = suite.tier()
    official = read_ignav(data)
    episodes = ignav_episodes(official, tier.name, suite.default_split)
    refused = refused_items(official, tier.name, suite.default_split)
    for what in (*refused, *([official.note] if official.note else [])):
        say(f"{official.path.name}: {what}")
    _check_size(tier, tier.splits[suite.default_split], episodes, len(refused), official.path)
    require_scenes(data, (episode.scene for episode in episodes))
    grounds: Dict[str, Walkable] = {}
    measured = list(measure_distances(episodes, environment, grounds))
    for scene, walkable in sorted(grounds.items()):
        if walkable.sentence(scene):
            say(walkable.sentence(scene))
    digests: Dict[str, str] = {
        scene: fingerprint(scene_path(data, scene)).sha256 for scene in sorted({episode.scene for episode in measured})
    }
    write_episodes(suite.episode_path(tier.name, suite.default_split), measured)
    write_json(suite.folder / "homes.json", digests)
    if grounds:
        write_json(suite.folder / NAVMESHES, {scene: walkable.digest for scene, walkable in grounds.items()})
    return measured


def _check_size(tier: Tier, split: Split, episodes: Sequence[Episode], refused: int, path: Path) -> None:
    """Raise Refusal unless the file has as many episodes as the suite says, those that were refused among them."""
    homes = len({episode.home for episode in episodes})
    whole = len(episodes) + refused == split.episodes and (homes == split.homes or (refused and homes < split.homes))
    if not whole:
        left_out = f" (and {refused} that are left out)" if refused else ""
        raise Refusal(
            f"{path} has {len(episodes)} episodes in {homes} buildings{left_out}, tier {tier.name!r} of {tier.suite} "
            f"expects {split.episodes} in {split.homes}.",
            "Fetch the published file again.",
        )
