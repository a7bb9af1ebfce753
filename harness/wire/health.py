"""Asks a service for its health from inside its own container: ``python -m harness.wire.health --spec FILE``.

The exit status is 0 if it serves and 1 if not, as the HEALTHCHECK of an image wants it. Nobody else can be behind a
socket that only this container sees, so who owns it is not checked, unlike in `harness.wire.channel.check_health`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import List, Optional

import grpc
from grpc_health.v1 import health_pb2

from harness.wire.channel import CLIENT_OPTIONS, HEALTH_METHOD

TIMEOUT_S = 5.0


def serves(socket: Path, timeout_s: float = TIMEOUT_S) -> bool:
    """Say whether the service behind ``socket`` reports that it serves; False if it is absent or silent."""
    request = health_pb2.HealthCheckRequest().SerializeToString()
    with grpc.insecure_channel(f"unix:{socket.absolute()}", options=CLIENT_OPTIONS) as channel:
        try:
            data = channel.unary_unary(HEALTH_METHOD)(request, timeout=timeout_s)
            reply = health_pb2.HealthCheckResponse.FromString(data)
        except (grpc.RpcError, ValueError):
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line; return 0 if the service serves, 1 if not, 2 if the spec cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m harness.wire.health", description="Ask a service for its health.")
    parser.add_argument("--spec", type=Path, required=True, help="the JSON file that the service was started with")
    spec = parser.parse_args(arguments).spec
    try:
        socket = Path(json.loads(spec.read_text(encoding="utf-8"))["socket"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {spec} is no service spec: {error!r}", file=sys.stderr)
        return 2
    return 0 if serves(socket) else 1


if __name__ == "__main__":
    sys.exit(main())
