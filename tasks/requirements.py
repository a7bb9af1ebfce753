"""What a suite needs before it can run here, and what to say where it is missing.

A suite never falls back to another one: it stops with the reason and the command that would work.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Optional

from harness.contracts.errors import Refusal
from harness.runtimes.environments import DeclaredEnvironment, environment_of_image

IMAGE = "image"
METRIC_LPIPS = "metric:lpips"
IMAGES_FOLDER = Path(__file__).resolve().parent.parent / "images"
_DOCKER_TIMEOUT_S = 5.0
_EXTRAS = {"mujoco": "embedded,tabletop", "gymnasium_robotics": "embedded,tabletop"}
"""What is installed for a package, where that is more than the extra embedded."""


@dataclass(frozen=True)
class Missing:
    """Why a requirement is not met, and what to do about it."""

    reason: str
    remedy: str


def missing_requirement(requirement: str) -> Optional[Missing]:
    """Return what is missing of a requirement, or None.

    Known kinds: ``package:<import name>``, ``image:<folder under images/>``, ``dataset:<name in datasets.toml>``,
    ``metric:lpips``.
    """
    kind, _, name = requirement.partition(":")
    if kind == "package":
        return _missing_package(name)
    if kind == IMAGE:
        return _missing_image(name)
    if kind == "dataset":
        return _missing_dataset(name)
    if requirement == METRIC_LPIPS:
        return _missing_lpips()
    raise Refusal(
        f"the suite requires {requirement!r}, which is no known kind.",
        f"Known: package:NAME, image:NAME, dataset:NAME, {METRIC_LPIPS}.",
    )


def environment_of_requirement(requirement: str) -> Optional[DeclaredEnvironment]:
    """Return the environment whose image is required, if it is one that can run without its image as well."""
    kind, _, name = requirement.partition(":")
    found = environment_of_image(name) if kind == IMAGE else None
    return found if found is not None and found.module else None


def _missing_lpips() -> Optional[Missing]:
    from harness.planning.lpips_metric import HOW_TO_GET, missing_part

    part = missing_part()
    return None if part is None else Missing(f"its score is LPIPS, which needs {part}", HOW_TO_GET)


def _missing_dataset(name: str) -> Optional[Missing]:
    from tasks.datasets.catalog import data_folder, find_datasets

    (dataset,) = find_datasets([name])
    folder = data_folder()
    if not dataset.missing(folder):
        return None
    get = f"`python benchmark.py datasets {'fetch ' if dataset.fetchable else ''}{name}`"
    return Missing(
        f"the dataset {name} is not in {folder}: {dataset.title}, {dataset.about_size}, {dataset.licence}",
        f"Run {get}." if dataset.fetchable else f"Run {get} for the steps.",
    )


def _missing_package(name: str) -> Optional[Missing]:
    if find_spec(name) is not None:
        return None
    return Missing(
        f"the Python package {name!r} is not installed",
        f"Run `pip install -c constraints.txt -e '.[{_EXTRAS.get(name, 'embedded')}]'`.",
    )


def _missing_image(name: str) -> Optional[Missing]:
    instead = "`--suite embedded` needs no image."
    environment = environment_of_image(name)
    if environment is not None and environment.module:
        where = f"`--env-python PYTHON` (docs/{environment.name}.md)"
        instead = f"or give an interpreter with {environment.module}: {where}. {instead}"
    if not (IMAGES_FOLDER / name / "Dockerfile").exists():
        return Missing(f"it needs the Docker image {name}, and this checkout has no images/{name}/Dockerfile", instead)
    if shutil.which("docker") is None:
        return Missing(
            f"it needs the Docker image {name}, and there is no `docker` command", f"Install Docker; {instead}"
        )
    command = ["docker", "image", "ls", "--format", "{{.Tag}}", f"wiw-bench/{name}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_DOCKER_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Missing(f"Docker did not answer within {_DOCKER_TIMEOUT_S:.0f} s", f"Start Docker; {instead}")
    if any("-" not in tag for tag in answer.stdout.split()):  # VERSION-STAGE is a stage, not the image
        return None
    return Missing(
        f"the Docker image wiw-bench/{name} is not built",
        f"Run `python benchmark.py images build {name}`; {instead}",
    )
