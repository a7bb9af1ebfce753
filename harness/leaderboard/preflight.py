"""Plays a few unscored episodes of a plugin image exactly as a submission's are played, and says what would go wrong.

Its episodes are validation episodes in the sandbox, with a run's own limits and deadlines. How well they went is not
told: a preflight that tells would be a second, unlimited way to try things out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from harness.contracts.errors import Refusal, SpecMismatch, WiwError
from harness.contracts.results import PLANNED, PLAYED, EpisodeResult
from harness.leaderboard.technical_failures import OTHER, REMEDIES, WRONG_SHAPE, cause_of
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.progress import ProgressCallback
from harness.running.run_options import RunOptions
from tasks.fresh_homes import TEST
from tasks.suite import load_suite

EPISODES = 3
REFUSED = "refused"
"""The cause of a plugin that ended the run itself: it refused to start."""
NOT_PLAYED = "not-played"
"""The cause of an episode that the run did not come to, since those before it had failed."""


@dataclass(frozen=True)
class Tried:
    """One episode of a preflight: the code of its technical failure and its words, "" where it was played.

    ``seconds`` are those of the whole episode, None where it was not played.
    """

    episode: str
    cause: str
    error: str
    seconds: Optional[float]

    @property
    def remedy(self) -> str:
        """Return what to do about the cause; "" where there is none."""
        return REMEDIES.get(self.cause, "") if self.cause else ""


@dataclass(frozen=True)
class Preflight:
    """What a preflight found: its episodes, or why not even one could be begun (``cause`` and ``error``).

    ``test_episodes`` is how many a submission plays, ``hours`` how long a worker will take for them at this pace, None
    where no episode was played.
    """

    image: str
    model: str
    tier: str
    episodes: tuple[Tried, ...]
    cause: str
    error: str
    elapsed_s: float
    test_episodes: int
    hours: Optional[float]
    logs: str

    @property
    def passed(self) -> bool:
        """Say whether every episode was played to its end, solved or not."""
        return bool(self.episodes) and not self.cause and not any(tried.cause for tried in self.episodes)


def options_of(image: str, wm: str, task: str, suite: str, tier: str, wm_gpu: str) -> RunOptions:
    """Return the options of a preflight's run; Refusal for an image or a model that is not named."""
    if not image or not task:
        raise Refusal("a preflight needs --image and --task.", "For example: submit --preflight --image IMAGE --wm ...")
    return RunOptions(wm, task, suite, tier, episodes=str(EPISODES), wm_image=image, wm_gpu=wm_gpu)


def preflight(options: RunOptions, out: Path, on_progress: ProgressCallback) -> Preflight:
    """Play the episodes of a preflight below ``out``, where logs stay; Refusal for a question that cannot be asked.

    What the plugin does is never an error of this function.
    """
    plan = make_plan(options)
    folder = runs.create(plan, out)
    began = time.monotonic()
    ended: Optional[WiwError] = None
    try:
        outcome = runs.play(folder, plan, on_progress)
        if outcome.interrupted and not outcome.stopped:
            raise KeyboardInterrupt
    except WiwError as error:
        ended = error
    return _found(plan, folder, ended, time.monotonic() - began)


def _found(plan: RunPlan, folder: RunFolder, ended: Optional[WiwError], elapsed_s: float) -> Preflight:
    identity = plan.identity
    tried = tuple(_tried(row.result) for row in folder.rows()) if ended is None else ()
    known = [one.seconds for one in tried if one.seconds is not None]
    asked = len(load_suite(identity.suite, identity.task).episodes(identity.tier, TEST))
    return Preflight(
        image=identity.wm_image.reference if identity.wm_image else "",
        model=identity.wm,
        tier=identity.tier,
        episodes=tried,
        cause=_cause(ended),
        error=str(ended or ""),
        elapsed_s=elapsed_s,
        test_episodes=asked,
        hours=asked * sum(known) / len(known) / 3600.0 if known else None,
        logs=str(folder.logs),
    )


def _tried(result: EpisodeResult) -> Tried:
    if result.state in PLAYED:
        return Tried(result.episode, "", "", result.timings.get("episode", 0.0))
    cause = NOT_PLAYED if result.state == PLANNED else cause_of(result.error)
    return Tried(result.episode, cause, result.error, None)


def _cause(error: Optional[WiwError]) -> str:
    """Return the code of what ended the whole run; "" where nothing did."""
    if error is None:
        return ""
    if isinstance(error, SpecMismatch):
        return WRONG_SHAPE
    found = cause_of(str(error))
    return REFUSED if found == OTHER and isinstance(error, Refusal) else found
