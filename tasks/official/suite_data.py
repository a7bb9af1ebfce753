"""Makes the data of the suite ``wiw-v1`` from the published file, the licensed scenes and a simulator that has them.

The result stays on the machine: neither the published episodes nor anything measured in licensed scenes is part of
this repository. Equal files and an equal simulator give equal bytes, and so an equal suite hash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Sequence

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.wire.sdk import Environment
from tasks.datasets.checking import fingerprint
from tasks.official.episodes import ignav_episodes, measure_distances
from tasks.official.files import read_ignav
from tasks.official.scenes import require_scenes, scene_path
from tasks.suite import Split, Suite, Tier
from tasks.suite_files import write_episodes, write_json


def make_ignav_data(suite: Suite, data: Path, environment: Environment) -> Sequence[Episode]:
    """Write episodes and scene digests of the suite's default tier and split; return the episodes.

    Raises Refusal where the file holds other numbers of episodes or buildings than the suite says, or scenes are
    missing; nothing is written then.
    """
    tier = suite.tier()
    official = read_ignav(data)
    episodes = ignav_episodes(official, tier.name, suite.default_split)
    _check_size(tier, tier.splits[suite.default_split], episodes, official.path)
    require_scenes(data, (episode.scene for episode in episodes))
    measured = list(measure_distances(episodes, environment))
    digests: Dict[str, str] = {
        scene: fingerprint(scene_path(data, scene)).sha256 for scene in sorted({episode.scene for episode in measured})
    }
    write_episodes(suite.episode_path(tier.name, suite.default_split), measured)
    write_json(suite.folder / "homes.json", digests)
    return measured


def _check_size(tier: Tier, split: Split, episodes: Sequence[Episode], path: Path) -> None:
    homes = len({episode.home for episode in episodes})
    if (len(episodes), homes) != (split.episodes, split.homes):
        raise Refusal(
            f"{path} has {len(episodes)} episodes in {homes} buildings, tier {tier.name!r} of {tier.suite} expects "
            f"{split.episodes} in {split.homes}.",
            "Fetch the published file again.",
        )
