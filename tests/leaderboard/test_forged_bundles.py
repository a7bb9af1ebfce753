"""Forged and hostile bundles: each is refused by its code, and nothing is written outside the folder read into."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import Refusal
from harness.leaderboard import bundle, signing
from harness.leaderboard.verifying import verify
from tests.leaderboard.conftest import COMMIT, Ready

Files = dict[str, bytes]
RUN = "runs/one"
JOURNAL = f"{RUN}/journal.sqlite"


def read(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def payload(files: Files) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(files["envelope.json"])["payload"]))
    return found


def signed_again(files: Files, key: Path, edit: Callable[[dict[str, Any]], None] = lambda plain: None) -> Files:
    """Return files with a manifest that names them as they are now, ``edit``-ed and signed by whoever forges."""
    plain = payload(files)
    kept = {name: data for name, data in files.items() if name != "envelope.json"}
    plain["files"] = {name: vars(bundle.fact_of(data)) for name, data in kept.items()}
    edit(plain)
    return {"envelope.json": json.dumps(signing.sign(json.dumps(plain).encode(), key)).encode(), **kept}


def first_of(files: Files, ending: str) -> str:
    return next(name for name in sorted(files) if name.endswith(ending))


def rows_edited(data: bytes, statement: str, folder: Path) -> bytes:
    file = folder / "forged.sqlite"
    file.write_bytes(data)
    with closing(sqlite3.connect(file)) as database:
        database.execute(statement)
        database.commit()
    return file.read_bytes()


def edit_envelope(files: Files, **changes: Any) -> Files:
    envelope = json.loads(files["envelope.json"])
    return {**files, "envelope.json": json.dumps({**envelope, **changes}).encode()}


def flipped(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(bytes(data)).decode()


def changed(files: Files, name: str, data: bytes) -> Files:
    return {**files, name: data}


def without(files: Files, name: str) -> Files:
    return {each: data for each, data in files.items() if each != name}


def claims(files: Files, key: Path, **run: Any) -> Files:
    return signed_again(files, key, lambda plain: plain["runs"][0].update(run))


def journal_says(files: Files, key: Path, folder: Path, statement: str) -> Files:
    return signed_again(changed(files, JOURNAL, rows_edited(files[JOURNAL], statement, folder)), key)


def trajectory_says(files: Files, key: Path, old: str, new: str) -> Files:
    name = next(n for n in sorted(files) if n.endswith("trajectory.json") and old.encode() in files[n])
    return signed_again(changed(files, name, files[name].replace(old.encode(), new.encode())), key)


def run_says(files: Files, key: Path, **changes: Any) -> Files:
    record = json.loads(files[f"{RUN}/run.json"])
    record["identity"].update(changes)
    return signed_again(changed(files, f"{RUN}/run.json", json.dumps(record).encode()), key)


def played_at(files: Files, key: Path, commit: str) -> Files:
    record = json.loads(files[f"{RUN}/run.json"])
    record["provenance"]["git_commit"] = commit
    return signed_again(changed(files, f"{RUN}/run.json", json.dumps(record).encode()), key)


def another_run(plain: dict[str, Any]) -> None:
    plain["runs"].append({**plain["runs"][0], "run_id": "two"})


Forge = Callable[[Files, Path, Path], Files]
FORGED: dict[str, tuple[str, Forge]] = {
    "nothing signed": ("unsigned", lambda f, k, d: without(f, "envelope.json")),
    "an envelope that is no JSON": ("unsigned", lambda f, k, d: changed(f, "envelope.json", b"{")),
    "an envelope that is a list": ("unsigned", lambda f, k, d: changed(f, "envelope.json", b"[]")),
    "an envelope nested too deep": ("unsigned", lambda f, k, d: changed(f, "envelope.json", b"[" * 5000 + b"]" * 5000)),
    "another payload": (
        "bad-signature", lambda f, k, d: edit_envelope(f, payload=flipped(json.loads(f["envelope.json"])["payload"])),
    ),
    "another kind of payload": ("bad-signature", lambda f, k, d: edit_envelope(f, payloadType="text/plain")),
    "no signature": ("bad-signature", lambda f, k, d: edit_envelope(f, signatures=[])),
    "a signature that is no list": ("bad-signature", lambda f, k, d: edit_envelope(f, signatures=7)),
    "no key": ("bad-signature", lambda f, k, d: edit_envelope(f, publicKey="")),
    "somebody else's key": ("bad-signature", lambda f, k, d: edit_envelope(f, publicKey=other_key(d))),
    "another schema": ("other-schema", lambda f, k, d: signed_again(f, k, lambda p: p.update(schema=99))),
    "a field too many": ("bad-manifest", lambda f, k, d: signed_again(f, k, lambda p: p.update(rank=1))),
    "no runs": ("bad-manifest", lambda f, k, d: signed_again(f, k, lambda p: p.update(runs=[]))),
    "a run that is not there": ("missing-file", lambda f, k, d: signed_again(f, k, another_run)),
    "a file less": ("missing-file", lambda f, k, d: without(f, first_of(f, "video.mp4"))),
    "a file more": ("added-file", lambda f, k, d: {**f, f"{RUN}/episodes/x/video.mp4": b""}),
    "another video": ("changed-file", lambda f, k, d: changed(f, first_of(f, "video.mp4"), b"other")),
    "another trajectory": ("changed-file", lambda f, k, d: changed(f, first_of(f, "trajectory.json"), b"{}")),
    "a way out of the folder": ("bad-name", lambda f, k, d: {**f, "runs/../../escaped/run.json": b"{}"}),
    "an absolute name": ("bad-name", lambda f, k, d: {**f, "/tmp/escaped": b""}),
    "a backslash": ("bad-name", lambda f, k, d: {**f, "runs\\one\\run.json": b""}),
    "another kind of file": ("bad-name", lambda f, k, d: {**f, f"{RUN}/code.py": b""}),
    "a bomb": ("too-large", lambda f, k, d: changed(f, f"{RUN}/run.json", b" " * (8 << 20))),
    "a success that nobody had": ("false-claim", lambda f, k, d: claims(f, k, success=0.99)),
    "another root": ("false-claim", lambda f, k, d: claims(f, k, trajectory_root="0" * 64)),
    "another tier": ("false-claim", lambda f, k, d: claims(f, k, tier="detour")),
    "another model's name": ("false-claim", lambda f, k, d: signed_again(f, k, lambda p: p.update(model="gtsim"))),
    "another commit": ("false-claim", lambda f, k, d: signed_again(f, k, lambda p: p.update(code="f" * 40))),
    "better hardware": ("false-claim", lambda f, k, d: signed_again(f, k, lambda p: p.update(hardware={"cpu": "x"}))),
    "a tag": ("no-digest", lambda f, k, d: signed_again(f, k, lambda p: p.update(image="sized:latest"))),
    "another image": (
        "other-image", lambda f, k, d: signed_again(f, k, lambda p: p.update(image=f"sized@sha256:{'0' * 64}")),
    ),
    "a journal in which all is solved": (
        "damaged", lambda f, k, d: journal_says(f, k, d, "UPDATE episodes SET state = 'ok'"),
    ),
    "a journal with better metrics": (
        "damaged", lambda f, k, d: journal_says(f, k, d, "UPDATE episodes SET metrics = '{\"spl\": 1.0}'"),
    ),
    "a journal without the failures": (
        "damaged", lambda f, k, d: journal_says(f, k, d, "DELETE FROM episodes WHERE state = 'failed'"),
    ),
    "a journal without its chain": ("unchained", lambda f, k, d: journal_says(f, k, d, "DROP TABLE chain")),
    "failures that were never played": (
        "partial",
        lambda f, k, d: journal_says(f, k, d, "UPDATE episodes SET state = 'planned' WHERE state = 'failed'"),
    ),
    "a trajectory that was solved after all": (
        "damaged", lambda f, k, d: trajectory_says(f, k, '"state":"failed"', '"state":"ok"'),
    ),
    "a run that was planned otherwise": ("damaged", lambda f, k, d: run_says(f, k, stop="oracle")),
    "a run without its stamp": ("damaged", lambda f, k, d: run_says(f, k, wm="gtsim")),
    "no run at all": ("unreadable-run", lambda f, k, d: signed_again(changed(f, f"{RUN}/run.json", b"{}"), k)),
    "no journal at all": ("unreadable-run", lambda f, k, d: signed_again(changed(f, JOURNAL, b"no database"), k)),
    "a changed harness": ("dirty-tree", lambda f, k, d: played_at(f, k, f"{COMMIT}+")),
    "no card": ("uncarded", lambda f, k, d: signed_again(without(f, "card/README.md"), k)),
    "an empty card": ("uncarded", lambda f, k, d: signed_again(changed(f, "card/README.md", b""), k)),
}  # fmt: skip


def other_key(folder: Path) -> str:
    key = folder / "other.pem"
    signing.new_key(key)
    return str(signing.sign(b"", key)["publicKey"])


@pytest.fixture(scope="module")
def honest(made: Ready, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.bundle(tmp_path_factory.mktemp("bundle") / "honest.zip")


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_bundle_is_refused_by_its_code(made: Ready, tmp_path: Path, honest: Path, name: str) -> None:
    code, forge = FORGED[name]
    forged = write(tmp_path / "forged.zip", forge(read(honest), made.key, tmp_path))
    found = verify(forged)
    assert not found.holds and code in {reason.code for reason in found.reasons}, found.reasons
    assert not (tmp_path / "escaped").exists() and not Path("/tmp/escaped").exists()


def test_what_is_no_zip_file_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"no zip" * 100):
        file = tmp_path / "no.zip"
        file.write_bytes(content)
        assert [reason.code for reason in verify(file).reasons] == ["no-zip"]


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_entry_packed_otherwise_is_refused_before_it_is_unpacked(tmp_path: Path, kind: int) -> None:
    file = tmp_path / "packed.zip"
    with zipfile.ZipFile(file, "w", kind) as archive:
        archive.writestr("envelope.json", os.urandom(1000))
    data = bytearray(file.read_bytes())
    data[100:120] = bytes(20)
    file.write_bytes(data)
    assert [reason.code for reason in verify(file).reasons] == ["no-zip"]


def test_an_entry_that_begins_before_the_file_is_refused(honest: Path, tmp_path: Path) -> None:
    data = bytearray(honest.read_bytes())
    at = data.rindex(b"PK\x05\x06")
    begin = int.from_bytes(data[at + 16 : at + 20], "little")
    data[at + 16 : at + 20] = (begin + 50_000_000).to_bytes(4, "little")
    forged = tmp_path / "forged.zip"
    forged.write_bytes(data)
    assert [reason.code for reason in verify(forged).reasons] == ["no-zip"]


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    for path in (tmp_path, tmp_path / "pipe.zip", tmp_path / "no.zip", Path(__file__) / "x", tmp_path / ("x" * 300)):
        with pytest.raises(Refusal):
            verify(path)


def test_links_and_doubles_are_refused(honest: Path, tmp_path: Path) -> None:
    files = read(honest)
    for kind in ("link", "double", "encrypted"):
        forged = write(tmp_path / f"{kind}.zip", files)
        with zipfile.ZipFile(forged, "a") as archive:
            entry = zipfile.ZipInfo(f"{RUN}/episodes/one/map.png" if kind == "link" else f"{RUN}/run.json")
            entry.external_attr = (stat.S_IFLNK if kind == "link" else stat.S_IFREG) << 16
            if kind == "encrypted":
                continue
            with pytest.warns(UserWarning) if kind == "double" else nullcontext():
                archive.writestr(entry, "/etc/passwd")
        if kind == "encrypted":
            data = bytearray(forged.read_bytes())
            at = data.rindex(b"PK\x01\x02")
            data[at + 8] |= 1
            forged.write_bytes(bytes(data))
        assert [reason.code for reason in verify(forged).reasons] == ["bad-name"], kind


def test_an_entry_larger_than_it_says_is_not_read_on(honest: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.zip"
    data = bytearray(honest.read_bytes())
    at = data.index(b"PK\x01\x02")
    size = int.from_bytes(data[at + 24 : at + 28], "little")
    data[at + 24 : at + 28] = (size // 2).to_bytes(4, "little")
    forged.write_bytes(bytes(data))
    found = verify(forged)
    assert not found.holds and found.reasons[0].code in ("no-zip", "too-large", "bad-signature", "unsigned")


def test_too_many_and_too_large_entries_are_not_unpacked(honest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAX_FILES", 10), ("MAX_BYTES", 1000), ("MAX_FILE_BYTES", 1000), ("ENVELOPE_BYTES", 1000)):
        with monkeypatch.context() as patch:
            patch.setattr(bundle, name, value)
            assert [reason.code for reason in verify(honest).reasons] == ["too-large"], name
