"""Probes of other processes, privileges and system calls; arguments are such that a success changes nothing."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence

from tests.docker.probe_plugin.attempts import Facts, Probe, all_denied, attempt, call, in_child


def fork_bomb(facts: Facts) -> str:
    most = int(facts["forks"])
    children: List[int] = []

    def fork() -> str:
        while len(children) < most:
            child = os.fork()
            if child == 0:
                signal_wait()
            children.append(child)
        return f"{most} processes"

    try:
        return attempt(fork)
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)


def signal_wait() -> None:
    """Wait until killed."""
    while True:
        os.read(os.pipe()[0], 1)


def other_processes(facts: Facts) -> str:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with_parent = [line for line in _lines(entry / "status") if line.startswith("PPid:")]
        parents[int(entry.name)] = int(with_parent[0].split()[1]) if with_parent else 1
    own = {1, os.getpid()}
    strange = [pid for pid, parent in parents.items() if pid not in own and parent not in own and parent != 0]
    return f"allowed: {len(strange)} processes" if strange else f"denied: only {sorted(parents)}"


def _lines(file: Path) -> Sequence[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def signal_harness(facts: Facts) -> str:
    return attempt(os.kill, int(facts["pid"]), 0)


def trace(facts: Facts) -> str:
    """Attach to a child, as a debugger does; another container's processes have no number here."""
    child = os.fork()
    if child == 0:
        signal_wait()
    try:
        return attempt(call, "ptrace", 16, child, None, None)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def shared_memory(facts: Facts) -> str:
    """System V memory that the test made on the host, by its key."""
    return attempt(call, "shmget", int(facts["shm_key"]), 0, 0)


def variables(facts: Facts) -> str:
    """A key in the environment of the harness."""
    found = [name for name, value in os.environ.items() if "probe-api-key-" in value and name != "PROBE_FACTS"]
    return f"allowed: {found}" if found else "denied: not there"


def identity(facts: Facts) -> str:
    status = dict(line.split(":\t", 1) for line in _lines(Path("/proc/self/status")) if ":\t" in line)
    wrong = [f"{name} {status[name]}" for name in status if name.startswith("Cap") and int(status[name], 16)]
    wrong += [
        f"{name} {status[name]}" for name, good in (("NoNewPrivs", "1"), ("Seccomp", "2")) if status[name] != good
    ]
    wrong += [f"{name} {status[name]}" for name in ("Uid", "Gid") if "0" in status[name].split()]
    return f"allowed: {wrong}" if wrong else f"denied: user {os.getuid()}, no capability"


def become_root(facts: Facts) -> str:
    steps: Dict[str, Callable[[], Any]] = {
        "setuid": lambda: os.setuid(0),
        "setgid": lambda: os.setgid(0),
        "setgroups": lambda: os.setgroups([0]),
    }
    return all_denied({name: in_child(step) for name, step in steps.items()})


def set_user_id_program(facts: Facts) -> str:
    """A program of the image that belongs to root and says as whom it runs."""
    user = subprocess.run(["/plugin/id_of_root", "-u"], capture_output=True, text=True, check=False).stdout.strip()
    return "allowed: root" if user == "0" else f"denied: user {user}"


def mounts(facts: Facts) -> str:
    folder = Path("/tmp") / f"mount-{facts['token']}"
    folder.mkdir(exist_ok=True)

    def mount() -> str:
        call("mount", b"none", os.fsencode(folder), b"tmpfs", 0, None)
        call("umount2", os.fsencode(folder), 2)
        return "mounted"

    return attempt(mount)


def namespaces(facts: Facts) -> str:
    kinds = {"user": 0x10000000, "mount": 0x20000, "network": 0x40000000, "process": 0x20000000}
    return all_denied({name: in_child(lambda flag=flag: call("unshare", flag)) for name, flag in kinds.items()})  # type: ignore[misc]


def change_root(facts: Facts) -> str:
    return in_child(lambda: os.chroot("/"))


