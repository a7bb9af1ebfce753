"""The cache of homes: builds once, never serves damaged bytes, stays bounded, survives concurrent writers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="the embedded homes need the extra `embedded`")

from images.embedded.cache import CacheFolderError, HomeCache, home_digest
from images.embedded.homebytes import HomeBytesError, decode_home, encode_home
from images.embedded.homes.splits import UnknownHomeError
from images.embedded.mesh import Home
from tests.images.embedded.small_home import small_home

ROOT = Path(__file__).parents[3]


class Builder:
    """Builds small homes and counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, seed: int) -> Home:
        self.count += 1
        return small_home(seed)


def test_a_home_is_built_once_and_read_back_equal(tmp_path: Path) -> None:
    build = Builder()
    first = HomeCache(tmp_path, build=build).load("test-0001")
    second = HomeCache(tmp_path, build=build).load("test-0001")
    assert build.count == 1 and home_digest(first) == home_digest(second)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_damaged_file_warns_once_is_rebuilt_and_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    build = Builder()
    cache = HomeCache(tmp_path, build=build)
    good = home_digest(cache.load("test-0001"))
    path = cache.path("test-0001")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes({"flip": bytes(data), "cut": bytes(data[:1000]), "empty": b""}[damage])
    assert home_digest(cache.load("test-0001")) == good
    warning = capsys.readouterr().err
    assert warning.count("warning") == 1 and str(path) in warning and "checksum" in warning
    assert home_digest(cache.load("test-0001")) == good
    assert capsys.readouterr().err == "" and build.count == 2


def test_folder_stays_bounded_and_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    build = Builder()
    size = len(encode_home(small_home())) + 200
    cache = HomeCache(tmp_path, max_bytes=2 * size, build=build)
    for order, name in enumerate(("test-0000", "test-0001")):
        cache.load(name)
        os.utime(cache.path(name), ns=(order, order))
    cache.load("test-0000")
    cache.load("test-0002")
    assert {p.name for p in tmp_path.iterdir()} == {cache.path(n).name for n in ("test-0000", "test-0002")}


def test_the_home_just_built_survives_a_bound_that_is_too_small(tmp_path: Path) -> None:
    cache = HomeCache(tmp_path, max_bytes=1, build=Builder())
    cache.load("test-0000")
    cache.load("test-0001")
    assert [p.name for p in tmp_path.iterdir()] == [cache.path("test-0001").name]


def test_concurrent_writers_all_get_the_same_home(tmp_path: Path) -> None:
    digests: list[str] = []
    cache = HomeCache(tmp_path, build=Builder())
    threads = [threading.Thread(target=lambda: digests.append(home_digest(cache.load("test-0003")))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(digests)) == 1 and len(digests) == 6
    assert [p.name for p in tmp_path.iterdir()] == [cache.path("test-0003").name]


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(CacheFolderError, match="WIW_CACHE"):
        HomeCache(blocker / "homes", build=Builder()).load("test-0001")


def test_unknown_names_are_refused_before_anything_is_built(tmp_path: Path) -> None:
    build = Builder()
    with pytest.raises(UnknownHomeError, match="train-0000"):
        HomeCache(tmp_path, build=build).load("../etc/passwd")
    assert build.count == 0


def test_digest_covers_every_array_and_the_metadata() -> None:
    home = small_home()
    digests = {home_digest(home)}
    for field in fields(home):
        value = getattr(home, field.name)
        if isinstance(value, np.ndarray):
            changed = value.copy()
            changed.reshape(-1)[-1] += 1
            arrays: dict[str, Any] = {field.name: changed}
            digests.add(home_digest(replace(home, **arrays)))
    digests.add(home_digest(replace(home, seed=99)))
    digests.add(home_digest(replace(home, objects=home.objects[:1])))
    digests.add(home_digest(replace(home, rooms=())))
    assert len(digests) == 1 + 9 + 3


@pytest.mark.parametrize("data", [b"", b"WIWHOME1", b"WIWHOME1" + b"\xff" * 40, b"x" * 100])
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(HomeBytesError, match="build"):
        decode_home(data)


@pytest.mark.parametrize("file", ["homes/furniture/beds.py", "homes/ood/walls.py", "light.py", "homebytes.py"])
def test_a_home_of_other_code_is_never_taken_for_one_of_this(tmp_path: Path, file: str) -> None:
    """Whoever edits the builder, or pulls an edit, sees the homes of the code that runs."""
    checkout = tmp_path / "checkout"
    for part in ("images", "harness/contracts"):
        shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "harness" / "__init__.py").touch()
    code = f"from images.embedded.cache import HomeCache; print(HomeCache({str(tmp_path)!r}).path('test-0001'))"

    def path() -> str:
        done = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
        return done.stdout

    before = path()
    assert before == str(HomeCache(tmp_path).path("test-0001")) + "\n", "equal code, equal homes"
    with (checkout / "images" / "embedded" / file).open("a") as edited:
        edited.write("\nEDITED = 1\n")
    assert path() != before
