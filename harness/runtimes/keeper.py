"""The keeper: kills a service and removes its socket folder as soon as the harness is gone.

Run as a bare script, ``python -I -S keeper.py GROUP FOLDER``, with a pipe from the harness as its input. However
the harness ends, kill -9 included, the kernel closes the pipe. A watch inside the service cannot promise this:
native code may hold its interpreter, and a service that is killed cannot remove its own socket. The harness writes
one byte when it has stopped the service itself.
"""

import os
import shutil
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Wait for the harness's word or its end; in the second case clean up."""
    group, folder = int(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.read(0, 1):
        return
    with suppress(ProcessLookupError, PermissionError):  # the service may have ended by itself
        os.killpg(group, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.unlink(f"{folder}.lock")  # noqa: PTH108 (the owner's lock, which nobody holds any more)


if __name__ == "__main__":
    main()
