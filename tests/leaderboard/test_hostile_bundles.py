"""Bundles that fit together and are hostile all the same: what nobody signed, what two readers read differently, what
makes a reader work without end, and what a submitter may not choose. Each is refused by its code."""

from __future__ import annotations

import base64
import json
import sqlite3
import struct
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.auditing.audit import audit
from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.leaderboard import signing
from harness.leaderboard.submitting import Examined, submit
from harness.leaderboard.verifying import verify
from harness.records.folder import RECORD, RunFolder
from harness.records.identity import ImageRecord
from tests.leaderboard.conftest import COMMIT, DIGEST, Ready, at_commit, write_run
from tests.leaderboard.test_forged_bundles import (
    JOURNAL,
    RUN,
    Files,
    Forge,
    changed,
    edit_envelope,
    journal_says,
    payload,
    read,
    rows_edited,
    signed_again,
    write,
)

LARGEST_ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL_POINTS = (0, 1, 2**255 - 20, signing._ORDER_8, 2**255 - 19 - signing._ORDER_8, 2**255 - 18)


def signed_text(files: Files, key: Path, edit: Callable[[bytes], bytes]) -> Files:
    """Return files whose signed manifest is other text than its values are written as."""
    text = edit(json.dumps(payload(files)).encode())
    return changed(files, "envelope.json", json.dumps(signing.sign(text, key)).encode())


def signature_of(files: Files) -> dict[str, str]:
    (found,) = json.loads(files["envelope.json"])["signatures"]
    return dict(found)


def more_of_the_same(files: Files) -> Files:
    """Return files with the other signature that has the same meaning where a verifier does not reduce it."""
    one = signature_of(files)
    raw = base64.b64decode(one["sig"])
    scalar = int.from_bytes(raw[32:], "little") + LARGEST_ORDER
    return edit_envelope(
        files, signatures=[{**one, "sig": base64.b64encode(raw[:32] + scalar.to_bytes(32, "little")).decode()}]
    )


def twice_in_the_envelope(files: Files) -> Files:
    kind = json.dumps(signing.PAYLOAD_TYPE).encode()
    return changed(files, "envelope.json", files["envelope.json"][:-1] + b', "payloadType": ' + kind + b"}")


def claimed(files: Files, key: Path, name: str, value: bytes) -> Files:
    """Return files whose manifest says something of its first run that no JSON of ours says."""
    return signed_text(files, key, lambda text: text.replace(f'"{name}": '.encode(), f'"{name}": '.encode() + value, 1))


def odd_file(files: Files, key: Path, *names: str) -> Files:
    return signed_again({**files, **{f"{RUN}/{name}": b"MZ" for name in names}}, key)


def schema_says(files: Files, key: Path, folder: Path, old: str, new: str) -> Files:
    """Return files whose journal has other SQL in its schema; the rows are as they were."""
    file = folder / "schema.sqlite"
    file.write_bytes(files[JOURNAL])
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = replace(sql, ?, ?)", (old, new))
        database.commit()
    return signed_again(changed(files, JOURNAL, file.read_bytes()), key)


def unchained(files: Files, key: Path, folder: Path, *statements: str) -> Files:
    data = rows_edited(files[JOURNAL], "DROP TABLE chain", folder)
    for statement in statements:
        data = rows_edited(data, statement, folder)
    return signed_again(changed(files, JOURNAL, data), key)


def run_text(files: Files, key: Path, old: str, new: str) -> Files:
    name = f"{RUN}/{RECORD}"
    return signed_again(changed(files, name, files[name].replace(old.encode(), new.encode(), 1)), key)


SLOW = " AND ".join(["instr(hex(zeroblob(250000)), hex(zeroblob(120000)) || episode) = 0"] * 50)
"""A condition that takes seconds, fifty times a row: a long text is sought at each place of a longer one."""

