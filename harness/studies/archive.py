"""Packs the records of finished runs: ``python -m harness.studies.archive RUNS... --out docs/science/NAME.tar.xz``.

A record is what the tables read of a run: run.json, and of the journal every row with its digests. No pictures, videos
or trajectories; of the timings the whole episode's in milliseconds. Runs that are not finished are left out and named.
The same runs give the same bytes.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import sqlite3
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Iterator, Optional, Sequence, Tuple

from harness.contracts.errors import WiwError
from harness.contracts.printing import one_line, printable
from harness.records.atomic import write_atomic
from harness.records.chain import TABLE
from harness.records.errors import disk_errors
from harness.records.folder import JOURNAL, RECORD, RunFolder
from harness.studies.all_tables import EPISODE
from harness.studies.run_selection import incomplete, run_folders

WHEN = 1_767_225_600  # 2026-01-01: an archive does not say when it was packed


def pack(folders: Sequence[RunFolder]) -> bytes:
    """Return the archive of the folders' records, by name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in sorted(folders, key=lambda one: one.record.run_id):
            for name, content in _files(folder):
                entry = tarfile.TarInfo(f"{folder.record.run_id}/{name}")
                entry.size, entry.mtime, entry.mode = len(content), WHEN, 0o644
                archive.addfile(entry, io.BytesIO(content))
    return lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def _files(folder: RunFolder) -> Iterator[Tuple[str, bytes]]:
    yield JOURNAL, _journal(folder.path / JOURNAL)
    yield RECORD, (folder.path / RECORD).read_bytes()


def _journal(path: Path) -> bytes:
    """Return the journal's rows as a database of their own; its chain goes, since the timings were cut."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / JOURNAL
        source, database = sqlite3.connect(path), sqlite3.connect(copy)
        source.backup(database)
        source.close()
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute(f"DROP TABLE IF EXISTS {TABLE}")
        rows = database.execute("SELECT rowid, timings FROM episodes").fetchall()
        database.executemany("UPDATE episodes SET timings = ? WHERE rowid = ?", [(_cut(t), row) for row, t in rows])
        database.commit()
        database.execute("VACUUM")
        database.close()
        return copy.read_bytes()


def _cut(timings: str) -> str:
    whole = json.loads(timings or "{}").get(EPISODE)
    return json.dumps({} if whole is None else {EPISODE: round(whole, 3)})


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Write the archive; return 0, or 2 after a refusal."""
    parser = argparse.ArgumentParser(prog="python -m harness.studies.archive", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--out", type=Path, required=True, help="the archive, .tar.xz")
    given = parser.parse_args(arguments)
    try:
        folders, unread = run_folders(given.runs)
        reasons = [(folder, incomplete(folder)) for folder in folders]
        kept = [folder for folder, reason in reasons if not reason]
        content = pack(kept)
        with disk_errors(given.out):
            write_atomic(given.out, content)
    except WiwError as error:
        print(printable(f"error: {error.what}\n{error.next_step}".rstrip()), file=sys.stderr)
        return 2
    print(f"{given.out}: {len(kept)} runs, {len(content)} bytes")
    left_out = [(folder.record.run_id, reason) for folder, reason in reasons if reason]
    for name, reason in [*left_out, *((passed.path.name, passed.why) for passed in unread)]:
        print(one_line(f"left out {name}: {reason}"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
