"""The worker of a run: plays episodes and writes their files; the journal belongs to the main process alone.

It keeps its player (environment and world model) over episodes and makes a new one after a failure.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

from harness.contracts.episodes import Episode
from harness.contracts.errors import (
    DeadlineExceeded,
    EpisodeError,
    ModelFault,
    PolicyFault,
    ProposalError,
    Refusal,
    RolloutError,
    ServiceError,
    SpecMismatch,
    WiwError,
)
from harness.contracts.manifests import NETWORK, SPENDING
from harness.contracts.results import ERROR, FAILED, OK, TIMEOUT, EpisodeResult
from harness.contracts.storage import storage_error
from harness.records.episode_files import make_record, write_record
from harness.records.errors import RecordError
from harness.records.folder import RunFolder
from harness.records.identity import EpisodeKey
from harness.records.notes import add_notes
from harness.running.messages import Abort, Again, Finished, Message, Play, Ready, StartFailed, Starting
from harness.running.plan import RunPlan, decode_plan
from harness.running.player import Player, make_player
from harness.running.shared_model import shared_logs
from harness.running.worker_loop import abort, log_traceback, sentence, serve
from harness.runtimes.service import ENVIRONMENT, POLICY, WORLD_MODEL


class Worker:
    """Plays what it is told to, one episode at a time."""

    def __init__(self, folder: RunFolder, plan: RunPlan, number: int, say: Callable[[Message], None]) -> None:
        self._folder = folder
        self._say = say
        self._plan = plan.of_worker(number)
        self._number = number
        self._logs = folder.logs / f"services-{number}"
        self._player: Optional[Player] = None
        self._has_played = False
        models = (self._plan.world_model, self._plan.policy)
        if any(model is not None and NETWORK in model.manifest.get("needs", ()) for model in models):
            os.environ[SPENDING] = str(folder.spent.absolute())  # its service, a process, inherits it

    def start(self) -> Message:
        """Make the player; say whether the worker is ready."""
        try:
            self._ready_player()
        except Exception as error:
            log_traceback()
            if isinstance(error, ModelFault):  # another worker would only start the same
                return Abort(WiwError.__name__, error.what, error.next_step)
            machine = storage_error(error)
            if machine is not None:
                return abort(machine)
            if isinstance(error, (Refusal, SpecMismatch, RecordError)):
                return abort(error)
            return StartFailed(sentence(error))
        return Ready(os.getpid())

    def answer(self, order: Play) -> Message:
        """Play one episode, record it, and say how it ended; no error escapes."""
        episode = self._plan.identity.episode(order.episode)
        try:
            return self._play(episode, order)
        except EpisodeError as error:
            log_traceback()
            return Finished(self._unplayed(episode, order, ERROR, error))
        except Exception as error:
            log_traceback()
            self.close()
            return self._after_failure(episode, order, error)

    def close(self) -> None:
        """Close the player, if there is one; an error in doing so is only logged."""
        player, self._player = self._player, None
        if player is None:
            return
        try:
            player.close()
        except Exception:
            log_traceback()

    def _ready_player(self) -> Player:
        if self._player is None:
            self._logs.mkdir(parents=True, exist_ok=True)
            self._has_played = False  # the new player has not: what it refuses concerns the whole run
            self._player = make_player(self._plan, self._logs, self._starting)
        return self._player

    def _starting(self, service: str, doing: str = "") -> None:
        self._say(Starting(service, doing))

    def _play(self, episode: Episode, order: Play) -> Finished:
        try:
            player = self._ready_player()
        except SpecMismatch as error:  # started again, it is not what the run was planned with: no episode's fault
            raise RecordError(error.what, error.next_step) from error
        began = time.monotonic()
        played = player.play(episode, order.seed)
        self._has_played = True
        result = EpisodeResult(
            episode=episode.id,
            home=episode.home,
            seed=order.seed,
            state=OK if played.trajectory.solved else FAILED,
            metrics=played.metrics,
            trajectory_digest=played.trajectory.digest(),
            timings={**played.timings, "play": time.monotonic() - began},
        )
        key = EpisodeKey(self._plan.identity.task, self._plan.identity.tier, episode.id, order.seed)
        played_at = time.monotonic()
        record = make_record(key, played, result, order.attempt, self._folder.plan_digest)
        try:
            write_record(self._folder.episodes, record, played)
        except Refusal as error:  # a folder that became read-only: nothing about the episode
            raise RecordError(error.what, "Fix that, then resume the run.") from error
        add_notes(self._folder.path, played.notes)
        now = time.monotonic()
        timings = {**result.timings, "record": now - played_at, "episode": now - began}
        return Finished(replace(result, timings=timings), record.record_digest)

    def _after_failure(self, episode: Episode, order: Play, error: Exception) -> Message:
        """Tell what is the episode's fault from what deserves another attempt or ends the run.

        A disk that fails ends the run, whatever it met first. What the submitted world model does is the episode's: a
        second try would count a model that fails now and then as one that does not. A refusal before anything was
        played concerns the whole run (a model of the wrong size); after that, it concerns the episode, and the run
        goes on. What is left are the harness's own faults.
        """
        if isinstance(error, DeadlineExceeded):
            return Finished(self._unplayed(episode, order, TIMEOUT, error))
        if isinstance(error, ModelFault):
            return Finished(self._unplayed(episode, order, ERROR, error))
        if isinstance(error, RecordError) or (isinstance(error, (Refusal, SpecMismatch)) and not self._has_played):
            return abort(error)
        machine = storage_error(error)
        if machine is not None:
            return abort(machine)
        if isinstance(error, (ServiceError, OSError, MemoryError)):
            return Again(self._told(error))
        return Finished(self._unplayed(episode, order, ERROR, error))

    def _unplayed(self, episode: Episode, order: Play, state: str, error: Exception) -> EpisodeResult:
        return EpisodeResult(episode.id, episode.home, order.seed, state, {}, "", self._told(error))

    def _told(self, error: Exception) -> str:
        """Return an error in words, with the log that says more, below the run folder."""
        told = sentence(error)
        failed = _failed_service(error)
        shared = failed == WORLD_MODEL and self._plan.model_sockets
        logs = shared_logs(self._folder, self._plan, self._number) if shared else self._logs
        log = logs / f"{failed}.log"
        log = log if log.exists() else self._folder.worker_log(self._number)
        return told if str(log) in told else f"{told} (log: {log.relative_to(self._folder.path)})"


def _failed_service(error: Exception) -> str:
    """Return the kind of service whose log explains ``error``; "" for none."""
    if isinstance(error, (PolicyFault, ProposalError)):
        return POLICY
    if isinstance(error, (ModelFault, RolloutError)):
        return WORLD_MODEL
    return ENVIRONMENT if isinstance(error, (ServiceError, EpisodeError)) else ""


def make_worker(path: Path, plan: bytes, number: int, say: Callable[[Message], None]) -> Worker:
    """Return the worker of a run folder."""
    return Worker(RunFolder.open(path), decode_plan(plan), number, say)


if __name__ == "__main__":
    serve(make_worker)
