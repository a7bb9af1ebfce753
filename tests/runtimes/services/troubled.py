"""World models that behave badly, each in one way. Runs under Python 3.9 too."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel


class Echo(WorldModel):
    """Behaves well: says which Python it runs under and repeats the view."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        print(f"imagining under {sys.version_info[0]}.{sys.version_info[1]}")
        frames = np.repeat(request.view[None], len(request.frames), axis=0)
        return Rollout(request.id, frames, request.camera)


class SlowToLoad(Echo):
    """Never gets ready."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.load_weights_forever()

    def load_weights_forever(self) -> None:
        while True:
            time.sleep(1)


class Refuses(Echo):
    """Says what it lacks."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        raise Refusal("it lacks a key.", "Get one:\n- here\n- or there")


class KilledWhileLoading(Echo):
    """Dies as if the kernel had run out of memory."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        os.kill(os.getpid(), signal.SIGKILL)


class Crashes(Echo):
    """Dies in native code while imagining."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        ctypes.string_at(0)
        return super().imagine(request)


class Deaf(Echo):
    """Cannot hear SIGTERM, and holds the interpreter in native code while imagining."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        hold_interpreter()
        return super().imagine(request)


class DeafSoon(Echo):
    """Holds the interpreter in native code from the moment that the file named by TRIGGER exists."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        threading.Thread(target=self.wait_for_trigger, daemon=True).start()

    def wait_for_trigger(self) -> None:
        while not os.path.exists(os.environ["TRIGGER"]):  # noqa: PTH110
            time.sleep(0.02)
        hold_interpreter()


class Parent(Echo):
    """Starts a process of its own and never stops it."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        child = subprocess.Popen(["sleep", "1000"])
        print(f"child {child.pid}")


def hold_interpreter() -> None:
    """Sleep in C in a loop, with the interpreter's lock held: no Python code of this process runs again."""
    libc = ctypes.PyDLL(None)
    while True:
        libc.sleep(1000)
