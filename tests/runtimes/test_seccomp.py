"""The allowlist of system calls: what it must never name, and that it has one meaning."""

from __future__ import annotations

import json
from collections import Counter

from harness.runtimes.sandbox import profile, security_option

# fmt: off
DANGEROUS = {
    "acct", "add_key", "bpf", "chroot", "clock_settime", "delete_module", "fanotify_init", "finit_module",
    "init_module", "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
    "mount", "mount_setattr", "move_mount", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
    "pivot_root", "process_vm_readv", "process_vm_writev", "ptrace", "reboot", "request_key", "setdomainname",
    "sethostname", "setns", "settimeofday", "socketcall", "swapon", "syslog", "umount2", "unshare",
    "userfaultfd",
}
# fmt: on


def allowed() -> Counter[str]:
    return Counter(
        name for rule in profile()["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]
    )


def test_what_reaches_the_kernels_doors_is_not_named() -> None:
    assert not allowed().keys() & DANGEROUS
    assert profile()["defaultAction"] == "SCMP_ACT_ERRNO"


def test_a_call_is_named_once_unless_its_argument_is_limited() -> None:
    assert {name for name, count in allowed().items() if count > 1} == {"personality", "socket"}
    limited = {name for rule in profile()["syscalls"] if rule.get("args") for name in rule["names"]}
    assert limited == {"clone", "personality", "socket"}


def test_only_native_calls_are_let_through() -> None:
    assert all(entry["subArchitectures"] == [] for entry in profile()["archMap"])


def test_the_engine_gets_json() -> None:
    kind, _, text = security_option().partition("=")
    assert kind == "seccomp" and json.loads(text) == profile()
