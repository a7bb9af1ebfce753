"""Probes of files, devices and what the kernel shows; what succeeds is only opened, or removed at once."""

from __future__ import annotations

import os
from pathlib import Path

from tests.docker.probe_plugin.attempts import Facts, all_denied, attempt


def write_outside(facts: Facts) -> str:
    folders = ("/", "/usr", "/usr/bin", "/etc", "/plugin", "/opt", "/root", "/home", "/var", "/var/tmp", "/run", "/dev")

    def write(folder: str) -> str:
        file = Path(folder) / f"probe-{facts['token']}"
        file.touch()
        file.unlink()
        return "written"

    return all_denied({folder: attempt(write, folder) for folder in folders})


def kernel_settings(facts: Facts) -> str:
    """Files through which the kernel is told what to do: opened for writing, never written."""
    files = ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/proc/irq/0/spurious"]
    files += ["/sys/kernel/mm/transparent_hugepage/enabled", "/sys/module/kernel/parameters/panic"]
    files += ["/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/pids/cgroup.procs"]
    files += ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cgroup.procs"]

    def open_to_write(file: str) -> str:
        os.close(os.open(file, os.O_WRONLY))
        return "opened"

    return all_denied({file: attempt(open_to_write, file) for file in files})


def kernel_secrets(facts: Facts) -> str:
    """Files that show the kernel's memory, keys and log."""
    files = ("/proc/kcore", "/proc/kmsg", "/dev/kmsg", "/dev/mem", "/dev/port", "/etc/shadow", "/proc/1/environ")

    def read(file: str) -> str:
        with open(file, "rb") as opened:  # noqa: PTH123
            if file.startswith("/etc"):
                return f"{len(opened.read(64))} bytes"
        return "opened"

    shown = [file for file in files if file != "/proc/1/environ" or os.geteuid() == 0]
    return all_denied({file: attempt(read, file) for file in shown})


def devices(facts: Facts) -> str:
    usual = {"fd", "stdin", "stdout", "stderr", "null", "zero", "full", "random", "urandom", "tty", "console"}
    usual |= {"ptmx", "pts", "shm", "mqueue", "core"}
    return all_denied({name: "allowed: there" for name in os.listdir("/dev") if name not in usual})  # noqa: PTH208


def make_device(facts: Facts) -> str:
    """A node of the device that is always empty; a disk's would be made in the same way."""

    def make() -> str:
        path = f"/tmp/null-{facts['token']}"
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
        os.unlink(path)  # noqa: PTH108
        return "made"

    return attempt(make)


def host_files(facts: Facts) -> str:
    """A secret of this test, the checkout, the homes cache, another container's socket folder."""
    return all_denied({path: attempt(os.lstat, path) for path in facts["paths"]})


def fill_tmpfs(facts: Facts) -> str:
    return all_denied({folder: _filled(folder, facts) for folder in ("/tmp", "/dev/shm")})


def _filled(folder: str, facts: Facts) -> str:
    files = [Path(folder) / f"fill-{facts['token']}-{number}" for number in range(int(facts["fill_mib"]))]

    def fill() -> str:
        for file in files:
            file.write_bytes(b"\1" * 2**20)
        return f"{len(files)} MiB"

    try:
        return attempt(fill)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def huge_file(facts: Facts) -> str:
    def grow() -> str:
        with (Path("/tmp") / f"huge-{facts['token']}").open("wb") as file:
            os.unlink(file.name)  # noqa: PTH108
            os.truncate(file.fileno(), 2**33)
        return "8 GiB, sparse"

    return attempt(grow)


def persistence(facts: Facts) -> str:
    """What an earlier container left; each leaves a mark in every place that can be written."""
    found = []
    for folder in ("/tmp", "/dev/shm", "/dev/mqueue", "/run/wiw"):
        mark = Path(folder) / f"mark-{facts['token']}"
        if mark.exists():
            found.append(str(mark))
        elif os.access(folder, os.W_OK):
            mark.touch()
    return f"allowed: {found}" if found else "denied: nothing is left"
