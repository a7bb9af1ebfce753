"""The sandbox: what every container may and may not do, as the arguments that it is created with.

One policy for all. An image that a stranger submitted runs under the same rules as our own, so that no list of
trusted images can be wrong; the two differ only in their mounts, of which a plugin has none but the socket folder.
Each line below has its reason beside it. `docs/security.md` has a test for each row.

System calls are an allowlist for programs without any capability. The engine's default profile differs between engines,
lets programs make 32-bit calls, and in engines before 23.0 opens sockets of the family VSOCK, which reach the
hypervisor below a virtual machine whatever the container's network. This list is one for all engines and narrower: a
container holds no capability, so nothing here depends on one; sockets are those of four families; calls that read
another process or hand work to the kernel's own threads are left out.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from harness.contracts.errors import Refusal
from harness.runtimes.service import ENVIRONMENT, GIB, ContainerLimits, ContainerSpec

_EPERM, _ENOSYS = 1, 38

_NATIVE = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")
"""64-bit calls alone: the 32-bit ``socketcall`` hides its arguments from a filter."""

SOCKET_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
"""Confined by the container's network namespace, in which there is nothing but its own loopback."""

_NAMESPACES = 0x7E020000
"""The clone flags of namespaces: mount, cgroup, UTS, IPC, user, PID, network."""

_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux as usual, with 32-bit addresses or the old version number, and the question which it is."""

_FILES = """
    access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
    fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr
    fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch
    inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
    ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod
    mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev
    pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr
    splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime
    utimensat utimes vmsplice write writev
"""
_MEMORY = """
    brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap
    mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages
"""
_PROCESSES = """
    arch_prctl capget capset execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getegid
    geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid
    gettid getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self pause
    pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease restart_syscall rseq rt_sigaction rt_sigpending
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list
    set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority setregid setresgid
    setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill tkill uname vfork wait4 waitid
"""
_WAITING = """
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
    eventfd2 futex futex_requeue futex_wait futex_waitv futex_wake poll ppoll pselect6 select signalfd signalfd4
"""
_TIME = """
    adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday getrandom nanosleep
    setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
    timerfd_gettime timerfd_settime times
"""
_MESSAGES = """
    accept accept4 bind connect getpeername getsockname getsockopt listen mq_getsetattr mq_notify mq_open
    mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom recvmmsg recvmsg semctl semget semop
    semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketpair
"""

_ALLOWED = " ".join((_FILES, _MEMORY, _PROCESSES, _WAITING, _TIME, _MESSAGES)).split()


def profile() -> dict[str, Any]:
    """Return the profile in the engine's form; a call that it does not name fails with EPERM.

    A kernel or engine that does not know a name ignores it. ``clone3`` hides its flags behind a pointer, so it fails
    with ENOSYS and the C library takes ``clone``, which may make no namespace.
    """
    calls = [_allow(_ALLOWED)]
    calls += [_allow(["socket"], _argument(family)) for family in SOCKET_FAMILIES.values()]
    calls += [_allow(["personality"], _argument(kind)) for kind in _PERSONALITIES]
    calls.append(
        _allow(["clone"], {"index": 0, "value": _NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}),
    )
    calls.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "archMap": [{"architecture": native, "subArchitectures": []} for native in _NATIVE],
        "syscalls": calls,
    }


@lru_cache(maxsize=1)
def security_option() -> str:
    """Return the profile as one of the engine's ``security_opt``."""
    return "seccomp=" + json.dumps(profile(), separators=(",", ":"))


