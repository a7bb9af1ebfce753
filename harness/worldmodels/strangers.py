"""Which world models are strangers' code, and what is done about those that run as processes of the user.

A process cannot be kept from the user's files. So its run says so and is stamped, and it gets a folder of bytecode of
its own, outside the checkout: what it compiles is loaded by nobody else. The families that come with the project are
the project's own code, as the harness is, and need neither.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from harness.contracts.digest import digest
from harness.contracts.folders import user_cache
from harness.contracts.manifests import ENVIRONMENT, SERVED
from harness.worldmodels.catalog import BUILT_IN, CatalogEntry
from harness.worldmodels.digests import folder_digest

OWN_FAMILIES = frozenset(
    {
        "cosmos", "diffusers", "gen4", "hunyuan", "ltx", "mini", "mini_manip", "nwm", "pathdreamer", "recorded",
        "reference", "se3ds", "svd", "template", "vlm", "wan",
    }
)  # fmt: skip
"""The folders of `BUILT_IN` that come with the project: another one there is somebody else's."""

UNSANDBOXED = "unsandboxed"
"""Stamps the result of a stranger's world model that ran as a process."""

SIMULATOR = "simulator"
"""Stamps the result of a stranger's world model whose imagination is the simulator's: its name could be anything."""

_KEPT = 20


def is_strangers(entry: CatalogEntry) -> bool:
    """Say whether a world model brings code that did not come with the project."""
    return entry.manifest.kind in SERVED and not _is_own(entry)


def stamps_of(entry: CatalogEntry, in_container: bool) -> tuple[str, ...]:
    """Return what a reader must not overlook of a result of a stranger's world model; () for the project's own."""
    if _is_own(entry):
        return ()
    if entry.manifest.kind == ENVIRONMENT:
        return (SIMULATOR,)
    return (UNSANDBOXED,) if is_strangers(entry) and not in_container else ()


def _is_own(entry: CatalogEntry) -> bool:
    return entry.folder.parent == BUILT_IN and entry.folder.name in OWN_FAMILIES


def warning(name: str) -> str:
    """Return what is said before a stranger's world model runs as a process."""
    return (
        f"{name} runs as a process of yours and is not sandboxed: it can read and change what you can. The result is "
        f"stamped {UNSANDBOXED}. --runtime docker or --wm-image runs it in a sandbox (docs/security.md)."
    )


def bytecode_folder(entry: CatalogEntry) -> Path:
    """Return the folder in which the interpreter of a stranger's family keeps the bytecode of its present sources.

    No other family keeps any there, and no other version of this one: Python takes bytecode for that of a source with
    the same size and second, which an edit can leave as they were. Of those that were not used for longest only few
    are kept.
    """
    root = user_cache() / "bytecode"
    folders = [folder.resolve() for folder in (entry.folder, *entry.shared)]
    name = digest({str(folder): folder_digest(folder) for folder in folders})[:16]
    with suppress(OSError):  # without it Python compiles at every start
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).touch()
        kept = sorted(root.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)[:-_KEPT]
        for folder in kept:
            shutil.rmtree(folder, ignore_errors=True)
    return root / name
