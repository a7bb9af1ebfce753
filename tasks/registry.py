"""The tasks by name, and what each task's module offers."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Mapping, Optional, Protocol, Tuple, cast

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.judgements import Judge
from harness.contracts.metrics import MetricSpec, check_metrics, in_order
from harness.contracts.names import nearest
from harness.contracts.trajectories import PlayedEpisode
from harness.planning import common_metrics
from harness.wire.sdk import Environment
from harness.worldmodels.imaginer import Imaginer
from tasks.suite import Tier


class PlayEpisode(Protocol):
    """Plays one episode from reset to its metrics."""

    def __call__(
        self,
        environment: Environment,
        imaginer: Optional[Imaginer],
        episode: Episode,
        tier: Tier,
        seed: int,
        wm: str,
        stop: str,
    ) -> PlayedEpisode: ...


@dataclass(frozen=True)
class Task:
    """A task: its name, one line of what is asked, how an episode is played, how its record is judged, what is measured
    (its own metrics and those that every task has), and the capabilities that it needs of an environment."""

    name: str
    summary: str
    play_episode: PlayEpisode
    judge: Judge
    metrics: Tuple[MetricSpec, ...]
    needs: Tuple[str, ...]


_MODULES: Mapping[str, str] = {"ignav": "tasks.ignav.task"}


def list_tasks() -> Tuple[str, ...]:
    """Return the names of all tasks, sorted."""
    return tuple(sorted(_MODULES))


def load_task(name: str) -> Task:
    """Return the task called ``name``; Refusal names the nearest one."""
    if name not in _MODULES:
        raise Refusal(f"there is no task {name!r}.", nearest(name, _MODULES))
    module = import_module(_MODULES[name])
    metrics = in_order((*module.METRICS, *common_metrics.METRICS))
    check_metrics(metrics)
    play, judge = cast(PlayEpisode, module.play_episode), cast(Judge, module.judge)
    return Task(name, module.SUMMARY, play, judge, metrics, module.NEEDS)