def _allow(names: list[str], argument: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ALLOW", "args": [argument] if argument else []}


def _argument(value: int) -> dict[str, Any]:
    """Return the condition that the first argument is ``value``."""
    return {"index": 0, "value": value, "op": "SCMP_CMP_EQ"}


SOCKET_TARGET = "/run/wiw"
"""Where a container sees its socket folder."""

NOBODY = 65532
"""The user and group of an environment that writes to a folder of the host, which is then its own."""

FIRST_USER = 0x7000_0000
USERS = 2**24
"""Where the harness is root, every other container gets a user and group of its own from these, which no system hands
out: the kernel counts watches, pipes, message queues and pending signals by user, so that two containers of one user
could use up each other's."""

READ_ONLY_PATHS = ("/proc",)
"""Its files would let a container lower its `OOM_SCORE` again. The SDK has no word for it."""

OPEN_FILES = 4096
OOM_SCORE = 500
MIN_MEMORY = 64 * 1024**2
MIN_SHARED_MEMORY = 1024**2

_VARIABLES = {
    "HOME": "/tmp",  # caches of libraries go where writing is possible
    "TMPDIR": "/tmp",
    "USER": "wiw",  # the user id has no entry in the image's /etc/passwd, and some libraries ask for the name
    "LOGNAME": "wiw",
    "PYTHONUNBUFFERED": "1",  # what was said before a crash reaches the log
    "PYTHONFAULTHANDLER": "1",  # a native crash leaves the Python stack in the log
    "PYTHONDONTWRITEBYTECODE": "1",  # the root is read-only
}


def container_user(spec: ContainerSpec, taken: Collection[int] = ()) -> tuple[int, int]:
    """Return the user and group id that a container runs as; ``taken`` are the ids of the others.

    The harness must be able to remove whatever a container leaves in the socket folder. Root can remove anything, so
    each container gets an id of its own, but for those that write to one folder of the host; any other user can
    remove only what is its own.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if any(mount.writable for mount in spec.mounts):
        return NOBODY, NOBODY
    while (user := FIRST_USER + secrets.randbelow(USERS)) in taken:
        pass
    return user, user


def creation_arguments(
    spec: ContainerSpec, kind: str, user: tuple[int, int], variables: dict[str, str]
) -> dict[str, Any]:
    """Return the arguments of the SDK's ``create_container`` for a service of ``kind``, without those of its host.

    ``user`` are user and group id; ``variables`` are added to the environment.
    """
    return {
        "image": spec.image_id,  # an id, never a tag that may move
        "user": f"{user[0]}:{user[1]}",  # never root, whatever the image says
        "environment": {**_VARIABLES, **gpu_variables(spec.gpu_uuid, kind), **variables},
        "hostname": "wiw",  # nothing about the host
        "healthcheck": {"test": ["NONE"]},  # the harness asks itself; the image's own check would run code beside it
        "stdin_open": False,
    }


def host_arguments(spec: ContainerSpec, kind: str, socket_folder: str, cores: int) -> dict[str, Any]:
    """Return the arguments of the SDK's ``create_host_config``: what the container may do on its host.

    ``socket_folder`` is the host folder mounted at `SOCKET_TARGET`; ``cores`` is the number of the engine's CPUs, above
    which it refuses a limit. Pure: the engine is not asked.
    """
    check_limits(spec.limits)
    return {
        **_confinement(),
        **_allowance(spec.limits, cores),
        "mounts": _mounts(spec, socket_folder),
        "device_requests": _device_requests(spec.gpu_uuid, kind),
    }


def check_limits(limits: ContainerLimits) -> None:
    """Raise Refusal for limits under which nothing runs, with the field's name; the engine's own words are obscure."""
    least = {
        "memory_bytes": MIN_MEMORY,
        "cpus": 0.01,
        "pids": 8,
        "tmpfs_bytes": 1,
        "shm_bytes": MIN_SHARED_MEMORY,
        "file_bytes": 1,
    }
    for name, floor in least.items():
        value = getattr(limits, name)
        if value < floor:
            raise Refusal(f"the container limit {name} is {value}.", f"Use at least {floor}.")


def describe_limits(limits: ContainerLimits) -> str:
    """Return the limits in words, for messages."""
    return (
        f"memory {limits.memory_bytes / GIB:.3g} GiB, {limits.cpus:g} CPUs, {limits.pids} processes and threads, "
        f"/tmp {limits.tmpfs_bytes / GIB:.3g} GiB, /dev/shm {limits.shm_bytes / GIB:.3g} GiB, "
        f"files up to {limits.file_bytes / GIB:.3g} GiB"
    )


def _confinement() -> dict[str, Any]:
    return {
        "network_mode": "none",  # no network of any kind: the socket folder is the only way in or out
        "read_only": True,  # the image cannot be changed, and nothing can be left on the host's disk
        "cap_drop": ["ALL"],  # no capability, though the user is not root already
        # A set-user-id program gives nothing; and only harmless system calls, the same on every engine.
        "security_opt": ["no-new-privileges:true", security_option()],
        "privileged": False,
        "ipc_mode": "private",  # no shared memory or semaphores of others
        "pid_mode": None,  # its own processes alone
        "devices": [],  # none but its GPU, by device request
        "init": True,  # reaps what the service leaves, and passes SIGTERM on
        # The harness reads the output as it comes and keeps a limited part: the engine stores nothing on disk.
        "log_config": {"type": "none"},
        "oom_score_adj": OOM_SCORE,  # when the host runs out of memory, a container goes before the harness
        "restart_policy": {"Name": "no"},  # the harness decides; a container that comes back would be nobody's
    }


def _allowance(limits: ContainerLimits, cores: int) -> dict[str, Any]:
    return {
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,  # the same number: no swap beside it
        "nano_cpus": int(min(limits.cpus, cores) * 1e9),
        "pids_limit": limits.pids,  # a fork bomb ends here
        "shm_size": limits.shm_bytes,
        # Files here may be executed: torch and Triton load what they compile, and code that already runs as it likes
        # in this container gains nothing by it. They count as memory of the container.
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,exec,size={limits.tmpfs_bytes},mode=1777"},
        "ulimits": [
            {"name": "fsize", "soft": limits.file_bytes, "hard": limits.file_bytes},  # no huge file anywhere
            {"name": "nofile", "soft": OPEN_FILES, "hard": OPEN_FILES},
            {"name": "core", "soft": 0, "hard": 0},  # a crash writes no core file
        ],
    }


def _mounts(spec: ContainerSpec, socket_folder: str) -> list[dict[str, Any]]:
    """Return the socket folder, and after it the folders that an environment needs."""
    mounts = [{"Type": "bind", "Source": socket_folder, "Target": SOCKET_TARGET, "ReadOnly": False}]
    for mount in spec.mounts:
        entry = {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": not mount.writable}
        mounts.append(entry)
    return mounts


def gpu_variables(gpu_uuid: str, kind: str) -> dict[str, str]:
    """Return the variables that NVIDIA's runtime obeys: this GPU, or none at all.

    Where that runtime is the engine's default, an image that says ``NVIDIA_VISIBLE_DEVICES=all`` would otherwise get
    every GPU of the machine without having been given one.
    """
    return {
        "NVIDIA_VISIBLE_DEVICES": gpu_uuid or "void",
        "NVIDIA_DRIVER_CAPABILITIES": ",".join(_driver_capabilities(kind)),
    }


def _device_requests(gpu_uuid: str, kind: str) -> list[dict[str, Any]]:
    if not gpu_uuid:
        return []
    return [{"device_ids": [gpu_uuid], "capabilities": [["gpu", *_driver_capabilities(kind)]]}]


def _driver_capabilities(kind: str) -> list[str]:
    """Return the parts of the driver that a service needs: a simulator draws, so it needs EGL as well."""
    return ["compute", "utility", "graphics"] if kind == ENVIRONMENT else ["compute", "utility"]
