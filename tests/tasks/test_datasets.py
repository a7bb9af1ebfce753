"""Datasets: fetched whole or not at all, continued where a connection broke, compared with what is known."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from pathlib import Path
from typing import IO, Any, Iterator, List, Tuple

import pytest

from harness.contracts.errors import Refusal, ServiceError, SpecMismatch
from tasks.datasets import download as downloading
from tasks.datasets.catalog import DatasetFile, data_folder, find_datasets, load_datasets
from tasks.datasets.checking import LOCK_NAME, Lock, describe_content, fingerprint, verify
from tasks.datasets.download import Source, download
from tasks.datasets.fetching import fetch
from tests.tasks.file_server import FileServer, Served
from tests.tasks.official_files import ar_item, ignav_item, write_ar, write_goal_images, write_ignav

CONTENT = b"\x1f\x8b" + bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


def get(server: FileServer, folder: Path, served: Served, **known: Any) -> List[Tuple[int, int]]:
    """Download the served file to ``folder``/file.gz; return the progress that was told."""
    server.files["/resolve/file.gz"] = served
    told: List[Tuple[int, int]] = []
    source = Source(f"{server.url}/resolve/file.gz", **known)
    download(source, folder / "file.gz", lambda done, total: told.append((done, total)), wait_s=0.001)
    return told


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_with_progress(server: FileServer, tmp_path: Path) -> None:
    told = get(server, tmp_path, Served(CONTENT), size=len(CONTENT), sha256=DIGEST)
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    assert names(tmp_path) == ["file.gz"]
    assert told[0] == (0, len(CONTENT)) and told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


def test_a_broken_connection_is_continued(server: FileServer, tmp_path: Path) -> None:
    get(server, tmp_path, Served(CONTENT, break_after=[300_000, 400_000]), sha256=DIGEST)
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    assert server.ranges[0] is None
    assert server.ranges[1:] == ["bytes=300000-", "bytes=700000-"]


def test_a_server_without_ranges_sends_it_all_again(server: FileServer, tmp_path: Path) -> None:
    get(server, tmp_path, Served(CONTENT, break_after=[300_000], ranges=False), sha256=DIGEST)
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_what_broke_too_often_is_kept_and_continued_by_the_next_command(server: FileServer, tmp_path: Path) -> None:
    served = Served(CONTENT, break_after=[100_000] * downloading.ATTEMPTS)
    with pytest.raises(ServiceError, match=r"broke 5 times, 500,000 bytes kept.*it continues"):
        get(server, tmp_path, served)
    assert names(tmp_path) == ["file.gz.part", "file.gz.part.etag"]
    get(server, tmp_path, served, sha256=DIGEST)
    assert server.ranges[-1] == "bytes=500000-"
    assert names(tmp_path) == ["file.gz"]


def test_two_versions_are_never_mixed(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ServiceError):
        get(server, tmp_path, Served(CONTENT[::-1], break_after=[100_000] * downloading.ATTEMPTS))
    get(server, tmp_path, Served(CONTENT, etag='"two"'), sha256=DIGEST)
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_a_kept_part_that_is_longer_than_the_file_starts_again(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.gz.part").write_bytes(b"x" * (len(CONTENT) + 9))
    (tmp_path / "file.gz.part.etag").write_text('"one"')
    get(server, tmp_path, Served(CONTENT), sha256=DIGEST)
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_a_part_of_unknown_version_starts_again(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.gz.part").write_bytes(b"x" * 10)
    get(server, tmp_path, Served(CONTENT), sha256=DIGEST)
    assert server.ranges == [None]


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_refused(server: FileServer, tmp_path: Path, content_type: str) -> None:
    page = Served(b"<!doctype html><html>log in</html>", content_type=content_type)
    with pytest.raises(Refusal, match="gave a web page instead of the file"):
        get(server, tmp_path, page)
    assert "file.gz" not in names(tmp_path)


def test_the_page_address_of_the_hub_is_explained(server: FileServer, tmp_path: Path) -> None:
    server.files["/blob/file.gz"] = Served(b"<html>", content_type="text/html")
    with pytest.raises(Refusal, match="/resolve/ instead of /blob/"):
        download(Source(f"{server.url}/blob/file.gz"), tmp_path / "file.gz", lambda done, total: None)


def test_another_kind_of_file_is_refused(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(SpecMismatch, match=r"is no \.gz file: it starts with b'version '"):
        get(server, tmp_path, Served(b"version https://git-lfs"))
    assert names(tmp_path) == []


def test_wrong_bytes_are_not_kept(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(SpecMismatch, match=rf"{DIGEST}, expected .* with {'0' * 64} \(manifest\)"):
        get(server, tmp_path, Served(CONTENT), sha256="0" * 64)
    assert names(tmp_path) == []


def test_a_wrong_size_is_refused_before_a_byte_is_fetched(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(SpecMismatch, match=r"1,024,002 bytes, expected 17 \(manifest\)"):
        get(server, tmp_path, Served(CONTENT), size=17)
    assert names(tmp_path) == []


def test_the_digest_that_the_hub_announces_is_compared(server: FileServer, tmp_path: Path) -> None:
    server.files["/store"] = Served(CONTENT)
    get(server, tmp_path, Served(b"", moved_to=f"{server.url}/store", linked_etag=f'"{DIGEST}"'))
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    with pytest.raises(SpecMismatch, match=r"\(the server\)"):
        get(server, tmp_path, Served(b"", moved_to=f"{server.url}/store", linked_etag=f'"{"1" * 64}"'))


@pytest.mark.parametrize(("status", "said"), [(401, "asks for a login"), (403, "accept its terms"), (404, "any more")])
def test_a_refusal_of_the_server_is_not_tried_again(server: FileServer, tmp_path: Path, status: int, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        get(server, tmp_path, Served(b"", status=status))
    assert len(server.ranges) == 1


def test_a_busy_server_is_tried_again(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="503"):
        get(server, tmp_path, Served(b"", status=503))
    assert len(server.ranges) == downloading.ATTEMPTS


def test_nobody_listening_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="refused"):
        download(Source("http://127.0.0.1:9/file.gz"), tmp_path / "file.gz", lambda done, total: None, wait_s=0.001)


def test_too_little_room_is_said_before_fetching(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(Refusal, match=r"no room for .*0\.00 GB are free"):
        get(server, tmp_path, Served(CONTENT))


class FullDisk:
    """A file that takes some bytes and then says that the disk is full."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *reason: object) -> None:
        self._stream.close()

    def write(self, chunk: bytes) -> int:
        if self._stream.tell() > 200_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._stream.write(chunk)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def test_a_disk_that_fills_up_keeps_what_arrived(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "open", lambda self, mode="r", **more: (
                FullDisk(opened(self, mode)) if self.suffix == ".part" and mode != "rb" else opened(self, mode, **more)
            ),
        )  # fmt: skip
        with pytest.raises(Refusal, match=r"no room for .*it continues"):
            get(server, tmp_path, Served(CONTENT))
    kept = (tmp_path / "file.gz.part").stat().st_size
    assert 0 < kept < len(CONTENT)
    get(server, tmp_path, Served(CONTENT), sha256=DIGEST)
    assert server.ranges[-1] == f"bytes={kept}-"


