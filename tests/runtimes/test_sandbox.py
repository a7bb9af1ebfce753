"""The sandbox policy reads as rules: what every container is created with."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes import sandbox
from harness.runtimes.sandbox import FIRST_USER, NOBODY, USERS, container_user, creation_arguments, host_arguments
from harness.runtimes.service import ENVIRONMENT, WORLD_MODEL, ContainerLimits, ContainerSpec, Mount

PLUGIN = ContainerSpec("somebody/model:1", "sha256:abc")


def arguments(spec: ContainerSpec = PLUGIN, kind: str = WORLD_MODEL, cores: int = 8) -> dict[str, Any]:
    own = creation_arguments(spec, kind, (1234, 56), {"NAME": "value"})
    return {**own, **host_arguments(spec, kind, "/dev/shm/wiw-1-2-x/mount", cores)}


def test_a_plugin_is_confined() -> None:
    given = arguments()
    assert given["image"] == "sha256:abc"
    assert given["network_mode"] == "none"
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true", sandbox.security_option()]
    assert given["privileged"] is False and "cap_add" not in given
    assert given["ipc_mode"] == "private" and given["pid_mode"] is None
    assert given["devices"] == [] and given["device_requests"] == []
    assert given["log_config"] == {"type": "none"}
    assert given["healthcheck"] == {"test": ["NONE"]}


def test_a_plugin_sees_its_socket_folder_and_nothing_else() -> None:
    assert arguments()["mounts"] == [
        {"Type": "bind", "Source": "/dev/shm/wiw-1-2-x/mount", "Target": "/run/wiw", "ReadOnly": False}
    ]


def test_an_environment_sees_its_folders_read_only_unless_it_writes_them() -> None:
    spec = replace(PLUGIN, mounts=(Mount("/scenes", "/data"), Mount("/homes", "/cache", writable=True)))
    mounts = arguments(spec, ENVIRONMENT)["mounts"]
    assert [(mount["Source"], mount["ReadOnly"]) for mount in mounts[1:]] == [("/scenes", True), ("/homes", False)]


def test_a_container_runs_as_the_user_it_is_given() -> None:
    assert arguments()["user"] == "1234:56"


def test_nobody_runs_as_root_and_no_two_containers_as_one_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    users = {container_user(PLUGIN) for _ in range(100)}
    assert len(users) > 90 and all(FIRST_USER <= user == group < FIRST_USER + USERS for user, group in users)
    monkeypatch.setattr("harness.runtimes.sandbox.USERS", 2)
    assert all(container_user(PLUGIN, {FIRST_USER}) == (FIRST_USER + 1,) * 2 for _ in range(20))


def test_environments_that_write_to_one_folder_share_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert container_user(replace(PLUGIN, mounts=(Mount("/homes", "/cache", writable=True),))) == (NOBODY, NOBODY)
    assert container_user(replace(PLUGIN, mounts=(Mount("/scenes", "/data"),)))[0] >= FIRST_USER


def test_a_harness_that_is_not_root_starts_containers_as_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 100)
    assert container_user(PLUGIN) == (1000, 100)


def test_limits_reach_the_kernel() -> None:
    limits = ContainerLimits(memory_bytes=2**30, cpus=4.0, pids=9, tmpfs_bytes=5, shm_bytes=2**20, file_bytes=7)
    given = arguments(replace(PLUGIN, limits=limits), cores=2)
    assert given["mem_limit"] == given["memswap_limit"] == 2**30
    assert given["nano_cpus"] == 2_000_000_000, "the engine refuses more CPUs than there are"
    assert (given["pids_limit"], given["shm_size"]) == (9, 2**20)
    assert given["tmpfs"] == {"/tmp": "rw,nosuid,nodev,exec,size=5,mode=1777"}
    assert {"name": "fsize", "soft": 7, "hard": 7} in given["ulimits"]
    assert {"name": "core", "soft": 0, "hard": 0} in given["ulimits"]


@pytest.mark.parametrize("wrong", [{"memory_bytes": 0}, {"cpus": 0.0}, {"pids": 0}, {"file_bytes": 0}])
def test_a_limit_that_would_mean_no_limit_is_refused(wrong: dict[str, float]) -> None:
    spec = replace(PLUGIN, limits=ContainerLimits(**wrong))  # type: ignore[arg-type]
    with pytest.raises(Refusal, match=next(iter(wrong))):
        arguments(spec)


@pytest.mark.parametrize(("kind", "drawing"), [(WORLD_MODEL, False), (ENVIRONMENT, True)])
def test_one_gpu_and_no_other(kind: str, drawing: bool) -> None:
    given = arguments(replace(PLUGIN, gpu_uuid="GPU-1"), kind)
    (request,) = given["device_requests"]
    assert request["device_ids"] == ["GPU-1"]
    assert ("graphics" in request["capabilities"][0]) == drawing
    assert given["environment"]["NVIDIA_VISIBLE_DEVICES"] == "GPU-1"


def test_without_a_gpu_nvidias_runtime_gives_none() -> None:
    variables = arguments()["environment"]
    assert variables["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert variables["NAME"] == "value"
