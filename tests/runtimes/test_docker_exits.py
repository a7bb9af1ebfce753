"""How containers end, in words, each with its next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.runtimes.docker_exits import ContainerEnd, describe_end, ended_container_error, find_cause, start_error
from harness.runtimes.exits import ServiceLog
from harness.runtimes.service import ContainerSpec

CONTAINER = ContainerSpec("somebody/model:1", "sha256:abc")


@pytest.mark.parametrize(
    ("words", "cause", "next_step"),
    [
        ("exec /usr/bin/python: exec format error", "wrong architecture", "another processor"),
        ("[FATAL tini (7)] exec python3 failed: Exec format error", "wrong architecture", "--platform"),
        ("ImportError: libGL.so.1: cannot open shared object file: No such file", "missing shared library", "Install"),
        ("/lib/libm.so.6: version `GLIBC_2.38' not found", "missing shared library", "image's system"),
        ("RuntimeError: CUDA driver version is insufficient for CUDA runtime version", "driver mismatch", "nvidia-smi"),
        ("Failed to initialize NVML: Driver/library version mismatch", "driver mismatch", "restart"),
        ("nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4", "driver mismatch", "older CUDA"),
        ("nvidia-container-cli: device error: GPU-1: unknown device: unknown", "no such GPU", "nvidia-smi -L"),
        ("nvidia-container-cli: initialization error: nvml error: driver not loaded", "NVIDIA driver", "on the host"),
        ('could not select device driver "" with capabilities: [[gpu]]', "no NVIDIA runtime", "nvidia-ctk"),
        ("unknown or invalid runtime name: nvidia", "no NVIDIA runtime", "nvidia-container-toolkit"),
        ('exec: "python": executable file not found in $PATH: unknown', "entry point missing", "ENTRYPOINT"),
        ("[FATAL tini (7)] exec python failed: No such file or directory", "entry point missing", "ENTRYPOINT"),
        ("No command specified", "entry point missing", "ENTRYPOINT"),
        ('exec: "docker-init": executable file not found in $PATH', "no init program", "tini"),
        ("ModuleNotFoundError: No module named 'harness'", "no harness in the image", "wm_base"),
        ("ModuleNotFoundError: No module named 'torch'", "module not found", "Install the module"),
        ("RuntimeError: can't start new thread", "process limit", "OMP_NUM_THREADS"),
        ("sh: 1: Cannot fork: Resource temporarily unavailable\nBlockingIOError: [Errno 11]", "process limit", "raise"),
        ("OSError: [Errno 28] No space left on device", "no space left", "docker system df"),
        ("OSError: [Errno 27] File too large", "file-size limit", "raise"),
        ("OSError: [Errno 30] Read-only file system: '/x'", "read-only", "/tmp"),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory.", "out of GPU memory", "smaller"),
    ],
)
def test_causes_are_named_with_their_next_step(words: str, cause: str, next_step: str) -> None:
    name, step = find_cause(f"loading\n{words}\n")
    assert name.startswith(cause) and next_step in step


def test_ordinary_words_betray_nothing() -> None:
    assert find_cause("loading weights\nready\nValueError: width must be even") == ("", "")


def test_running_out_of_memory_is_said_before_the_signal() -> None:
    how, hint = describe_end(ContainerEnd(137, out_of_memory=True), "", CONTAINER)
    assert how == "out of memory, exit code 137 (SIGKILL)"
    assert "memory 8 GiB" in hint and "Raise the memory limit" in hint


def test_a_bus_error_shows_the_shared_memory_limit() -> None:
    how, hint = describe_end(ContainerEnd(135), "", CONTAINER)
    assert how == "exit code 135 (SIGBUS)" and "/dev/shm 0.25 GiB" in hint


def test_an_ordinary_exit_needs_no_guess(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ValueError: width must be even\n")
    error = ended_container_error("svd", ContainerEnd(1), CONTAINER, ServiceLog(log, 0), "while starting")
    assert error.what == (
        "service 'svd' (image somebody/model:1) ended while starting: exit code 1, "
        "after saying: ValueError: width must be even."
    )


def test_a_refused_start_shows_the_engines_words() -> None:
    error = start_error("svd", CONTAINER, 'could not select device driver "" with capabilities: [[gpu]]')
    assert "no NVIDIA runtime: could not select device driver" in error.what
    assert start_error("svd", CONTAINER, "something new").what.endswith("something new.")
