"""Probes of networks and sockets; none sends a packet where there is any interface but the loopback."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any, Callable, Sequence

from tests.docker.probe_plugin.attempts import Facts, all_denied, attempt

NOWHERE = ("192.0.2.1", 80)
NOWHERE_V6 = ("2001:db8::1", 80)
"""Addresses for documentation: nobody has them."""


def other_interfaces() -> Sequence[str]:
    return [name for name in sorted(os.listdir("/sys/class/net")) if name != "lo"]  # noqa: PTH208


def interfaces(facts: Facts) -> str:
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    found = [*other_interfaces(), *routes]
    return f"allowed: {found}" if found else "denied: only lo, no route"


def _without_network(action: Callable[[], Any]) -> str:
    """Attempt an action that would send a packet; not where there is somewhere to send it to."""
    return f"allowed: {other_interfaces()}, nothing sent" if other_interfaces() else attempt(action)


def _send(family: int, kind: int, address: Any) -> str:
    with socket.socket(family, kind) as made:
        made.settimeout(3.0)
        made.connect(address)
        made.send(b"x")
    return "sent"


def tcp_out(facts: Facts) -> str:
    stream = socket.SOCK_STREAM
    return all_denied(
        {
            "IPv4": _without_network(lambda: _send(socket.AF_INET, stream, NOWHERE)),
            "IPv6": _without_network(lambda: _send(socket.AF_INET6, stream, NOWHERE_V6)),
        }
    )


def udp_out(facts: Facts) -> str:
    return _without_network(lambda: _send(socket.AF_INET, socket.SOCK_DGRAM, (NOWHERE[0], 53)))


def dns(facts: Facts) -> str:
    def resolve() -> str:
        try:
            return str(socket.getaddrinfo("wiw-bench.example", 80))
        except socket.gaierror as error:
            raise OSError(errno.EHOSTUNREACH, str(error)) from error

    return _without_network(resolve)


def raw_sockets(facts: Facts) -> str:
    kinds = {
        "ICMP": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0),
    }
    return all_denied({name: attempt(_opened, *kind) for name, kind in kinds.items()})


def vsock(facts: Facts) -> str:
    """A socket to the hypervisor; it is opened and never connected."""
    return attempt(_opened, 40, socket.SOCK_STREAM, 0)


def odd_families(facts: Facts) -> str:
    """Sockets of every family but Unix, IPv4, IPv6 and netlink."""
    usual = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)
    odd = [(family, kind) for family in range(1, 47) if family not in usual for kind in kinds]
    return all_denied({f"family {family}": attempt(_opened, family, kind, 0) for family, kind in odd})


def _opened(family: int, kind: int, protocol: int) -> str:
    with socket.socket(family, kind, protocol):
        return "opened"


def host_loopback(facts: Facts) -> str:
    return attempt(_send, socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", facts["port"]))


def abstract_socket(facts: Facts) -> str:
    return attempt(_send, socket.AF_UNIX, socket.SOCK_STREAM, "\0" + facts["token"])


def docker_socket(facts: Facts) -> str:
    places = (facts["engine"], "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")

    def connect(path: str) -> str:
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(path)
        return "connected"

    return all_denied({path: attempt(connect, path) for path in places})