def test_an_interruption_keeps_what_arrived(server: FileServer, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done > 300_000:
            raise KeyboardInterrupt

    server.files["/resolve/file.gz"] = Served(CONTENT)
    with pytest.raises(KeyboardInterrupt):
        download(Source(f"{server.url}/resolve/file.gz"), tmp_path / "file.gz", interrupt)
    assert "file.gz" not in names(tmp_path)
    get(server, tmp_path, Served(CONTENT), sha256=DIGEST)
    assert str(server.ranges[-1]).startswith("bytes=") and server.ranges[-1] != "bytes=0-"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="cannot write"):
        download(Source("http://127.0.0.1:9/x.gz"), tmp_path / "file" / "x.gz", lambda done, total: None)


def test_the_manifest_names_resolve_addresses_and_known_needs() -> None:
    known = load_datasets()
    assert list(known) == ["ar", "ignav", "aeqa", "hm3d-val", "mp3d"]
    for dataset in known.values():
        assert set(dataset.needs) <= set(known)
        assert dataset.fetchable == (not dataset.scenes)
        for file in dataset.files:
            assert "/blob/" not in file.url and (not file.url or file.url.endswith(file.path.partition("/")[2]))


def test_another_server_of_the_hub_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    file = DatasetFile(path="a", url="{hub}/datasets/a")
    assert file.address() == "https://huggingface.co/datasets/a"
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror/")
    assert file.address() == "http://mirror/datasets/a"


