"""Declared images: what is read, packed, refused and understood, without an engine."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes.images import build
from harness.runtimes.images.build import explain
from harness.runtimes.images.context import (
    Supplied,
    check_supplies,
    context_files,
    source_digest,
    supply_arguments,
    write_context,
)
from harness.runtimes.images.declared import DeclaredImage, declared_images, find_image, own_reference, read_images
from harness.runtimes.images.lock import UNKNOWN, LockedImage, image_state, read_lock, write_lock
from harness.runtimes.images.pull import require_digest

DIGEST = "sha256:" + "ab" * 32


def small_checkout(folder: Path) -> DeclaredImage:
    """Write a checkout with one image of two files and return its declaration."""
    (folder / "images/toy").mkdir(parents=True)
    (folder / "images/toy/Dockerfile").write_text("FROM scratch\n")
    (folder / "code/__pycache__").mkdir(parents=True)
    (folder / "code/a.py").write_text("a = 1\n")
    (folder / "code/README.md").write_text("not in the image")
    (folder / "code/__pycache__/a.pyc").write_text("compiled")
    return DeclaredImage("toy", "Toy", "for tests", "base", "MIT", ("code",), {"BASE": "debian:12"})


def test_images_come_after_those_they_are_built_on() -> None:
    names = [image.name for image in declared_images()]
    assert names.index("wm_base") < names.index("example_plugin")
    assert find_image("example_plugin").parents == ("wm_base",)


def test_an_unknown_image_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(Refusal, match="embedded"):
        find_image("embeded")


def test_profiles_of_one_folder_are_images_of_one_dockerfile() -> None:
    one, other = find_image("habitat_eval"), find_image("habitat_collect")
    assert one.dockerfile == other.dockerfile == "images/habitat/Dockerfile" and one.context == other.context
    assert one.reference == own_reference("wiw-bench/habitat_eval")
    assert other.reference == own_reference("wiw-bench/habitat_collect")
    assert (one.arguments["HABITAT_SIM"], other.arguments["HABITAT_SIM"]) == ("0.2.5", "0.3.2")


def test_a_profile_without_a_title_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "image.toml"
    rest = 'kind = "base"\nlicences = "MIT"\ncontext = ["x"]\n[bases]\nBASE = "debian:12"\n'
    file.write_text(f'{rest}[profiles.small]\nsummary = "s"')
    with pytest.raises(Refusal, match=r"image\.toml: profiles\.small\.title: Field required"):
        read_images(file)
    file.write_text(f'summary = "s"\n{rest}')
    with pytest.raises(Refusal, match=r"image\.toml: title"):
        read_images(file)


@pytest.mark.parametrize("text", ["title = 3", 'title = "x"\nsurprise = 1', "title ="])
def test_a_wrong_declaration_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "image.toml"
    file.write_text(text)
    with pytest.raises(Refusal, match=r"image\.toml"):
        read_images(file)


def test_the_context_is_the_same_whatever_the_umask(tmp_path: Path) -> None:
    image = small_checkout(tmp_path)
    (tmp_path / "code/a.py").chmod(0o600)
    stream = io.BytesIO()
    write_context(image, {}, stream, tmp_path)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        members = {member.name: member for member in archive.getmembers()}
    assert sorted(members) == context_files(image, tmp_path) == ["code/a.py", "images/toy/Dockerfile"]
    assert {member.mode for member in members.values()} == {0o644}
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}


def test_the_source_digest_follows_content_alone(tmp_path: Path) -> None:
    image = small_checkout(tmp_path)
    before = source_digest(image, tmp_path)
    os.utime(tmp_path / "code/a.py", (0, 0))
    assert source_digest(image, tmp_path) == before
    (tmp_path / "code/a.py").write_text("a = 2\n")
    assert source_digest(image, tmp_path) != before


def test_a_context_with_an_absent_path_is_refused(tmp_path: Path) -> None:
    image = replace(small_checkout(tmp_path), context=("code", "absent"))
    with pytest.raises(Refusal, match="absent"):
        context_files(image, tmp_path)


def test_supplies_need_file_consent_and_checksum_in_this_order(tmp_path: Path) -> None:
    image = find_image("rlbench")
    archive = tmp_path / "CoppeliaSim.tar.xz"
    wrong = "0" * 64
    with pytest.raises(Refusal, match="--coppeliasim PATH"):
        check_supplies(image, {})
    with pytest.raises(Refusal, match="--accept-coppeliasim-licence"):
        check_supplies(image, {"coppeliasim": Supplied(archive)})
    with pytest.raises(Refusal, match="no file"):
        check_supplies(image, {"coppeliasim": Supplied(archive, True)})
    archive.write_bytes(b"an archive")
    with pytest.raises(Refusal, match="--coppeliasim-sha256"):
        check_supplies(image, {"coppeliasim": Supplied(archive, True)})
    with pytest.raises(Refusal, match=wrong):
        check_supplies(image, {"coppeliasim": Supplied(archive, True, wrong)})
    right = Supplied(archive, True, hashlib.sha256(b"an archive").hexdigest().upper())
    assert check_supplies(image, {"coppeliasim": right}) == {"coppeliasim.tar.xz": archive}
    assert supply_arguments(image, {"coppeliasim": right})["ACCEPT_COPPELIASIM_LICENCE"] == "yes"


@pytest.mark.parametrize("reference", ["wiw/zoom", "wiw/zoom:1.0", "localhost:5000/zoom:latest"])
def test_a_mere_tag_is_refused_with_the_reason(reference: str) -> None:
    with pytest.raises(Refusal, match="tomorrow"):
        require_digest(reference)


@pytest.mark.parametrize("reference", ["zoom@sha256:12", "zoom@md5:" + "ab" * 16, "@" + DIGEST, "a b@" + DIGEST])
def test_a_malformed_digest_is_refused(reference: str) -> None:
    with pytest.raises(Refusal, match="64 hex"):
        require_digest(reference)


def test_a_digest_stands_without_its_tag() -> None:
    assert str(require_digest(f"localhost:5000/wiw/zoom:1.0@{DIGEST}")) == f"localhost:5000/wiw/zoom@{DIGEST}"


FAILURES = {
    "disk": ("write /opt/x: no space left on device", "disk of the engine is full"),
    "registry": ('Get "https://registry-1.example/v2/": net/http: request canceled', "registry of the base image"),
    "absent base": ("pull access denied for nobody/base, repository does not exist", "no such base image"),
    "pip": ("ERROR: No matching distribution found for numpy==9.9", "package index cannot be reached"),
    "hash": ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not what the lock names"),
    "archive": ("coppeliasim.tar.xz: FAILED\nsha256sum: WARNING: 1 computed checksum did NOT match", "lock names"),
    "conda": ("critical libmamba conda-forge: Download error (6) Could not resolve host", "conda channels"),
    "git": ("fatal: unable to access 'https://github.example/a.git/': Failed", "source repository cannot be reached"),
    "debian": ("E: Failed to fetch http://deb.example/pool/a.deb", "Debian mirror"),
    "memory": ("The command '/bin/sh -c cc' returned a non-zero code: 137", "killed, most likely for memory"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_build_names_its_cause_and_its_log(name: str) -> None:
    said, cause = FAILURES[name]
    error = explain("toy", "the build stopped", ["Step 3/9 : RUN something", *said.splitlines()], Path("/logs/toy.log"))
    assert cause in error.what and "/logs/toy.log" in error.next_step


def test_an_unknown_failure_keeps_the_engines_words() -> None:
    error = explain("toy", "something new", ["quiet"], Path("/logs/toy.log"))
    assert "something new" in error.what and "/logs/toy.log" in error.next_step


def test_a_chosen_base_replaces_the_declared_one() -> None:
    image = find_image("embedded")
    assert build.base_references(image, {"BASE": "mine:1"}) == {"BASE": "mine:1"}
    with pytest.raises(Refusal, match="BASE="):
        build.base_references(image, {"OTHER": "mine:1"})
    assert build.base_references(find_image("example_plugin"), {})["WM_BASE"] == find_image("wm_base").reference


def test_builds_get_proxies_and_indexes_but_no_folders_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "pip_configuration", dict)
    environment = {
        "HTTPS_PROXY": "http://proxy:3128",
        "PIP_INDEX_URL": "https://index.example/simple",
        "PIP_EXTRA_INDEX_URL": "file:///srv/wheels https://more.example/simple",
        "HOME": "/root",
    }
    assert build.network_arguments(environment) == {
        "HTTPS_PROXY": "http://proxy:3128",
        "PIP_INDEX_URL": "https://index.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://more.example/simple",
    }


def test_pip_configuration_is_read_as_pip_prints_it() -> None:
    listing = "global.index-url='https://a.example/simple'\nglobal.cert='/x.crt'\n:env:.find-links='/w'\n"
    assert build.parse_pip_configuration(listing) == {"index-url": "https://a.example/simple"}


def locked(reference: str, number: int) -> LockedImage:
    return LockedImage(reference, f"sha256:{number}", "", 7, "source", {"debian:12": "x"}, {"python": {"numpy": "2"}})


def test_a_lock_comes_back_and_keeps_other_images(tmp_path: Path) -> None:
    path = tmp_path / "images.lock"
    write_lock(path, [locked("a:1", 1), locked("b:1", 2)])
    write_lock(path, [locked("b:1", 3)])
    assert read_lock(path) == {"a:1": locked("a:1", 1), "b:1": locked("b:1", 3)}


@pytest.mark.parametrize("text", ["", "{}", '{"format": 9, "images": []}', '{"format": 1, "images": [{"id": 1}]}'])
def test_a_file_that_is_no_lock_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "images.lock"
    path.write_text(text)
    with pytest.raises(Refusal, match=r"images\.lock"):
        read_lock(path)


def test_images_that_were_never_built_say_why_even_without_an_engine() -> None:
    notes = {image.name: image_state(None, image, {}) for image in declared_images()}
    assert {state.state for state in notes.values()} == {UNKNOWN}
    assert "conda" in notes["habitat_eval"].note and "conda" in notes["habitat_collect"].note
    assert "--coppeliasim" in notes["rlbench"].note
