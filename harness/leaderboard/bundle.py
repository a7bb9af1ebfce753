"""A bundle: one zip file with all that a leaderboard can check of a submission without the machine that made it.

    envelope.json                     the signed manifest
    card/README.md                    the checkpoint's card
    runs/RUN/run.json                 what was asked
    runs/RUN/journal.sqlite           a row an episode
    runs/RUN/episodes/KEY/...         trajectories of all episodes, pictures and video of some

The manifest names every other file with its size and SHA-256, so that nothing can be added, left out or changed. Equal
content makes equal bytes. A bundle comes from anybody: it is read entry by entry into a new folder, by names that are
made of known parts, and never larger than is allowed.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.leaderboard.signing import Signed, check
from harness.leaderboard.zip_layout import check_layout, list_bytes
from harness.records.errors import disk_errors
from harness.records.safe_files import check_kind, parse_json

SCHEMA = 1
ENVELOPE = "envelope.json"
CARD = "card/README.md"
RUNS = "runs"

MAX_FILES = 200_000
MAX_FILE_BYTES = 64 << 20
MAX_BYTES = 4 << 30
"""Of all entries together, unpacked: 10,000 episodes take some 0.3 GB."""
MAX_RATIO = 400
"""Unpacked over packed bytes of one entry; records in JSON reach about 30."""
ENVELOPE_BYTES = 64 << 20

MAX_LIST_BYTES = 32 << 20
"""Of the list of entries at the end of the file: 200,000 names of 110 characters."""

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,198}[A-Za-z0-9_@+-])?"
_FILE = r"(?:trajectory\.json|video\.mp4|map\.png|[A-Za-z0-9_-]{1,100}\.jpg)"
_NAME = re.compile(rf"{ENVELOPE}|{CARD}|{RUNS}/{_PART}/(run\.json|journal\.sqlite|episodes/{_PART}/{_FILE})")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
"""Names that are devices where Windows unpacks a bundle."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time of a zip entry: bundles hold none of their own."""
_BLOCK = 1 << 20


class BadBundle(Refusal):
    """A bundle that is not read to its end; ``code`` is the typed reason."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what, "It has to be made by `submit`, and not be changed since.")
        self.code = code


@dataclass(frozen=True)
class FileFact:
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class RunFact:
    """What a bundle says of one run, to be found again in its files."""

    run_id: str
    suite: str
    suite_hash: str
    task: str
    tier: str
    split: str
    stop: str
    trajectory_root: str
    success: float
    episodes: int


@dataclass(frozen=True)
class Manifest:
    """The signed content of a bundle.

    ``image`` is ``name@sha256:...``; ``code`` the commit of the harness that played; ``created_at`` seconds since 1970
    of the latest run, so that the same runs make the same bundle.
    """

    schema: int
    model: str
    image: str
    code: str
    created_at: float
    hardware: Mapping[str, Any]
    runs: tuple[RunFact, ...]
    files: Mapping[str, FileFact]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read: its manifest, who signed it, and the folder that its files were unpacked into."""

    manifest: Manifest
    signed: Signed
    folder: Path


def fact_of(data: bytes) -> FileFact:
    """Return size and digest of a file's bytes."""
    return FileFact(len(data), hashlib.sha256(data).hexdigest())


