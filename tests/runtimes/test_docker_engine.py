"""Which engines are used and which are refused, without an engine; and whose containers are reaped."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes.docker_engine import (
    OWNER,
    RUN,
    SCOPE,
    SERVICE,
    check_engine,
    check_reachable,
    connect,
    local_socket,
    missing_image_step,
    owner_labels,
    owner_lives,
    version_number,
)

KERNEL = "6.1.0"
VERSION = {"Version": "27.3.1", "Os": "linux", "KernelVersion": KERNEL, "Arch": "amd64"}
INFO: dict[str, Any] = {"SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin"], "NCPU": 8}


def test_a_local_engine_is_used() -> None:
    check_engine(VERSION, INFO, KERNEL)
    assert local_socket("") == Path("/var/run/docker.sock")
    assert local_socket("unix:///run/user/1000/docker.sock") == Path("/run/user/1000/docker.sock")


@pytest.mark.parametrize(
    ("version", "info", "said"),
    [
        ({"KernelVersion": "5.15-linuxkit"}, {}, "virtual machine"),
        ({"Os": "windows"}, {}, "virtual machine"),
        ({"Version": "19.03.15"}, {}, r"19\.03\.15.*20\.10 or newer"),
        ({}, {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, "rootless"),
        ({}, {"SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"]}, "userns"),
        ({}, {"SecurityOptions": ["name=seccomp,profile=unconfined"]}, "without a seccomp profile"),
        ({}, {"SecurityOptions": []}, "without a seccomp profile"),
    ],
)
def test_another_engine_is_refused_with_the_reason(version: dict[str, str], info: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        check_engine({**VERSION, **version}, {**INFO, **info}, KERNEL)


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2375", "ssh://somebody@somewhere", "npipe:////./pipe/docker"])
def test_a_remote_engine_is_refused(host: str) -> None:
    with pytest.raises(Refusal, match=r"a remote engine.*Unset DOCKER_HOST"):
        local_socket(host)


def test_no_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refusal, match=r"no Docker engine is reachable.*systemctl start docker"):
        check_reachable(tmp_path / "none.sock")
    (tmp_path / "dead.sock").touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/dead.sock")
    with pytest.raises(Refusal, match=r"no Docker engine is reachable|SDK for Python is not installed"):
        connect()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every socket")
def test_a_socket_of_others_names_the_group(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0)
        with pytest.raises(Refusal, match=r"permission denied.*usermod -aG docker"):
            check_reachable(path)


def test_a_missing_sdk_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(Refusal, match=r"pip install -e '\.\[docker\]'"):
        connect()


def test_versions_are_compared_as_numbers() -> None:
    assert version_number("20.10.24+dfsg1") == (20, 10) < version_number("27.1.0")
    assert version_number("dev") == (0, 0)


def test_an_absent_image_is_explained() -> None:
    step = missing_image_step("wiw-bench/embeded:0.1.0", ["wiw-bench/embedded:0.1.0", "python:3.11"])
    assert step.startswith("Did you mean wiw-bench/embedded:0.1.0?")
    assert missing_image_step("wiw-bench/embedded:0.1.0", []) == "Build it: python benchmark.py images build embedded"
    assert missing_image_step("somebody/model:2", []) == "Get it: docker pull somebody/model:2"


def test_labels_name_their_owner() -> None:
    labels = owner_labels("runs/x/logs", "svd")
    assert set(labels) == {OWNER, RUN, SERVICE, SCOPE} and labels[SERVICE] == "svd"
    assert owner_lives(labels[OWNER])


def test_an_owner_that_ended_or_whose_number_was_used_again_is_dead() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    pid, start, boot = owner_labels("", "")[OWNER].split("-", 2)
    assert not owner_lives(f"{ended.pid}-{start}-{boot}")
    assert not owner_lives(f"{pid}-1-{boot}")
    assert not owner_lives(f"{pid}-{start}-another-boot")
    for unreadable in ("", "somebody", "1-2", "a-b-c"):
        assert owner_lives(unreadable), "what cannot be read is left alone"


def test_starting_a_process_needs_no_docker_sdk() -> None:
    code = "import sys; import harness.runtimes.service, harness.runtimes.process; print('docker' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True) == "False\n"
