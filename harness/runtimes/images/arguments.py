"""Build arguments: bases, labels, and the host's way to package indexes and proxies.

Proxies are arguments that the engine knows and keeps out of an image's history. The settings of pip are declared in
the first stages alone; nothing of them is in the image that comes out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping

from harness.contracts.errors import Refusal
from harness.runtimes.images.declared import DeclaredImage, is_own, own_reference, project_version

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy")
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "default-timeout")


def base_references(image: DeclaredImage, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the reference of each base; ``chosen`` replaces some, and an unknown one raises Refusal."""
    unknown = sorted(set(chosen) - set(image.bases))
    if unknown:
        known = ", ".join(f"{name}={reference}" for name, reference in image.bases.items())
        raise Refusal(f"image {image.name} has no base {unknown[0]!r}.", f"It has: {known}")
    declared = {name: own_reference(base) if is_own(base) else base for name, base in image.bases.items()}
    return {**declared, **chosen}


def base_label(argument: str) -> str:
    """Return the label that holds the reference of the base that a build argument named."""
    return f"wiw.base.{argument.lower()}"


def label_arguments(revision: str) -> dict[str, str]:
    """Return the arguments that the version labels are made from."""
    return {"VERSION": project_version(), "REVISION": revision or "unknown"}


def network_arguments(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return proxies and pip settings of this machine, so that a build finds what the host finds.

    Folders of the host (``file://``) are left out: a build does not see them.
    """
    proxies = {name: value for name, value in environment.items() if name.lower() in _PROXIES and value}
    settings = {**pip_configuration(), **_pip_variables(environment)}
    pip = {f"PIP_{name.upper().replace('-', '_')}": _remote(value) for name, value in settings.items()}
    return {**proxies, **{name: value for name, value in pip.items() if value}}


def _pip_variables(environment: Mapping[str, str]) -> dict[str, str]:
    names = {name: f"PIP_{name.upper().replace('-', '_')}" for name in _PIP_SETTINGS}
    return {name: environment[variable] for name, variable in names.items() if environment.get(variable)}


def pip_configuration() -> dict[str, str]:
    """Return what pip's configuration files say about where packages come from; empty where there is no pip."""
    try:
        command = (sys.executable, "-m", "pip", "config", "list")
        listing = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_pip_configuration(listing)


def parse_pip_configuration(listing: str) -> dict[str, str]:
    """Return the settings of `pip config list` that matter to a build, by name."""
    found = re.findall(r"^(?:global|install)\.([a-z-]+)='(.*)'$", listing, flags=re.MULTILINE)
    return {name: value for name, value in found if name in _PIP_SETTINGS}


def _remote(value: str) -> str:
    return " ".join(part for part in value.split() if not part.startswith("file://") and not part.startswith("/"))