def payload_of(manifest: Manifest) -> bytes:
    """Return the bytes of a manifest that are signed."""
    return json.dumps(to_plain(manifest), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_bundle(path: Path, envelope: Mapping[str, Any], files: Sequence[tuple[str, Path]]) -> None:
    """Write a bundle of an envelope and files by their names in it; it appears whole or not at all.

    Refusal where something else than a plain file stands in its place, since a device would be replaced by a file, and
    for a name that `read_bundle` would refuse.
    """
    check_kind(path)
    for name, file in files:
        if not takes(name):
            raise Refusal(f"{file} would be {name} in a bundle, a name that none takes.", "Rename it.")
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    with disk_errors(path):
        try:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                _add(archive, ENVELOPE, json.dumps(envelope, sort_keys=True, indent=1).encode())
                for name, file in sorted(files):
                    _add(archive, name, file.read_bytes())
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, wherever it was written
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(entry, data)


def read_bundle(path: Path, folder: Path) -> Bundle:
    """Unpack a bundle into the empty ``folder`` and return it, after its signature and the digests of all files.

    Raises `BadBundle` for whatever is not as `write_bundle` wrote it; nothing is written outside ``folder``.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise Refusal(f"{path} is no file.", "Give the file that `submit` wrote.")
        with path.open("rb") as file:
            if list_bytes(file) > MAX_LIST_BYTES:
                raise BadBundle("too-large", f"its list of entries has more than {MAX_LIST_BYTES >> 20} MiB.")
            archive = zipfile.ZipFile(file)
            entries = _entries(archive)
            check_layout(archive, file)
            if ENVELOPE not in entries:
                raise BadBundle("unsigned", f"{path.name} has no {ENVELOPE}.")
            signed = _signed(_unpacked(archive, entries[ENVELOPE], ENVELOPE_BYTES))
            manifest = _manifest(signed.payload)
            _check_names(manifest, entries)
            for name, fact in manifest.files.items():
                data = _unpacked(archive, entries[name], MAX_FILE_BYTES)
                if fact_of(data) != fact:
                    raise BadBundle("changed-file", f"{name} has another digest than the signed one.")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
    except BadBundle:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise BadBundle("no-zip", f"{path.name} cannot be read as a zip file: {error}.") from error
    except FileNotFoundError:
        raise Refusal(f"there is no bundle {path}.", "Give the file that `submit` wrote.") from None
    except OSError as error:
        if error.errno == errno.EINVAL:  # an entry that begins before the file does
            raise BadBundle("no-zip", f"{path.name} cannot be read as a zip file: {error}.") from error
        raise Refusal(
            f"cannot read {path}: {error.strerror}.", "Look at the file, and at the space in /tmp."
        ) from error
    return Bundle(manifest, signed, folder)


def takes(name: str) -> bool:
    """Say whether a bundle may hold a file of that name."""
    return bool(_NAME.fullmatch(name)) and not any(_DEVICE.fullmatch(part) for part in name.split("/"))


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name; BadBundle for one that has no business in a bundle, and for too much in all."""
    found: dict[str, zipfile.ZipInfo] = {}
    lowered: set[str] = set()
    total = 0
    for entry in archive.infolist():
        name = entry.filename
        if not takes(name) or entry.orig_filename != name:
            raise BadBundle("bad-name", f"an entry is called {name[:120]!r}.")
        if name.lower() in lowered:  # there are file systems on which two such names are one file
            raise BadBundle("bad-name", f"{name} is there twice.")
        lowered.add(name.lower())
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or entry.flag_bits & 0x1:
            raise BadBundle("bad-name", f"{name} is a link, no plain file, or encrypted.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadBundle("no-zip", f"{name} is packed in another way than `submit` packs.")
        total += entry.file_size
        if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise BadBundle("too-large", f"{name} unpacks to more than {MAX_RATIO} times its size.")
        found[name] = entry
        if len(found) > MAX_FILES or total > MAX_BYTES:
            raise BadBundle("too-large", f"it holds more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB.")
    return found


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    """Return an entry's bytes, never more than it declares, nor than ``most``."""
    if entry.file_size > most:
        raise BadBundle("too-large", f"{entry.filename} has {entry.file_size} bytes, more than {most}.")
    data = io.BytesIO()
    with archive.open(entry) as source:
        while block := source.read(_BLOCK):
            data.write(block)
            if data.tell() > entry.file_size:
                raise BadBundle("too-large", f"{entry.filename} is larger than it says.")
    return data.getvalue()


def _signed(data: bytes) -> Signed:
    try:
        envelope = parse_json(data)
    except ValueError as error:
        raise BadBundle("unsigned", f"{ENVELOPE} is no JSON: {error}.") from error
    if not isinstance(envelope, dict):
        raise BadBundle("unsigned", f"{ENVELOPE} holds no object.")
    try:
        return check(envelope)
    except Refusal as refusal:
        raise BadBundle("bad-signature", refusal.what) from refusal


def _manifest(payload: bytes) -> Manifest:
    try:
        plain = parse_json(payload)
        found = plain.get("schema") if isinstance(plain, dict) else None
        if found != SCHEMA:
            raise BadBundle("other-schema", f"its manifest has schema {found!r}; this harness reads {SCHEMA}.")
        manifest = from_plain(Manifest, plain)
    except ValueError as error:
        raise BadBundle("bad-manifest", f"its manifest cannot be read: {error}.") from error
    if not manifest.runs:
        raise BadBundle("bad-manifest", "it holds no run.")
    return manifest


def _check_names(manifest: Manifest, entries: Mapping[str, zipfile.ZipInfo]) -> None:
    """Raise BadBundle unless the entries are those of the manifest, and each lies in a run that it names."""
    there, named = set(entries) - {ENVELOPE}, set(manifest.files)
    for name in sorted(there ^ named):
        code, what = ("added-file", "is not in the signed list") if name in there else ("missing-file", "is missing")
        raise BadBundle(code, f"{name} {what}.")
    runs = {run.run_id for run in manifest.runs}
    for name in _run_names(named):
        if name not in runs:
            raise BadBundle("added-file", f"{RUNS}/{name} is no run of the manifest.")
    for run in runs - set(_run_names(named)):
        raise BadBundle("missing-file", f"{RUNS}/{run} is missing.")


def _run_names(files: set[str]) -> Iterator[str]:
    return (name.split("/")[1] for name in files if name.startswith(f"{RUNS}/"))
