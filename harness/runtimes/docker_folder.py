"""The folder that one container shares with the harness, nothing else of the host; removal of what dead owners left.

``/dev/shm/wiw-<pid>-<start>-<random>/`` is the harness's own (mode 0700). Only ``mount/`` inside it is mounted into the
container, at /run/wiw. A stranger may put anything there, so the harness takes the socket out as soon as it exists: it
moves the entry itself into its own folder (a move follows no link), looks at what it got, and connects there alone.
Whatever the container does afterwards in ``mount/`` reaches nobody.

The folder lies on a tmpfs, whose pages the kernel charges to the container that writes them: filling it never fills a
disk. Where the harness may mount (as root) it is a small tmpfs of its own, so that a container cannot use up the host's
inodes either, of which /dev/shm has a number for everybody.

A keeper process removes a container at once when its harness dies; `reap_stale_containers` is the last line, for when
both were killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal, ServiceError
from harness.runtimes import docker_keeper, sockets
from harness.runtimes.docker_engine import OWNER, SCOPE, Engine, owner_lives, scope
from harness.runtimes.sandbox import SOCKET_TARGET, container_user
from harness.runtimes.service import ContainerSpec, ServiceSpec
from harness.runtimes.sockets import PREFIX, SOCKET_NAME, make_socket_folder, reap_stale, remove_socket_folder
from harness.wire.host import LEASE_NAME

SOCKET_ROOT = Path("/dev/shm")
"""Where the socket folders of containers are made: a tmpfs, whose pages count as memory of the container that writes
them. What a stranger's code puts there is bounded by its own memory limit and never reaches the disk."""


def reap_stale_containers(engine: Engine) -> list[str]:
    """Remove containers, networks and volumes of dead owners in our scope, and their socket folders.

    Returns the names of what was removed. Several harnesses may do so at once; what another one has removed is fine.
    """
    removed = []
    api, errors = engine.client.api, engine.errors
    for container in api.containers(all=True, filters={"label": OWNER}):
        if _is_abandoned(container):
            name = str(container["Id"])
            if not docker_keeper.remove_container(str(engine.socket), name):
                raise ServiceError(
                    f"the engine does not remove the stale container {name[:12]}.", f"Try: docker rm -f -v {name[:12]}"
                )
            removed.append(name)
    for network in api.networks(filters={"label": OWNER}):
        if _stale(network.get("Labels")):
            _unless_gone(errors, api.remove_network, network["Id"])
            removed.append(network["Id"])
    for volume in api.volumes(filters={"label": OWNER}).get("Volumes") or []:
        if _stale(volume.get("Labels")):
            _unless_gone(errors, api.remove_volume, volume["Name"])
            removed.append(volume["Name"])
    reap_stale(SOCKET_ROOT)
    return removed


def _is_abandoned(container: dict[str, Any]) -> bool:
    """Say whether nobody owns a container: its socket folder, which has its name, is locked by its owner.

    Where no lock is to be seen (what was made to read an image, another /dev/shm, another version) the label decides,
    and only in the process namespace that it was written in.
    """
    names = [str(name).strip("/") for name in container.get("Names") or [] if str(name).strip("/").startswith(PREFIX)]
    held = sockets.is_held(SOCKET_ROOT / names[0]) if names else None
    return _stale(container.get("Labels")) if held is None else not held


def _stale(labels: dict[str, str] | None) -> bool:
    found = labels or {}
    return found.get(SCOPE) == scope() and not owner_lives(found.get(OWNER, ""))


def _unless_gone(errors: Any, remove: Any, name: str) -> None:
    with suppress(errors.NotFound):
        remove(name)


SERVICE_SOCKET = "service.sock"
MOUNT = "mount"

_OPEN = 0o770
_CLOSED = 0o550
_OWN = 0o700

_OWN_TMPFS = "mode=0700,size=16m,nr_inodes=8192"
_MOUNT_FLAGS = 0x2 | 0x4 | 0x8  # <sys/mount.h>: no set-user-id, no devices, nothing to be executed


