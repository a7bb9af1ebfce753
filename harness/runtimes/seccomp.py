"""The system calls that a container may make: an allowlist for programs without any capability.

The engine's default profile differs between engines, lets programs make 32-bit calls, and in engines before 23.0
opens sockets of the family VSOCK, which reach the hypervisor below a virtual machine whatever the container's network.
This list is one for all engines and narrower: a container holds no capability, so nothing here depends on one; sockets
are those of four families; calls that read another process or hand work to the kernel's own threads are left out.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

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
