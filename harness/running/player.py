"""What a worker plays with, by name: real runs and tests use different classes behind one protocol."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.trajectories import PlayedEpisode
from harness.running.plan import RunPlan


class Starting(Protocol):
    """Called with a service's name before it is started, which can take minutes, and with what it is doing then."""

    def __call__(self, service: str, doing: str = "") -> None: ...


def unheard(service: str, doing: str = "") -> None:
    """Tell nobody."""


class Player(Protocol):
    """Plays one episode after another in a worker process.

    Made as ``Class(plan, logs, starting)``, where ``logs`` is a folder of its own for the logs of services. An
    EpisodeError means that this episode cannot be played; after any other error the worker closes the player and makes
    a new one.
    """

    def play(self, episode: Episode, seed: int) -> PlayedEpisode:
        """Play ``episode`` from its start; the outcome depends on the plan's identity, the episode and the seed."""

    def close(self) -> None:
        """Stop services and free what is held."""


def make_player(plan: RunPlan, logs: Path, starting: Starting = unheard) -> Player:
    """Return a new player of the class that ``plan.player`` names; raise Refusal when there is none."""
    module_name, _, class_name = plan.player.partition(":")
    try:
        player_class = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise Refusal(f"cannot load the player {plan.player!r}: {error}.", "Give it as module:Class.") from error
    player: Player = player_class(plan, logs, starting)
    return player
