"""A worker's side of the pool: `python -m MODULE --folder DIR --worker N --plan FD --parent PID`.

The plan comes from the main process, never from the folder, which may be a stranger's or be changed meanwhile. A worker
reads `Play` messages on standard input and answers on standard output, one JSON object a line; all other output goes to
its log. It ends when its input ends, when it is told to, and when the main process dies.
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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import BinaryIO, NoReturn, Optional, Protocol

from harness.contracts.errors import WiwError
from harness.running.messages import Abort, Message, Play, Ready, decode, encode

_PR_SET_PDEATHSIG = 1
_LAST_WORDS_S = 5.0


class Doer(Protocol):
    """What a worker does; no error escapes."""

    def start(self) -> Message:
        """Get ready; `Ready`, or why not, after which the worker exits."""

    def answer(self, order: Play) -> Message:
        """Do what was ordered and say how it ended."""

    def close(self) -> None:
        """Close what is held."""


MakeDoer = Callable[[Path, bytes, int, Callable[[Message], None]], Doer]
"""Makes a worker's doer of the folder, the plan, the worker's number, and what it can say on its own."""


def serve(make: MakeDoer) -> None:
    """Run a worker until its input ends or its parent dies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the folder of the work")
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
        plan = file.read()
    _answer_all(make(arguments.folder, plan, arguments.worker, lambda message: _say(pipe, message)), pipe, orders)


def _answer_all(doer: Doer, pipe: BinaryIO, orders: SimpleQueue[Optional[Play]]) -> None:
    """Answer orders until there are no more; SIGTERM ends it as well, and what is held is closed either way."""
    try:
        message = doer.start()
        _say(pipe, message)
        if not isinstance(message, Ready):
            return
        while (order := orders.get()) is not None:
            _say(pipe, doer.answer(order))
    except BrokenPipeError:
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        doer.close()


def log_traceback() -> None:
    """Write the present exception to the worker's log; one that cannot be written must not become another failure."""
    with suppress(OSError):
        traceback.print_exc()


def sentence(error: Exception) -> str:
    """Return an error in words."""
    return str(error) if isinstance(error, WiwError) else f"{type(error).__name__}: {error}"


def abort(error: WiwError) -> Abort:
    """Return the message that ends the whole work with ``error``."""
    return Abort(type(error).__name__, error.what, error.next_step)


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Make the kernel send this process a signal when its parent dies, however that happens.

    SIGKILL for a worker, because one that plays on after its run was killed could write into a resumed run. Services
    started by the worker watch their own parent. The kernel watches the thread that started this process, so workers
    are started by a thread that stays for the whole run. The parent may have died before the call; then this ends here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
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


def _say(pipe: BinaryIO, message: Message) -> None:
    pipe.write(encode(message))
    pipe.flush()