class ContainerFolder:
    """A fresh folder for one container: the mounted part, the lease, and the socket once it was taken out.

    ``user`` are the user and group id that the container runs as.
    """

    def __init__(self, container: ContainerSpec) -> None:
        if not _is_tmpfs(SOCKET_ROOT):
            raise Refusal(
                f"{SOCKET_ROOT} is no tmpfs here; a container could fill the disk through its socket folder.",
                f"Mount one: sudo mount -t tmpfs tmpfs {SOCKET_ROOT}",
            )
        self.path = make_socket_folder(SOCKET_ROOT)
        self.mount = self.path / MOUNT
        self.socket = self.path / SOCKET_NAME
        self.name = self.path.name
        self._lease = -1
        self._taken = False
        try:
            _mount_tmpfs(self.path)
            self.user = container_user(container, _users_of_others())
            self.mount.mkdir(mode=_OWN)
            os.chown(self.mount, -1, self.user[1])
            self._lease = os.open(self.mount / LEASE_NAME, os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o644)
            fcntl.flock(self._lease, fcntl.LOCK_EX)
        except BaseException:
            self.remove()
            raise

    def write_spec(self, spec: ServiceSpec) -> None:
        """Write what the container shall serve, and open the mounted part to the container's user."""
        content = {
            "kind": spec.kind,
            "entry_point": spec.entry_point,
            "path": list(spec.path),
            "socket": f"{SOCKET_TARGET}/{SERVICE_SOCKET}",
            "options": dict(spec.options),
            "manifest": dict(spec.manifest),
            "parent_pid": 0,
        }
        file = self.mount / "spec.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        file.chmod(0o644)
        (self.mount / LEASE_NAME).chmod(0o644)
        if self.user[0] != os.geteuid():
            self.mount.chmod(_OPEN)  # to its group; the folder around it lets nobody else of this machine in

    def take_socket(self) -> bool:
        """Move the service's socket into the harness's own folder; False while there is none.

        Anything but a socket in its place raises ServiceError and is never followed.
        """
        if self._taken:
            return True
        if _status(self.mount / SERVICE_SOCKET) is None:
            return False
        (self.mount / SERVICE_SOCKET).rename(self.socket)  # the entry itself: a link is moved, not followed
        status = self.socket.lstat()
        if not stat.S_ISSOCK(status.st_mode):
            raise ServiceError(
                f"the container put {stat.filemode(status.st_mode)} in the place of its socket.",
                "Its image does not run harness.wire.host: build it from wiw-bench/wm_base.",
            )
        if os.geteuid() == 0:
            os.chown(self.socket, 0, os.getegid(), follow_symlinks=False)
            self.mount.chmod(_CLOSED)  # nothing more to be made in it
        self._taken = True
        return True

    def remove(self) -> None:
        """Give the lease up and remove everything, following no link."""
        if self._lease >= 0:
            os.close(self._lease)
            self._lease = -1
        remove_socket_folder(self.path)


def _users_of_others() -> set[int]:
    """Return the ids that the containers of this machine run as: each is the group of its mounted folder."""
    found = set()
    for mount in SOCKET_ROOT.glob(f"{PREFIX}*/{MOUNT}"):
        with suppress(OSError):  # ended meanwhile
            found.add(mount.lstat().st_gid)
    return found


def _mount_tmpfs(folder: Path) -> None:
    """Mount a small tmpfs at ``folder``; without the permission it stays a folder of `SOCKET_ROOT`."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).mount(b"tmpfs", os.fsencode(folder), b"tmpfs", _MOUNT_FLAGS, _OWN_TMPFS.encode())


def _status(path: Path) -> Any:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _is_tmpfs(folder: Path) -> bool:
    """Say whether a tmpfs is mounted at ``folder`` (proc(5), the last mount there counts)."""
    kinds = [
        fields[2]
        for fields in (line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())
        if fields[1] == str(folder)
    ]
    return bool(kinds) and kinds[-1] == "tmpfs"
