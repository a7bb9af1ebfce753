"""Escape probes: each tries to reach or gain something, and says "denied: why" or "allowed: what".

Used in three places: inside the sandbox, where all must be denied; and as controls in a container without the policy
and as a process of the host, where they must succeed. So every probe is harmless where it succeeds.

``python -m tests.docker.probe_plugin.escapes FACTS [NAME ...]`` prints the findings; FACTS is JSON about the host that
the test made.
"""

from __future__ import annotations

import json
import sys
from typing import Dict, Sequence

from tests.docker.probe_plugin import files, networks, powers
from tests.docker.probe_plugin.attempts import Facts, Probe

_ALL = (
    networks.interfaces, networks.tcp_out, networks.udp_out, networks.dns, networks.raw_sockets, networks.vsock,
    networks.odd_families, networks.host_loopback, networks.abstract_socket, networks.docker_socket,
    files.write_outside, files.kernel_settings, files.kernel_secrets, files.devices, files.make_device,
    files.host_files, files.fill_tmpfs, files.huge_file, files.persistence, powers.other_processes,
    powers.signal_harness, powers.trace, powers.shared_memory, powers.variables, powers.identity, powers.become_root,
    powers.set_user_id_program, powers.mounts, powers.namespaces, powers.change_root, powers.host_name,
    powers.priority, powers.raise_limits, powers.fork_bomb, powers.call_of_32_bits,
    powers.life_after_a_call_of_32_bits, powers.life_after_a_call_of_x32, powers.oom_score,
)  # fmt: skip
PROBES: Dict[str, Probe] = {probe.__name__: probe for probe in _ALL}
PROBES.update({name: powers.kernel_call(name) for name in powers.CALLS})


def findings(facts: Facts, names: Sequence[str] = ()) -> Dict[str, str]:
    """Return the outcome of each probe; one that fails in another way says so and counts as neither."""
    outcomes = {}
    for name in names or PROBES:
        try:
            outcomes[name] = PROBES[name](facts)
        except Exception as error:
            outcomes[name] = f"broken: {error!r}"
    return outcomes


if __name__ == "__main__":
    print(json.dumps(findings(json.loads(sys.argv[1]), sys.argv[2:])))
