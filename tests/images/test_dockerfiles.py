"""Rules that every Dockerfile of the project keeps; hadolint checks the language, these check the promises."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from harness.runtimes.images import declared
from harness.runtimes.images.declared import DeclaredImage, declared_images, project_version

ROOT = Path(__file__).parents[2]
IMAGES = declared_images()
ENTRY_POINT = '"python", "-m", "harness.wire.host", "--spec", "/run/wiw/spec.json"]'
USER = "USER 65532:65532"
ANY_IMAGE = pytest.mark.parametrize("image", IMAGES, ids=lambda image: str(image.name))


@dataclass(frozen=True)
class Stage:
    """One stage: what it is built from, its name, and its instructions, continuation lines joined."""

    base: str
    name: str
    lines: tuple[str, ...]


def instructions(image: DeclaredImage) -> list[str]:
    text = (ROOT / image.dockerfile).read_text()
    for name, value in image.arguments.items():
        text = text.replace(f"${{{name}}}", value)
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [line for line in joined.splitlines() if line.strip()]


def stages(image: DeclaredImage) -> list[Stage]:
    found: list[Stage] = []
    for line in instructions(image):
        if line.startswith("FROM "):
            words = line.split()
            found.append(Stage(words[1], words[3] if len(words) > 3 else "", ()))
        elif found:
            found[-1] = Stage(found[-1].base, found[-1].name, (*found[-1].lines, line))
    return found


def final_lines(image: DeclaredImage) -> list[str]:
    """Return the instructions of the stage that becomes the image, after those of the stages it is built from."""
    known = {stage.name: stage for stage in stages(image) if stage.name}
    stage = known[image.stage] if image.stage else stages(image)[-1]
    lines = list(stage.lines)
    while stage.base in known:
        stage = known[stage.base]
        lines = [*stage.lines, *lines]
    return lines


def test_hadolint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = str(linter) if linter.exists() else shutil.which("hadolint")
    if not found:
        pytest.skip("hadolint is not installed (pip install -e '.[test]')")
    files = [image.dockerfile for image in IMAGES]
    done = subprocess.run([found, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


def test_every_folder_with_a_dockerfile_is_declared() -> None:
    assert {file.parent.name for file in (ROOT / "images").glob("*/Dockerfile")} == {image.folder for image in IMAGES}


@ANY_IMAGE
def test_bases_are_arguments_with_a_fixed_tag(image: DeclaredImage) -> None:
    arguments = dict(
        line[4:].split("=", 1) for line in instructions(image) if re.match(r"ARG [A-Z_]+=", line) and ":" in line
    )
    names = {stage.name for stage in stages(image)}
    for stage in stages(image):
        if stage.base in names:
            continue
        argument = stage.base.strip("${}")
        assert argument in image.bases and argument in arguments, f"FROM {stage.base} is no declared argument"
        assert ":" in arguments[argument] and not arguments[argument].endswith(":latest")
        declared = image.bases[argument]
        assert arguments[argument] in (declared, f"{declared}:{project_version()}"), "image.toml says something else"


@ANY_IMAGE
def test_the_image_runs_the_service_as_nobody(image: DeclaredImage) -> None:
    if image.kind == "plugin":
        assert not any(line.startswith(("USER", "ENTRYPOINT")) for line in final_lines(image)), "the base says it"
        return
    lines = final_lines(image)
    assert [line for line in lines if line.startswith("USER")][-1] == USER
    assert [line for line in lines if line.startswith("ENTRYPOINT")][-1].endswith(ENTRY_POINT)
    assert any(line.startswith("HEALTHCHECK") and "harness.wire.health" in line for line in lines)
    assert any("PYTHONPATH=/opt/wiw" in line for line in lines if line.startswith("ENV"))


@ANY_IMAGE
def test_labels_say_title_version_and_licence(image: DeclaredImage) -> None:
    labels = " ".join(line for line in final_lines(image) if line.startswith("LABEL"))
    for name in ("title", "description", "version", "revision", "licenses"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert f'org.opencontainers.image.licenses="{image.licences}"' in labels
    assert "wiw.protocol" not in labels, "a build stamps it"
    assert f"ARG VERSION={project_version()}" in final_lines(image)
    assert ('wiw.plugin="/plugin"' in labels) == (image.kind == "plugin")


@ANY_IMAGE
def test_nothing_is_fetched_by_add_declared_a_volume_or_opened_as_a_port(image: DeclaredImage) -> None:
    forbidden = [line for line in instructions(image) if line.startswith(("ADD ", "VOLUME", "EXPOSE", "ONBUILD"))]
    assert not forbidden


@ANY_IMAGE
def test_packages_come_from_locks_and_leave_no_caches(image: DeclaredImage) -> None:
    for line in instructions(image):
        if "apt-get install" in line:
            assert "--no-install-recommends" in line and "rm -rf /var/lib/apt/lists/*" in line
        if "pip" in line and " install " in line and line.startswith("RUN") and "apt-get" not in line:
            assert "--no-cache-dir" in line and "--no-deps" in line
            assert "--require-hashes" in line or "--no-build-isolation /build/" in line


@ANY_IMAGE
def test_the_last_stage_has_no_compiler_and_installs_nothing_with_pip(image: DeclaredImage) -> None:
    lines = " ".join(final_lines(image))
    assert not re.search(r"build-essential|\bgcc\b|pip install|pip --python|\bgit\b", lines)


IMPORTED_AS = {
    "grpcio": "grpc", "grpcio-health-checking": "grpc_health.v1", "pillow": "PIL", "protobuf": "google.protobuf",
    "gymnasium-robotics": "images.tabletop.arm",  # only its files are read, by this module
}  # fmt: skip
BESIDE_THE_LOCK = {
    "habitat_eval": {"habitat_sim"},
    "habitat_collect": {"habitat_sim"},
    "rlbench": {"rlbench", "pyrep"},
    "example_plugin": {"zoom_model"},
}
"""What an image holds that no lock names: its simulator, or its plugin."""


def declared_packages(file: Path) -> set[str]:
    """Return the names in a requirements file."""
    return {re.split(r"[=<>]", line)[0].lower() for line in file.read_text().split()} if file.exists() else set()


def imported(line: str) -> set[str]:
    """Return the modules that the Python of a RUN line imports."""
    return {name for names in re.findall(r"\bimport ([\w., ]+)", line) for name in re.split(r",\s*", names.strip())}


@ANY_IMAGE
def test_the_last_build_step_imports_every_package_in_the_stage_that_runs(image: DeclaredImage) -> None:
    """An install without dependencies is complete only when everything can be imported, with the libraries there."""
    (stage,) = [s for s in stages(image) if s.name == image.stage] if image.stage else stages(image)[-1:]
    steps = [line for line in stage.lines if line.startswith(("RUN", "COPY", "ENV", "USER"))]
    assert steps[-1].startswith("RUN"), f"{steps[-1]} comes after the last check"
    wanted = {
        IMPORTED_AS.get(name, name) for name in declared_packages(ROOT / f"images/{image.folder}/requirements.in")
    }
    missing = (wanted | BESIDE_THE_LOCK.get(image.name, set())) - imported(steps[-1])
    assert not missing, f"{image.dockerfile} does not import {sorted(missing)} in its last step"


def test_the_stage_with_torch_imports_what_it_adds() -> None:
    (stage,) = [s for s in stages(declared.find_image("wm_base")) if s.name == "torch"]
    assert declared_packages(ROOT / "images/wm_base/torch.in") <= imported(stage.lines[-1])


@pytest.mark.parametrize("name", ["habitat_eval", "habitat_collect"])
def test_habitat_is_imported_where_its_libraries_are(name: str) -> None:
    image = declared.find_image(name)
    importing = [stage for stage in stages(image) if "habitat_sim" in " ".join(stage.lines).replace("habitat-sim", "")]
    assert [stage.base for stage in importing] == ["graphics"]
    (graphics,) = [stage for stage in stages(image) if stage.name == "graphics"]
    assert {"libegl1", "libopengl0"} <= set(" ".join(graphics.lines).split())


SOURCES_NEED = {"rlbench": {"cffi", "gymnasium", "natsort", "numpy", "pillow", "pyquaternion", "scipy"}}
"""What packages import that are built from source: their own metadata name nothing."""


@pytest.mark.parametrize("name", sorted(SOURCES_NEED))
def test_what_sources_import_is_declared(name: str) -> None:
    assert SOURCES_NEED[name] <= declared_packages(ROOT / f"images/{name}/requirements.in")


@pytest.mark.parametrize(
    "lock", sorted(ROOT.glob("images/*/*.lock")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_a_lock_that_is_installed_without_dependencies_has_them_all(lock: Path) -> None:
    """Every requirement that the metadata of a locked package names, where this environment has its metadata."""
    python = "3.9" if lock.parent.name.startswith("habitat") else "3.11"
    pins = locked(lock) | (locked(lock.with_name("requirements.lock")) if lock.stem != "requirements" else set())
    lacking = {name: needs - pins for name in pins if (needs := required(name, python)) - pins}
    assert not lacking, f"{lock} lacks {lacking}"


def test_a_missing_dependency_is_found(tmp_path: Path) -> None:
    whole = ROOT / "images/embedded/requirements.lock"
    cut = tmp_path / "images" / "embedded" / "requirements.lock"
    cut.parent.mkdir(parents=True)
    cut.write_text(whole.read_text().replace("llvmlite==", "something-else=="))
    with pytest.raises(AssertionError, match=r"lacks .*numba.*llvmlite"):
        test_a_lock_that_is_installed_without_dependencies_has_them_all(cut)


def locked(lock: Path) -> set[str]:
    """Return the names of all pins of a lock."""
    return set(re.findall(r"^([a-z0-9-]+)==", lock.read_text(), flags=re.MULTILINE))


def required(name: str, python: str) -> set[str]:
    """Return what the installed package of that name needs on Linux; nothing where it is not installed here."""
    try:
        lines = metadata.distribution(name).requires or []
    except metadata.PackageNotFoundError:
        return set()
    place = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    found = [Requirement(line) for line in lines]
    needed = [r for r in found if r.marker is None or r.marker.evaluate(place)]
    return {re.sub(r"[-_.]+", "-", requirement.name).lower() for requirement in needed}


@ANY_IMAGE
def test_everything_copied_is_in_the_context(image: DeclaredImage) -> None:
    supplied = {supply.file for supply in image.supplies}
    for line in instructions(image):
        if not line.startswith("COPY ") or "--from=" in line:
            continue
        for source in line.split()[1:-1]:
            inside = any(source == entry or source.startswith(f"{entry}/") for entry in image.context)
            assert inside or source in supplied, f"{source} is not in the context of {image.name}"
            assert source in supplied or (ROOT / source).exists()


@ANY_IMAGE
def test_pip_settings_of_the_builder_do_not_reach_the_image(image: DeclaredImage) -> None:
    assert not any(line.startswith("ARG PIP_") for line in final_lines(image))


@pytest.mark.parametrize(
    "lock", sorted(ROOT.glob("images/*/*.lock")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_locks_pin_versions_with_hashes_and_name_no_index(lock: Path) -> None:
    text = lock.read_text()
    pins = re.findall(r"^([a-z0-9-]+)==\S+ \\\n(    --hash=sha256:[0-9a-f]{64})", text, flags=re.MULTILINE)
    assert pins and "://" not in text
    wanted = {re.split(r"[=<>]", line)[0] for line in lock.with_suffix(".in").read_text().split()}
    assert wanted <= {name for name, _ in pins}


@pytest.mark.parametrize("name", ["embedded", "wm_base"])
def test_locks_have_the_versions_of_the_constraints(name: str) -> None:
    constraints = dict(
        line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    )
    normalised = {key.replace("_", "-"): value for key, value in constraints.items()}
    lock = (ROOT / f"images/{name}/requirements.lock").read_text()
    for package, version in re.findall(r"^([a-z0-9-]+)==(\S+)", lock, flags=re.MULTILINE):
        assert normalised[package] == version


@ANY_IMAGE
def test_a_stage_for_ci_exists_and_asks_nothing_of_other_registries(image: DeclaredImage) -> None:
    if not image.ci_stage:
        assert not image.never_built, "an image that the project cannot build declares the stages that it can"
        return
    names = [stage.name for stage in stages(image)]
    before = " ".join(
        line for stage in stages(image)[: names.index(image.ci_stage) + 1] for line in (stage.base, *stage.lines)
    )
    assert "MAMBA" not in before and "github.com" not in before and "coppeliasim.tar.xz" not in before
