"""Hashes of weights: every byte is read once, and again when the file is another one."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness.worldmodels import digests
from harness.worldmodels.digests import hash_files

LONG_AGO_S = 1_700_000_000


def written(file: Path, content: bytes, changed_s: int = LONG_AGO_S) -> Path:
    """Write a file that was changed last at ``changed_s``."""
    file.write_bytes(content)
    os.utime(file, (changed_s, changed_s))
    return file


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are read from now on."""
    names: list[str] = []
    real = digests._read

    def noted(file: Path, on_read: object) -> str:
        names.append(file.name)
        return real(file, on_read)  # type: ignore[arg-type]

    monkeypatch.setattr(digests, "_read", noted)
    return names


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once(tmp_path: Path, read: list[str]) -> None:
    files = [written(tmp_path / "a", b"first"), written(tmp_path / "b", b"second")]
    for _ in range(2):
        hashes = hash_files(files, cache=tmp_path / "cache")
        assert list(hashes.values()) == [sha256(b"first"), sha256(b"second")]
    assert read == ["a", "b"]


def test_a_file_of_other_size_time_or_inode_is_read_again(tmp_path: Path, read: list[str]) -> None:
    file, cache = tmp_path / "a", tmp_path / "cache"
    hash_files([written(file, b"first")], cache=cache)
    assert hash_files([written(file, b"longer")], cache=cache)[file] == sha256(b"longer")
    assert hash_files([written(file, b"later!", LONG_AGO_S + 1)], cache=cache)[file] == sha256(b"later!")
    written(tmp_path / "new", b"other!", LONG_AGO_S + 1).replace(file)
    assert hash_files([file], cache=cache)[file] == sha256(b"other!")
    assert len(read) == 4
    hash_files([file], cache=cache)
    assert len(read) == 4


def test_a_file_that_was_written_over_and_given_its_old_time_is_read_again(tmp_path: Path, read: list[str]) -> None:
    file, cache = written(tmp_path / "a", b"first"), tmp_path / "cache"
    hash_files([file], cache=cache)
    assert hash_files([written(file, b"other")], cache=cache)[file] == sha256(b"other")
    assert len(read) == 2


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path: Path, read: list[str]) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"fresh")
    for _ in range(2):
        hash_files([file], cache=tmp_path / "cache")
    assert len(read) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state": 3, "sha256": "x"}', '{"sha256": "x"}'])
def test_a_broken_entry_is_written_anew(tmp_path: Path, read: list[str], content: str) -> None:
    file, cache = written(tmp_path / "a", b"first"), tmp_path / "cache"
    hash_files([file], cache=cache)
    (entry,) = cache.iterdir()
    entry.write_text(content)
    for _ in range(2):
        assert hash_files([file], cache=cache)[file] == sha256(b"first")
    assert len(read) == 2


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    file = written(tmp_path / "a", b"first")
    assert hash_files([file], cache=Path("/proc/nowhere"))[file] == sha256(b"first")


def test_a_link_shares_the_entry_of_its_file(tmp_path: Path, read: list[str]) -> None:
    file, link = written(tmp_path / "blob", b"first"), tmp_path / "link"
    link.symlink_to(file)
    hash_files([file], cache=tmp_path / "cache")
    assert hash_files([link], cache=tmp_path / "cache") == {link: sha256(b"first")}
    assert read == ["blob"]


def test_progress_counts_all_bytes_remembered_ones_included(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_CHUNK", 4)
    files = [written(tmp_path / "a", b"123456"), written(tmp_path / "b", b"1234567890")]
    hash_files(files[:1], cache=tmp_path / "cache")
    moments: list[tuple[int, int]] = []
    hash_files(files, lambda done, total: moments.append((done, total)), tmp_path / "cache")
    assert moments == [(6, 16), (10, 16), (14, 16), (16, 16)]
