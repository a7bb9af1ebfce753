"""World models that behave badly inside a container, each in one way."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel

SHARED = Path("/run/wiw")


class Echo(WorldModel):
    """Behaves well: says who it is and repeats the view."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        print(f"imagining as user {os.getuid()}, process {os.getpid()}")
        frames = np.repeat(request.view[None], len(request.frames), axis=0)
        return Rollout(request.id, frames, request.camera)


class Refuses(Echo):
    """Says what it lacks."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        raise Refusal("it lacks a key.", "Get one.")


class SlowToLoad(Echo):
    """Never gets ready."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.load_weights_forever()

    def load_weights_forever(self) -> None:
        while True:
            time.sleep(1)


class Crashes(Echo):
    """Dies in native code while imagining."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        ctypes.string_at(0)
        return super().imagine(request)


class EatsMemory(Echo):
    """Takes memory until the kernel ends it."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        hoard = []
        while True:
            hoard.append(np.ones(2**21))


class FillsSharedFolder(Echo):
    """Fills the socket folder while it loads, through files that it unlinks at once."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.files = []
        for number in range(1000):
            path = SHARED / f"filling-{number}"
            file = path.open("wb")
            path.unlink()
            self.files.append(file)
            for _ in range(16):
                file.write(b"\1" * 2**20)


class Deaf(Echo):
    """Holds the interpreter in native code while imagining, so that SIGTERM is not heard."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        libc = ctypes.PyDLL(None)
        while True:
            libc.sleep(1000)


class Talks(Echo):
    """Prints without end."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        for _ in range(int(os.environ["LINES"])):
            print("x" * 1023)
        return super().imagine(request)


class MissingLibrary(Echo):
    """Needs a library that is not in the image."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        ctypes.CDLL("libcublas.so.12")


class PutsALinkInPlace(Echo):
    """Puts a link to a host path where its socket belongs, and waits."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        (SHARED / "service.sock").symlink_to("/var/run/docker.sock")
        time.sleep(1000)


class SwapsItsSocket(Echo):
    """Tries to replace its socket by a link, once it serves."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        try:
            (SHARED / "service.sock").symlink_to("/etc/passwd")
            print("swapped")
        except OSError as error:
            print(f"not swapped: {error}")
        return super().imagine(request)


class LeavesAMess(Echo):
    """Leaves closed folders and links in the socket folder, and never ends by itself."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        signal.signal(signal.SIGTERM, signal.SIG_IGN) if threading.current_thread() is threading.main_thread() else None
        deep = SHARED / "mess" / "deep"
        deep.mkdir(parents=True)
        (deep / "file").write_text("x")
        (SHARED / "outside").symlink_to("/etc")
        deep.chmod(0)
        print(f"left a mess under Python {sys.version_info[0]}", flush=True)


class StartsThreads(Echo):
    """Starts more threads than it may."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        for _ in range(1000):
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        return super().imagine(request)


class Writes(Echo):
    """Reports what it may write and what it sees."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        for path in ("/probe", "/usr/probe", "/tmp/probe", "/dev/shm/probe", "/run/wiw/probe", "/run/probe"):
            try:
                Path(path).write_text("x")
                print(f"wrote {path}")
            except OSError as error:
                print(f"denied {path}: {error.strerror}")
        print(f"interfaces {sorted(os.listdir('/sys/class/net'))}")  # noqa: PTH208
        status = Path("/proc/self/status").read_text()
        print([line for line in status.splitlines() if line.startswith(("CapEff", "NoNewPrivs", "Seccomp:"))])
        return super().imagine(request)
