"""A copy of the toy task `lamps` with as many episodes as a test or a measurement wants."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.contracts.cameras import Pose
from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from tasks.suite_files import write_episodes, write_json

TOY = Path(__file__).parent / "toy_task" / "lamps"
LAMPS_AHEAD = 4


def lamp_episodes(number: int) -> list[Episode]:
    """Return ``number`` episodes in four homes, or one home a hundred of them."""
    homes = max(4, number // 100)
    return [_episode(n, f"h{n % homes}") for n in range(number)]


def _episode(number: int, home: str) -> Episode:
    place = number % 8
    start, lamp = 2 + place, 2 + place + (place % LAMPS_AHEAD + 1) * (1 if place < LAMPS_AHEAD else -1)
    payload = {"lamp": lamp, "lamps_away": abs(lamp - start)}
    pose = Pose((0.0, 0.0, float(start)), (1.0, 0.0, 0.0, 0.0))
    steps = abs(lamp - start) + (lamp < start)
    return Episode(f"e{number}", "lamps", "near", "validation", "corridor", home, pose, steps, payload)


def copy_lamps(folder: Path, number: int) -> None:
    """Copy the toy below ``folder``, which `WIW_TASKS` names then, with a suite of ``number`` episodes."""
    episodes = lamp_episodes(number)
    data = shutil.copytree(TOY, folder / "lamps") / "suites" / "lamps-v1"
    suite = data / "suite.toml"
    homes = len({episode.home for episode in episodes})
    suite.write_text(suite.read_text().replace("homes = 4\nepisodes = 8", f"homes = {homes}\nepisodes = {number}"))
    write_json(data / "homes.json", {"corridor": digest("corridor")})
    write_episodes(data / "near-validation.json.gz", episodes)