HOSTILE: dict[str, tuple[str, Forge]] = {
    "a field beside what was signed": ("bad-signature", lambda f, k, d: edit_envelope(f, note="read me")),
    "a second signature": (
        "bad-signature",
        lambda f, k, d: edit_envelope(f, signatures=[signature_of(f), {"keyid": "x", "sig": "AAAA"}]),
    ),
    "a signature that says more": (
        "bad-signature", lambda f, k, d: edit_envelope(f, signatures=[{**signature_of(f), "by": "somebody"}]),
    ),
    "a signature in the name of another key": (
        "bad-signature", lambda f, k, d: edit_envelope(f, signatures=[{**signature_of(f), "keyid": "0" * 64}]),
    ),
    "the other signature of the same": ("bad-signature", lambda f, k, d: more_of_the_same(f)),
    "a key in capitals": (
        "bad-signature",
        lambda f, k, d: edit_envelope(f, publicKey=json.loads(f["envelope.json"])["publicKey"].upper()),
    ),
    "an envelope with a name twice": ("unsigned", lambda f, k, d: twice_in_the_envelope(f)),
    "a manifest with two models": (
        "bad-manifest", lambda f, k, d: signed_text(f, k, lambda text: b'{"model": "better", ' + text[1:]),
    ),
    "a manifest in UTF-16": (
        "bad-manifest", lambda f, k, d: signed_text(f, k, lambda text: text.decode().encode("utf-16")),
    ),
    "a manifest behind a byte order mark": (
        "bad-manifest", lambda f, k, d: signed_text(f, k, lambda text: b"\xef\xbb\xbf" + text),
    ),
    "half a character": ("bad-manifest", lambda f, k, d: claimed(f, k, "tier", b'"\\ud800", "x": ')),
    "a schema that is true": (
        "bad-manifest", lambda f, k, d: signed_again(f, k, lambda p: p.update(schema=True)),
    ),
    "a success that is no number": ("bad-manifest", lambda f, k, d: claimed(f, k, "success", b'NaN, "x": ')),
    "a success beyond all numbers": ("bad-manifest", lambda f, k, d: claimed(f, k, "success", b'1e999, "x": ')),
    "a number of 5,000 digits": ("bad-manifest", lambda f, k, d: claimed(f, k, "episodes", b"9" * 5000)),
    "episodes that are true": (
        "bad-manifest", lambda f, k, d: signed_again(f, k, lambda p: p["runs"][0].update(episodes=True)),
    ),
    "hardware nested without end": (
        "bad-manifest", lambda f, k, d: claimed(f, k, "hardware", b'{"x": ' + b"[" * 3000 + b"]" * 3000 + b'}, "y": '),
    ),
    "one run under two names": ("twice", lambda f, k, d: signed_again(f, k, lambda p: p["runs"].append(p["runs"][0]))),
    "two names that are one elsewhere": (
        "bad-name", lambda f, k, d: odd_file(f, k, "episodes/e-s0/a.jpg", "episodes/E-s0/a.jpg"),
    ),
    "the name of a device": ("bad-name", lambda f, k, d: odd_file(f, k, "episodes/con/a.jpg")),
    "a name that ends with a dot": ("bad-name", lambda f, k, d: odd_file(f, k, "episodes/e./a.jpg")),
    "a program among the pictures": ("bad-name", lambda f, k, d: odd_file(f, k, "episodes/e-s0/setup.exe")),
    "files of an episode that nobody planned": ("added-file", lambda f, k, d: odd_file(f, k, "episodes/e-s0/a.jpg")),
    "a run with a name twice": (
        "unreadable-run", lambda f, k, d: run_text(f, k, '"identity": {', '"identity": {"stop": "self", '),
    ),
    "a journal with a trigger": (
        "unreadable-run",
        lambda f, k, d: journal_says(f, k, d, "CREATE TRIGGER t AFTER UPDATE ON episodes BEGIN SELECT 1; END"),
    ),
    "a journal that carries another table": (
        "unreadable-run", lambda f, k, d: journal_says(f, k, d, "CREATE TABLE luggage (x)"),
    ),
    "a journal with an index that computes": (
        "unreadable-run", lambda f, k, d: journal_says(f, k, d, "CREATE INDEX i ON episodes (hex(episode))"),
    ),
    "a journal with a column that takes minutes to read": (
        "unreadable-run",
        lambda f, k, d: schema_says(f, k, d, "error TEXT NOT NULL DEFAULT ''", f"error TEXT AS (hex({SLOW}))"),
    ),
    "a journal with a condition of its own": (
        "unreadable-run", lambda f, k, d: schema_says(f, k, d, "home TEXT", "home TEXT CHECK (length(home) > 0)"),
    ),
    "text in the journal that is no UTF-8": (
        "unreadable-run",
        lambda f, k, d: unchained(f, k, d, "UPDATE episodes SET error = CAST(x'ff80' AS TEXT) WHERE position = 0"),
    ),
    "seconds that nobody took": (
        "damaged",
        lambda f, k, d: unchained(f, k, d, "UPDATE episodes SET timings = '{\"imagine\": 1e308}' WHERE position = 1"),
    ),
    "fewer seconds, and no chain that says so": (
        "unchained", lambda f, k, d: unchained(f, k, d, "UPDATE episodes SET timings = '{\"imagine\": 0.001}'"),
    ),
    "rows in another order": (
        "damaged",
        lambda f, k, d: unchained(f, k, d, "UPDATE episodes SET position = 1 - position WHERE position < 2"),
    ),
    "a row with the trajectory of another": (
        "damaged",
        lambda f, k, d: unchained(
            f, k, d,
            "UPDATE episodes SET trajectory_digest = (SELECT trajectory_digest FROM episodes WHERE position = 1) "
            "WHERE position = 0",
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def honest(made: Ready, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.bundle(tmp_path_factory.mktemp("bundle") / "honest.zip")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_refused_by_its_code(made: Ready, tmp_path: Path, honest: Path, name: str) -> None:
    code, forge = HOSTILE[name]
    began = time.monotonic()
    found = verify(write(tmp_path / "hostile.zip", forge(read(honest), made.key, tmp_path)))
    assert not found.holds and code in {reason.code for reason in found.reasons}, found.reasons
    assert not any("/tmp" in str(reason) for reason in found.reasons), "files have the names of the bundle"
    assert time.monotonic() - began < 30.0


@pytest.mark.parametrize("height", SMALL_POINTS)
def test_a_key_that_fits_any_content_is_none(honest: Path, tmp_path: Path, height: int) -> None:
    point = height.to_bytes(32, "little")
    one = {"keyid": "0" * 64, "sig": base64.b64encode((1).to_bytes(32, "little") + bytes(32)).decode()}
    forged = edit_envelope(read(honest), publicKey=point.hex(), signatures=[one])
    (reason,) = verify(write(tmp_path / "forged.zip", forged)).reasons
    assert reason.code == "bad-signature" and "fits any content" in reason.what


def packed_with(files: Files, path: Path, extra: bytes = b"", zip64: bool = False) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.extra, entry.compress_type = extra, zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=zip64) as target:
                target.write(data)
    return path.read_bytes()


def with_a_gap(data: bytes) -> bytes:
    """Return a zip file with bytes between its entries and their list that no reader looks at."""
    at = data.rindex(b"PK\5\6")
    begin = int.from_bytes(data[at + 16 : at + 20], "little")
    return data[:begin] + b"luggage" + data[begin : at + 16] + struct.pack("<L", begin + 7) + data[at + 20 :]


def with_overlap(data: bytes) -> bytes:
    """Return a zip file whose list leads to the first entry twice."""
    at = data.rindex(b"PK\1\2")
    return data[: at + 42] + bytes(4) + data[at + 46 :]


LAYOUTS: dict[str, Callable[[bytes, Path], bytes]] = {
    "a script before it": lambda data, path: b"#!/bin/sh\nexit\n" + data,
    "bytes behind it": lambda data, path: data + b"x" * 100,
    "a comment": lambda data, path: data[:-2] + struct.pack("<H", 5) + b"hello",
    "a gap": lambda data, path: with_a_gap(data),
    "overlapping entries": lambda data, path: with_overlap(data),
    "fields of its own": lambda data, path: packed_with(read(path), path, struct.pack("<HH4s", 0xCAFE, 4, b"note")),
    "sizes in two places": lambda data, path: packed_with(read(path), path, zip64=True),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_in_the_file_and_not_in_the_signed_list_is_refused(honest: Path, tmp_path: Path, layout: str) -> None:
    file = tmp_path / "forged.zip"
    file.write_bytes(honest.read_bytes())
    file.write_bytes(LAYOUTS[layout](honest.read_bytes(), file))
    assert [reason.code for reason in verify(file).reasons] == ["no-zip"]


def test_a_list_of_millions_of_entries_is_not_read(tmp_path: Path) -> None:
    name, end = b"card/README.md", struct.Struct("<4s4H2LH")
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 33, 0, 0, 0, len(name), *[0] * 6) + name
    listed = entry * 600_000
    file = tmp_path / "list.zip"
    file.write_bytes(listed + end.pack(b"PK\5\6", 0, 0, 0, 0, len(listed), 0, 0))
    began = time.monotonic()
    assert [reason.code for reason in verify(file).reasons] == ["too-large"]
    assert time.monotonic() - began < 2.0


def forced(ready: Ready, out: Path, *runs: Path, image: str = "") -> Path:
    """Write the bundle of runs that `submit` would refuse."""
    asked = replace(ready.asked, runs=runs, image=image or ready.asked.image)
    submit(asked, Examined(tuple(audit(RunFolder.open(run)) for run in runs), ()), ready.key, out)
    return out


RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "seeds that somebody chose": ("chosen-seeds", {"seeds": (7,)}),
    "the simulator under another name": (
        "no-model", {"wm_manifest": {"name": "mine", "kind": "environment", "settings": {}}},
    ),
    "no model at all": ("no-model", {"wm_manifest": {"name": "mine", "kind": "none", "settings": {}}}),
    "the digest of another repository": (
        "other-image", {"wm_image": ImageRecord("a:1", f"sha256:{'1' * 64}", f"theirs.example/model@{DIGEST}")},
    ),
    "fresh homes of digits in capitals": ("not-test", {"split": "fresh-ABCDEF0123456789"}),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_what_a_submitter_may_not_choose_is_refused(ready: Ready, tmp_path: Path, name: str) -> None:
    code, changes = RUNS[name]
    if "wm_manifest" in changes:
        changes = {**changes, "wm_manifest_hash": digest(changes["wm_manifest"])}
    run = write_run(tmp_path / "hostile", ready.suite, "hostile", wm="mine", **changes)
    found = verify(forced(ready, tmp_path / "bundle.zip", run))
    assert code in {reason.code for reason in found.reasons}, found.reasons


def test_runs_of_two_commits_are_not_one_submission(ready: Ready, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", ready.suite, "two", split="fresh-00000000feedc0de")
    at_commit(other, "f" * 40)
    found = verify(forced(ready, tmp_path / "bundle.zip", ready.run, other))
    assert [reason.code for reason in found.reasons] == ["several-commits"]
    at_commit(other, COMMIT)
    assert verify(forced(ready, tmp_path / "bundle.zip", ready.run, other)).holds


def test_runs_of_the_future_are_refused(ready: Ready, tmp_path: Path) -> None:
    record = json.loads((ready.run / RECORD).read_text())
    record["provenance"]["created_at"] = time.time() + 1e7
    (ready.run / RECORD).write_text(json.dumps(record))
    found = verify(forced(ready, tmp_path / "bundle.zip", ready.run))
    assert any(r.code == "false-claim" and "future" in r.what for r in found.reasons)


def test_an_image_that_was_registered_under_another_name_is_told(ready: Ready, tmp_path: Path) -> None:
    from harness.leaderboard.verifying import Known

    found = verify(ready.bundle(tmp_path / "bundle.zip"), Known(image=f"famous.example/model@{DIGEST}"))
    assert found.holds and any("was registered as famous.example/model" in said for said in found.unchecked)


def test_a_name_that_no_bundle_takes_is_refused_where_it_is_written(ready: Ready, tmp_path: Path) -> None:
    run = write_run(tmp_path / "named", ready.suite, "con.", wm="mine")
    with pytest.raises(Refusal, match="a name that none takes"):
        forced(ready, tmp_path / "bundle.zip", run)
    for stray in (".hidden", "notes.txt"):
        for episode in (ready.run / "episodes").iterdir():
            (episode / stray).write_text("mine")
    assert verify(ready.bundle(tmp_path / "bundle.zip")).holds
