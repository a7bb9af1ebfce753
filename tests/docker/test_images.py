"""The project's images on a real engine: what they hold, whom they run as, what they leave out, and how builds fail."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import Refusal, ServiceError
from harness.runtimes.docker_engine import Engine
from harness.runtimes.images import context, declared
from harness.runtimes.images.build import PROTOCOL_LABEL, BuildOptions, BuildStep, build_image
from harness.runtimes.images.declared import DeclaredImage, find_image
from harness.runtimes.images.lock import BUILT, OUTDATED, image_state, lock_image, read_lock, write_lock
from harness.wire.codec.messages import PROTOCOL_VERSION
from tests.docker.small_image import BASE

NAMES = ("embedded", "wm_base", "example_plugin")
ANY_IMAGE = pytest.mark.parametrize("name", NAMES)


def attributes(engine: Engine, name: str) -> dict[str, Any]:
    """Return what the engine knows of an image; skip where it was not built."""
    image = find_image(name)
    state = image_state(engine, image, {})
    if state.state not in (BUILT, OUTDATED):
        pytest.skip(f"{image.reference} is not here: {state.note}")
    found: dict[str, Any] = engine.client.images.get(image.reference).attrs
    return found


def run_in(engine: Engine, name: str, code: str) -> str:
    """Return what a line of Python prints inside an image, confined as a plugin is."""
    output: bytes = engine.client.containers.run(
        find_image(name).reference,
        entrypoint=["python", "-c"],
        command=[code],
        network_mode="none",
        read_only=True,
        tmpfs={"/tmp": ""},
        cap_drop=["ALL"],
        mem_limit="1g",
        remove=True,
    )
    return output.decode().strip()


@ANY_IMAGE
def test_an_image_runs_as_nobody_and_declares_no_volume_or_port(engine: Engine, name: str) -> None:
    config = attributes(engine, name)["Config"]
    assert config["User"] == "65532:65532"
    assert not config.get("Volumes") and not config.get("ExposedPorts")
    assert config["Entrypoint"] == ["python", "-m", "harness.wire.host", "--spec", "/run/wiw/spec.json"]
    assert "harness.wire.health" in config["Healthcheck"]["Test"]


@ANY_IMAGE
def test_nothing_of_the_builder_stays_in_an_image(engine: Engine, name: str) -> None:
    config = attributes(engine, name)["Config"]
    assert not any(setting.startswith(("PIP_", "HTTP", "http")) for setting in config["Env"])
    history = str(engine.client.images.get(find_image(name).reference).history())
    assert "PIP_INDEX_URL=" not in history
    assert run_in(engine, name, "import importlib.util; print(importlib.util.find_spec('pip'))") == "None"


@ANY_IMAGE
def test_an_image_holds_contracts_and_wire_and_no_other_room(engine: Engine, name: str) -> None:
    attributes(engine, name)
    rooms = "import pathlib; print(*(p.name for p in pathlib.Path('/opt/wiw/harness').iterdir() if p.is_dir()))"
    assert set(run_in(engine, name, rooms).split()) - {"__pycache__"} == {"contracts", "wire"}


COMPILES = """
from images.embedded.warm_up import compile_kernels
compile_kernels(lambda text: print("compiles", text))
print("ready")
"""


def test_the_embedded_image_brings_its_machine_code(engine: Engine) -> None:
    assert run_in(engine, "embedded", COMPILES).split() == ["ready"]


def test_a_lock_names_the_base_and_every_package(engine: Engine, tmp_path: Path) -> None:
    attributes(engine, "wm_base")
    locked = lock_image(engine, find_image("wm_base"))
    write_lock(tmp_path / "images.lock", [locked])
    assert read_lock(tmp_path / "images.lock")[locked.reference] == locked
    assert locked.packages["python"]["grpcio"] and locked.packages["debian"]["libc6"]
    assert all(digest.partition("@")[2] or digest.startswith("sha256:") for digest in locked.bases.values())
    state = image_state(engine, find_image("wm_base"), {locked.reference: locked})
    assert state.locked == "yes"
    assert image_state(engine, find_image("wm_base"), {locked.reference: replace(locked, id="x")}).locked == "differs"


@pytest.fixture
def toy(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeclaredImage]:
    """An image of one file on the local base, in a checkout of its own; removed afterwards."""
    try:
        engine.client.images.get(BASE)
    except engine.errors.ImageNotFound:
        pytest.skip(f"{BASE} is not here: bash tests/docker/make_base.sh")
    name = f"toy-{uuid.uuid4().hex[:8]}"
    (tmp_path / f"images/{name}").mkdir(parents=True)
    (tmp_path / f"images/{name}/word").write_text("first\n")
    monkeypatch.setattr(context, "CHECKOUT", tmp_path)
    for function in (context.context_files, context.source_digest, context.write_context):
        monkeypatch.setattr(function, "__defaults__", (tmp_path,))
    image = DeclaredImage(name, "Toy", "for tests", "base", "MIT", (f"images/{name}",), {"BASE": BASE}, disk_gb=0.1)
    yield image
    for tag in (image.reference, f"{image.reference}-early"):
        try:
            engine.client.images.remove(tag, force=True)
        except engine.errors.ImageNotFound:
            continue


def write_dockerfile(image: DeclaredImage, folder: Path, *lines: str) -> None:
    text = "\n".join(("ARG BASE", "FROM ${BASE} AS early", *lines))
    (folder / image.dockerfile).write_text(text + "\n")


def build(engine: Engine, image: DeclaredImage, folder: Path, options: BuildOptions | None = None) -> list[BuildStep]:
    steps: list[BuildStep] = []
    build_image(engine, image, options or BuildOptions(), {}, "revision", folder / "build.log", steps.append)
    return steps


def test_a_build_reports_its_steps_and_becomes_outdated_with_its_sources(
    engine: Engine, toy: DeclaredImage, tmp_path: Path
) -> None:
    write_dockerfile(toy, tmp_path, f"COPY images/{toy.name}/word /word", "USER 65532:65532")
    steps = build(engine, toy, tmp_path)
    assert [step.number for step in steps] == list(range(steps[-1].total + 1))
    assert "Step 1/" in (tmp_path / "build.log").read_text()
    assert image_state(engine, toy, {}).state == BUILT
    labels = engine.client.images.get(toy.reference).labels
    assert labels[PROTOCOL_LABEL] == str(PROTOCOL_VERSION)
    (tmp_path / f"images/{toy.name}/word").write_text("second\n")
    assert image_state(engine, toy, {}).state == OUTDATED


def test_a_stage_gets_a_name_of_its_own(engine: Engine, toy: DeclaredImage, tmp_path: Path) -> None:
    write_dockerfile(toy, tmp_path, "FROM ${BASE}", "RUN exit 9")
    build(engine, toy, tmp_path, BuildOptions(stage="early"))
    assert engine.client.images.get(f"{toy.reference}-early")


def test_a_failing_step_ends_in_an_error_with_the_log_and_leaves_no_container(
    engine: Engine, toy: DeclaredImage, tmp_path: Path
) -> None:
    write_dockerfile(toy, tmp_path, f"RUN echo {toy.name}: cannot create /x: No space left on device; exit 1")
    with pytest.raises(ServiceError, match="disk of the engine is full") as caught:
        build(engine, toy, tmp_path)
    assert "non-zero code: 1" in caught.value.what and str(tmp_path / "build.log") in caught.value.next_step
    left = [container.attrs["Config"]["Cmd"] for container in engine.client.containers.list(all=True, sparse=False)]
    assert not [command for command in left if toy.name in str(command)]


def test_an_unreachable_base_is_named(engine: Engine, toy: DeclaredImage, tmp_path: Path) -> None:
    write_dockerfile(toy, tmp_path)
    with pytest.raises(ServiceError, match=r"registry of the base image|no such base image"):
        build(engine, toy, tmp_path, BuildOptions(bases={"BASE": "localhost:9/absent/base:1"}))


def test_a_base_of_the_project_that_is_absent_is_refused_before_the_build(
    engine: Engine, toy: DeclaredImage, tmp_path: Path
) -> None:
    image = replace(toy, bases={"BASE": f"{declared.PREFIX}nowhere"})
    write_dockerfile(image, tmp_path)
    with pytest.raises(Refusal, match="images build nowhere"):
        build(engine, image, tmp_path)


def test_a_build_without_room_is_refused(engine: Engine, toy: DeclaredImage, tmp_path: Path) -> None:
    image = replace(toy, disk_gb=1e9)
    write_dockerfile(image, tmp_path)
    with pytest.raises(Refusal, match="GB free"):
        build(engine, image, tmp_path)