def test_the_data_folder_is_chosen_named_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WIW_DATA", raising=False)
    assert data_folder() == Path("data")
    monkeypatch.setenv("WIW_DATA", "/big")
    assert data_folder() == Path("/big") and data_folder(Path("x")) == Path("x")


def test_an_unknown_dataset_gets_the_nearest() -> None:
    with pytest.raises(Refusal, match="Did you mean 'ignav'"):
        find_datasets(["ignv"])
    assert len(find_datasets(["all"])) == 5


def test_the_first_verification_records_and_the_next_compares(tmp_path: Path) -> None:
    (dataset,) = find_datasets(["ar"])
    assert [finding.state for finding in verify(dataset, tmp_path)] == ["missing"]
    path = write_ar(tmp_path, [ar_item(0)])
    (first,) = verify(dataset, tmp_path)
    assert first.state == "recorded" and "compared with nothing" in first.detail
    assert [finding.state for finding in verify(dataset, tmp_path)] == ["ok"]
    recorded = json.loads((tmp_path / LOCK_NAME).read_text())
    assert recorded[first.path]["sha256"] == fingerprint(path).sha256
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (changed,) = verify(dataset, tmp_path)
    assert changed.state == "wrong" and "recorded here earlier" in changed.detail


def test_a_damaged_lock_is_refused_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text('{"a": 1}')
    with pytest.raises(Refusal, match=f"{LOCK_NAME} cannot be read"):
        Lock(tmp_path)
    assert (tmp_path / LOCK_NAME).read_text() == '{"a": 1}'


def test_scenes_are_verified_by_pattern(tmp_path: Path) -> None:
    (dataset,) = find_datasets(["mp3d"])
    scene = tmp_path / "scene_datasets" / "mp3d" / "a"
    scene.mkdir(parents=True)
    (scene / "a.glb").write_bytes(b"glb")
    states = {finding.path: finding.state for finding in verify(dataset, tmp_path)}
    assert states == {
        "scene_datasets/mp3d/mp3d.scene_dataset_config.json": "missing",
        "scene_datasets/mp3d/a/a.glb": "recorded",
        "scene_datasets/mp3d/*/*.navmesh": "missing",
    }


def test_licensed_scenes_are_not_fetched_but_explained(tmp_path: Path) -> None:
    (dataset,) = find_datasets(["hm3d-val"])
    with pytest.raises(Refusal, match=r"may not be passed on(.|\n)*API token"):
        list(fetch(dataset, tmp_path, lambda path, done, total: None))


def test_a_dataset_is_fetched_recorded_and_not_fetched_twice(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    (dataset,) = find_datasets(["ignav"])
    written = tmp_path / "written"
    sources = (write_ignav(written, [ignav_item(0)]), write_goal_images(written, ["datum-0"]))
    for file, source in zip(dataset.files, sources):
        server.files[file.address().removeprefix(server.url)] = Served(source.read_bytes())
    data = tmp_path / "data"
    told: List[str] = []
    first = list(fetch(dataset, data, lambda path, done, total: told.append(path)))
    assert [finding.state for finding in first] == ["recorded", "recorded"] and set(told) == {
        file.path for file in dataset.files
    }
    assert describe_content(dataset, data) == ("1 episodes in 1 scenes, 1 goal images",)
    count = len(server.ranges)
    assert [finding.state for finding in fetch(dataset, data, lambda path, done, total: None)] == ["ok", "ok"]
    assert len(server.ranges) == count
    (data / dataset.files[0].path).write_bytes(b"damaged")
    again = list(fetch(dataset, data, lambda path, done, total: None))
    assert again[0].state == "ok" and "recorded here earlier" in again[0].detail
    assert len(server.ranges) == count + 1
