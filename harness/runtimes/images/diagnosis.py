"""Why a build failed, in a sentence with the next step, read from the end of its log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.errors import ServiceError

TAIL_LINES = 60
"""How many of the log's last lines are searched: earlier ones may tell of a try that was repeated and went well."""


@dataclass(frozen=True)
class _Cause:
    pattern: str
    what: str
    next_step: str


_CAUSES = (
    _Cause(
        r"no space left on device|ENOSPC|disk quota exceeded",
        "the disk of the engine is full",
        "Free room in its folder (docker info shows Docker Root Dir), then build again: finished steps are kept.",
    ),
    _Cause(
        r"DO NOT MATCH THE HASHES|checksum mismatch|sha256sum: WARNING|FAILED open or read|computed checksum",
        "something that was downloaded or supplied is not what the lock names",
        "Do not use it. Try again; if it stays so, make the lock anew and look at what changed.",
    ),
    _Cause(
        r"pull access denied|manifest (for .* )?(unknown|not found)|repository does not exist",
        "the registry has no such base image, or wants a login",
        "Check the reference, log in (docker login), or give another base: --base ARG=REFERENCE.",
    ),
    _Cause(
        r"registry-1|/v2/|net/http: |toomanyrequests|x509: |error pulling image|Error response from daemon: Get ",
        "the registry of the base image cannot be reached",
        "Check the engine's network and proxy, or give a base that is here: --base ARG=REFERENCE.",
    ),
    _Cause(
        r"(conda|mamba).*(HTTP|connection|resolve|download)|anaconda|conda-forge.*(error|timeout)",
        "the conda channels cannot be reached",
        "Check the network and proxy (HTTPS_PROXY goes along), then build again.",
    ),
    _Cause(
        r"Could not find a version|No matching distribution|NewConnectionError|SSLError|SSLCertVerification|"
        r"ReadTimeoutError|Max retries exceeded",
        "the Python package index cannot be reached, or lacks a locked version",
        "Check the network, PIP_INDEX_URL and the certificates of the base image, then build again.",
    ),
    _Cause(
        r"Unable to fetch some archives|Failed to fetch|Temporary failure resolving|Unable to locate package",
        "the Debian mirror cannot be reached, or lacks a package",
        "Check the network and the base image's apt sources, then build again.",
    ),
    _Cause(
        r"unable to access 'https?://|Could not resolve host|fatal: (unable|couldn't|remote error)",
        "a source repository cannot be reached",
        "Check the network and proxy, then build again.",
    ),
    _Cause(
        r"returned a non-zero code: 137|exit code: 137|\bKilled\b",
        "a step was killed, most likely for memory",
        "Close other programs or use a machine with more memory.",
    ),
)


def explain(image: str, message: str, tail: Sequence[str], log: Path) -> ServiceError:
    """Return the error for a build that failed with the engine's ``message``; ``tail`` are the log's last lines."""
    text = "\n".join([*tail[-TAIL_LINES:], message])
    for cause in _CAUSES:
        if re.search(cause.pattern, text, flags=re.IGNORECASE):
            return ServiceError(
                f"image {image} was not built: {cause.what} ({message}).", f"{cause.next_step} Log: {log}"
            )
    return ServiceError(f"image {image} was not built: {message}.", f"Its log says more: {log}")