def host_name(facts: Facts) -> str:
    return in_child(lambda: call("sethostname", b"probe", 5))


def priority(facts: Facts) -> str:
    steps: Dict[str, Callable[[], Any]] = {
        "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
        "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    }
    return all_denied({name: in_child(step) for name, step in steps.items()})


def raise_limits(facts: Facts) -> str:
    import resource

    def raise_limit(kind: int) -> str:
        _, hard = resource.getrlimit(kind)
        wanted = resource.RLIM_INFINITY if hard == resource.RLIM_INFINITY else hard + 1
        try:
            resource.setrlimit(kind, (wanted, wanted))
        except ValueError as error:
            raise OSError(errno.EPERM, str(error)) from error
        return f"raised {hard}"

    kinds = {"file size": resource.RLIMIT_FSIZE, "open files": resource.RLIMIT_NOFILE, "core": resource.RLIMIT_CORE}
    return all_denied({name: in_child(lambda kind=kind: raise_limit(kind)) for name, kind in kinds.items()})  # type: ignore[misc]


CALLS: Mapping[str, Sequence[int]] = {
    "clock_settime": (227, 0, 0),
    "settimeofday": (164, 1, 0),
    "reboot": (169, 1, 2, 3),
    "init_module": (175, 0, 0, 0),
    "keyctl": (250, 0, -3, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "bpf": (321, 999, 0, 0),
    "perf_event_open": (298, 0, 0, 0, 0, 0),
    "userfaultfd": (323, 0x7FFFFFFF),
    "io_uring_setup": (425, 1, 0),
    "open_by_handle_at": (304, -1, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 99),
    "pidfd_getfd": (438, -1, 0, 0),
    "setns": (308, -1, 0),
    "syslog": (103, 10, 0, 0),
}
"""Numbers of x86-64, with arguments that the kernel refuses with something else than EPERM, or that change nothing."""


_GETPID_32 = bytes.fromhex("b814000000cd80c3")
"""mov eax, 20; int 0x80; ret: asks for the process's id as a 32-bit program does."""


def call_of_32_bits(facts: Facts) -> str:
    """A system call by the old door, whose numbers and arguments a filter of 64-bit calls would misread."""
    return in_child(_call_as_32_bits)


def _call_as_32_bits() -> int:
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(_GETPID_32)
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    result: int = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if result < 0:
        raise OSError(-result, "int 0x80")
    return result


def life_after_a_call_of_32_bits(facts: Facts) -> str:
    """A thread that such a call ends, in a process that lives on without it and never answers again."""
    return in_child(lambda: _outlive(_call_as_32_bits))


def life_after_a_call_of_x32(facts: Facts) -> str:
    """The same with a call of x32: getpid with the bit that marks its numbers."""
    return in_child(lambda: _outlive(lambda: call("syscall", ctypes.c_long(0x40000000 | 39))))


def _outlive(foreign: Callable[[], Any]) -> str:
    def attempt_it() -> None:
        with suppress(OSError):  # a kernel without such calls; the thread lives
            foreign()

    thread = threading.Thread(target=attempt_it, daemon=True)
    thread.start()
    thread.join(1.0)
    return "the process lives"


def oom_score(facts: Facts) -> str:
    """Setting how soon the kernel ends this process when memory is short: before or after the harness."""
    return attempt(lambda: Path("/proc/self/oom_score_adj").write_text(Path("/proc/self/oom_score_adj").read_text()))


def kernel_call(name: str) -> Probe:
    """Return a probe that is denied only by EPERM: any other answer comes from behind the filter."""

    def probe(facts: Facts) -> str:
        try:
            return f"allowed: {call('syscall', *map(ctypes.c_long, CALLS[name]))}"
        except OSError as error:
            reached = error.errno != errno.EPERM
            return f"{'allowed' if reached else 'denied'}: {errno.errorcode.get(error.errno or 0)}"

    return probe
