"""Fetches the files of a dataset that may be fetched, and says the steps for those that may not."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator

from harness.contracts.errors import Refusal
from tasks.datasets.catalog import Dataset, DatasetFile
from tasks.datasets.checking import OK, RECORDED, Finding, Lock, check_file, expected
from tasks.datasets.download import Source, download
from tasks.official.scenes import steps

OnProgress = Callable[[str, int, int], None]


def fetch(dataset: Dataset, data: Path, on_progress: OnProgress) -> Iterator[Finding]:
    """Yield a finding for every file, fetched unless it is there and as expected.

    ``on_progress`` gets (path, bytes so far, bytes in all or 0). Raises Refusal with the exact steps for scenes that
    nobody may pass on.
    """
    if not dataset.fetchable:
        raise Refusal(f"{dataset.name} cannot be fetched: {dataset.licence}.", steps(dataset.scenes, data))
    lock = Lock(data)
    for file in dataset.files:
        yield _fetch_file(file, data, lock, on_progress)


def _fetch_file(file: DatasetFile, data: Path, lock: Lock, on_progress: OnProgress) -> Finding:
    target = data / file.path
    if target.is_file():
        present = check_file(file, target, data, lock, lambda count: None)
        if present.state in (OK, RECORDED):
            return Finding(file.path, present.state, f"already there: {present.detail}")
    known, source = expected(file, file.path, lock)
    wanted = Source(file.address(), known.size, known.sha256, source)
    found = download(wanted, target, lambda done, total: on_progress(file.path, done, total))
    shown = f"{found.size:,} bytes, SHA-256 {found.sha256[:16]}…"
    if known.sha256:
        return Finding(file.path, OK, f"{shown} ({source})")
    lock.record(file.path, found)
    return Finding(file.path, RECORDED, f"{shown}: recorded, the manifest knows no digest")
