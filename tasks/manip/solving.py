"""Which scenes their own solutions solve: tried by several processes, and kept, so that a later call goes on.

Outcomes are kept under the digest of the code and the packages that they stand on: others begin a file of their own.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from harness.contracts.folders import user_cache
from harness.contracts.sources import digest_of_sources
from images.rlbench.actions import discrete_target
from images.tabletop.play import Play
from images.tabletop.scenes import HOME, SubGoal
from images.tabletop.tasks.puzzle import Stage

ASIDE = (40, 70, 75)
"""The voxel that the hand goes to beside `HOME`, where it ends a plan, for the picture of the goal."""

_BATCH = 8
"""How many scenes a process is given before it is known whether more are wanted."""


def is_solved(scene: str) -> bool:
    """Say whether the solution of a scene's last stage solves it, by both ways, and nothing before does."""
    play = Play(scene)
    stage = play.puzzle.last_stage()
    _carry_out(play, stage.before)
    early, begins = play.progress.succeeded, play.save()
    for solution in ((*stage.plan, *after(stage)), shown(stage)):
        play.restore(begins)
        _carry_out(play, solution)
        if early or play.blocked or not play.progress.succeeded:
            return False
    return True


def after(stage: Stage) -> Tuple[SubGoal, ...]:
    """Return what follows on every plan."""
    return (SubGoal(*HOME, 0, stage.plan[-1].open),) if stage.shows else ()


def shown(stage: Stage) -> Tuple[SubGoal, ...]:
    """Return what the picture of the goal shows the end of."""
    aside = SubGoal(*ASIDE, 0, stage.plan[-1].open)
    return (*stage.plan, aside, *after(stage)) if stage.shows else (aside, *stage.plan)


def _carry_out(play: Play, goals: Sequence[SubGoal]) -> None:
    for goal in goals:
        play.act(discrete_target(goal.values()))


def outcomes(scenes: Iterable[str], workers: int, folder: Optional[Path] = None) -> Iterator[Tuple[str, bool]]:
    """Yield every scene, in order, with whether its solution solves it; the iterator may be left early.

    What was tried before is read from a file in ``folder`` (default: the user's cache), and what is tried is added.
    """
    path = (folder or user_cache() / "manip") / f"solved-{_digest_of_the_code()[:16]}.jsonl"
    known = _read(path)
    print(f"solutions that were tried are kept in {path} ({len(known)} so far)", file=sys.stderr)
    waiting = iter(scenes)
    with _tried_by(workers) as tried, path.open("a", encoding="utf-8") as kept:
        while batch := list(itertools.islice(waiting, _BATCH * workers)):
            new = tried([scene for scene in batch if scene not in known])
            for scene in batch:
                if scene not in known:
                    known[scene] = next(new)
                    kept.write(json.dumps({"scene": scene, "solved": known[scene]}) + "\n")
                    kept.flush()
                yield scene, known[scene]


@contextmanager
def _tried_by(workers: int) -> Iterator[Callable[[List[str]], Iterator[bool]]]:
    """Yield what tries scenes in order, by so many processes."""
    if workers == 1:
        yield lambda scenes: map(is_solved, scenes)
        return
    from multiprocessing import get_context  # every command loads the task, and few draw episodes

    with get_context("spawn").Pool(workers, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield lambda scenes: pool.imap(is_solved, scenes)


def _digest_of_the_code() -> str:
    """Return the digest of what an outcome stands on; the arm's package is never imported, so it is named."""
    return digest_of_sources([Path(__file__)], [metadata.version("gymnasium-robotics")])


def _read(path: Path) -> Dict[str, bool]:
    """Return the outcomes in a file, which is made where there is none; a line that was cut off is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return {line["scene"]: line["solved"] for line in map(json.loads, whole.splitlines())}
