"""What runs need beside programs: suites, licensed scenes, weights."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.contracts.errors import WiwError
from harness.contracts.manifests import PLUGIN
from harness.diagnosing.findings import OK, PROBLEM, SKIPPED, WARNING, Finding
from harness.worldmodels.catalog import CatalogEntry
from tasks.suite import list_suites, load_suite


def check_suites() -> Iterator[Finding]:
    """Yield which suites can run here, in the suites' own words."""
    for name in list_suites():
        try:
            load_suite(name).require_runnable()
            yield Finding(f"suite: {name}", OK, "can run here")
        except WiwError as error:
            state = PROBLEM if name.startswith("embedded") else WARNING
            yield Finding(f"suite: {name}", state, error.what, "it is refused", error.next_step)


def check_scenes() -> Iterator[Finding]:
    """Yield whether the files of each dataset are in the data folder, and the licence that each is under.

    Without a data folder nobody plays published suites here, and one line says so.
    """
    from tasks.datasets.catalog import data_folder, load_datasets

    data = data_folder()
    if not data.exists() and "WIW_DATA" not in os.environ:
        step = "python benchmark.py datasets"
        yield Finding("data", SKIPPED, f"no folder {data}, and WIW_DATA is not set", "suite wiw needs scenes", step)
        return
    for dataset in load_datasets().values():
        missing = dataset.missing(data)
        name = f"data: {dataset.name}"
        if not missing:
            yield Finding(name, OK, f"in {data}")
            continue
        found = f"not in {data}: {', '.join(missing[:2])}" + (", ..." if len(missing) > 2 else "")
        command = "fetch " if dataset.fetchable else ""
        step = f"python benchmark.py datasets {command}{dataset.name} (another folder: WIW_DATA)"
        yield Finding(name, WARNING, found, f"needed by suite wiw; licence: {dataset.licence}", step)


def check_weights(entries: Iterable[CatalogEntry]) -> Iterator[Finding]:
    """Yield whether the checkpoint of every learnt world model is here, in the Hugging Face cache or as a path."""
    declared = [e.manifest for e in entries if e.manifest.kind == PLUGIN and e.manifest.checkpoint.source]
    if not declared:
        yield Finding("weights", SKIPPED, "no world model here declares a checkpoint")
    for manifest in declared:
        source, revision = manifest.checkpoint.source, manifest.checkpoint.revision
        name = f"weights: {manifest.name}"
        place = weights_place(source, revision)
        if place is not None:
            yield Finding(name, OK, str(place))
            continue
        wanted = f"{source} {revision}".strip()
        pinned = f" --revision {revision}" if revision else ""
        step = f"hf download {source}{pinned} (into {hub_cache()}; another: HF_HOME)"
        yield Finding(name, WARNING, f"no {wanted} in {hub_cache()}", f"--wm {manifest.name} cannot run", step)


def hub_cache() -> Path:
    """Return the cache of the Hugging Face hub, found as its own library does."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return (Path(home).expanduser() if home else cache / "huggingface") / "hub"


def weights_place(source: str, revision: str) -> Path | None:
    """Return the folder or file of a checkpoint, or None; an empty snapshot counts as none."""
    local = Path(source).expanduser()
    if local.is_absolute() or source.startswith((".", "~")):
        return local if local.exists() else None
    folder = hub_cache() / f"models--{source.replace('/', '--')}"
    named = folder / "refs" / (revision or "main")
    commit = named.read_text(encoding="utf-8").strip() if named.is_file() else revision
    snapshot = folder / "snapshots" / commit
    complete = bool(commit) and snapshot.is_dir() and any(snapshot.iterdir())
    return snapshot if complete and all(file.exists() for file in snapshot.iterdir()) else None
