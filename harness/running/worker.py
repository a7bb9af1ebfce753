"""A worker process: `python -m harness.running.worker --run DIR --worker N --plan FD --parent PID`.

The plan comes from the main process, never from the run folder, which may be a stranger's or be changed meanwhile.
Reads `Play` messages on standard input and answers on standard output, one JSON object a line. It keeps its player
(environment and world model) over episodes and makes a new one after a failure. It writes the episode's files; the
journal belongs to the main process alone.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import BinaryIO, Callable, NoReturn, Optional

from harness.contracts.episodes import Episode
from harness.contracts.errors import (
    DeadlineExceeded,
    EpisodeError,
    ModelFault,
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
from harness.running.messages import (
    Abort,
    Again,
    Finished,
    Message,
    Play,
    Ready,
    StartFailed,
    Starting,
    decode,
    encode,
)
from harness.running.plan import RunPlan, decode_plan
from harness.running.player import Player, make_player
from harness.runtimes.service import ENVIRONMENT, WORLD_MODEL

_PR_SET_PDEATHSIG = 1
_LAST_WORDS_S = 5.0


class Worker:
    """Plays what it is told to, one episode at a time."""

    def __init__(self, folder: RunFolder, plan: RunPlan, number: int, say: Callable[[Message], None]) -> None:
        self._folder = folder
        self._say = say
        self._plan = plan
        self._number = number
        self._logs = folder.logs / f"services-{number}"
        self._player: Optional[Player] = None
        self._has_played = False
        model = self._plan.world_model
        if model is not None and NETWORK in model.manifest.get("needs", ()):
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
                return _abort(machine)
            if isinstance(error, (Refusal, SpecMismatch, RecordError)):
                return _abort(error)
            return StartFailed(_sentence(error))
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
            return _abort(error)
        machine = storage_error(error)
        if machine is not None:
            return _abort(machine)
        if isinstance(error, (ServiceError, OSError, MemoryError)):
            return Again(self._told(error))
        return Finished(self._unplayed(episode, order, ERROR, error))

    def _unplayed(self, episode: Episode, order: Play, state: str, error: Exception) -> EpisodeResult:
        return EpisodeResult(episode.id, episode.home, order.seed, state, {}, "", self._told(error))

    def _told(self, error: Exception) -> str:
        """Return an error in words, with the log that says more, below the run folder."""
        sentence = _sentence(error)
        log = self._logs / f"{_failed_service(error)}.log"
        log = log if log.exists() else self._folder.worker_log(self._number)
        return sentence if str(log) in sentence else f"{sentence} (log: {log.relative_to(self._folder.path)})"


def _failed_service(error: Exception) -> str:
    """Return the kind of service whose log explains ``error``; "" for none."""
    if isinstance(error, (ModelFault, RolloutError)):
        return WORLD_MODEL
    return ENVIRONMENT if isinstance(error, (ServiceError, EpisodeError)) else ""


def log_traceback() -> None:
    """Write the present exception to the worker's log; one that cannot be written must not become another failure."""
    with suppress(OSError):
        traceback.print_exc()


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, WiwError) else f"{type(error).__name__}: {error}"


def _abort(error: WiwError) -> Abort:
    return Abort(type(error).__name__, error.what, error.next_step)


def die_with(parent: int) -> None:
    """Make the kernel kill this process when its parent dies, however that happens.

    SIGKILL, because a worker that plays on after its run was killed could write into a resumed run. Services started
    by the worker watch their own parent. The kernel watches the thread that started this process, so workers are
    started by a thread that stays for the whole run. The parent may have died before the call; then this ends here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _protected_stdout() -> BinaryIO:
    """Return the pipe to the main process, and send all other output of this process to the log (standard error)."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def _read_orders(orders: SimpleQueue[Optional[Play]]) -> None:
    """Put each order into the queue, and None at the end of input; end the process when nobody plays on.

    Read without a buffer, since Python cannot exit cleanly while a thread waits inside a buffered standard input.
    """
    with io.FileIO(0, closefd=False) as lines:
        for line in lines:
            message = decode(line)
            if isinstance(message, Play):
                orders.put(message)
    orders.put(None)
    time.sleep(_LAST_WORDS_S)
    os._exit(1)


def _on_terminate(number: int, frame: Optional[FrameType]) -> NoReturn:
    raise SystemExit(128 + number)


def _serve(worker: Worker, pipe: BinaryIO, orders: SimpleQueue[Optional[Play]]) -> None:
    """Answer orders until there are no more; SIGTERM ends it as well, and the player is closed either way."""
    try:
        message = worker.start()
        _say(pipe, message)
        if not isinstance(message, Ready):
            return
        while (order := orders.get()) is not None:
            _say(pipe, worker.answer(order))
    except BrokenPipeError:
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        worker.close()


def _say(pipe: BinaryIO, message: Message) -> None:
    pipe.write(encode(message))
    pipe.flush()


def main() -> None:
    """Run a worker until its input ends or its parent dies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the run folder")
    parser.add_argument("--worker", type=int, required=True, help="the worker's number, for its logs")
    parser.add_argument("--plan", type=int, required=True, help="descriptor of an open file with the plan")
    parser.add_argument("--parent", type=int, required=True, help="pid of the main process")
    arguments = parser.parse_args()
    die_with(arguments.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _on_terminate)
    pipe = _protected_stdout()
    orders: SimpleQueue[Optional[Play]] = SimpleQueue()
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    with os.fdopen(arguments.plan, "rb") as file:
        plan = decode_plan(file.read())
    worker = Worker(RunFolder.open(arguments.run), plan, arguments.worker, lambda message: _say(pipe, message))
    _serve(worker, pipe, orders)


if __name__ == "__main__":
    main()
