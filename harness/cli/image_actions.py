"""What the `images` commands do: they ask the runtimes and print for people or machines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from harness.cli.console import note, print_json, print_table, say
from harness.cli.live import LiveBar, clock
from harness.contracts.errors import Refusal
from harness.contracts.folders import user_cache
from harness.contracts.from_source import CHECKOUT
from harness.records.provenance import git_commit
from harness.runtimes import docker_engine
from harness.runtimes.docker_engine import Engine
from harness.runtimes.images.build import BuildOptions, BuildStep, BuiltImage, build_image
from harness.runtimes.images.context import Supplied
from harness.runtimes.images.declared import DeclaredImage, declared_images, find_image
from harness.runtimes.images.lock import (
    ABSENT,
    NEVER_BUILT,
    LockedImage,
    image_state,
    lock_image,
    read_lock,
    what_is_missing,
    write_lock,
)
from harness.runtimes.images.pull import pull_image, require_digest

ALL = "all"
DEFAULT_BASE = "BASE"
STEP_WIDTH = 100


def read_bases(chosen: Sequence[str]) -> dict[str, str]:
    """Return the bases that the user chose, by build argument; ``REFERENCE`` alone is for the argument BASE."""
    bases = {}
    for text in chosen:
        argument, separator, reference = text.partition("=")
        bases[argument if separator else DEFAULT_BASE] = reference if separator else text
    return bases


def log_folder() -> Path:
    """Return where the logs of builds go: ``wiw-bench/builds`` in the user's cache."""
    return user_cache() / "builds"


class StepLines(LiveBar):
    """Called with every `BuildStep`; shows it with the time since the build began."""

    def __init__(self, name: str) -> None:
        super().__init__(interval_s=0.0)
        self._name = name
        self._began = time.monotonic()

    def __call__(self, step: BuildStep) -> None:
        count = f"{step.number}/{step.total}" if step.total else "..."
        passed = clock(time.monotonic() - self._began)
        self.show(f"{self._name} {passed:>6} {count:>6}  {step.text[:STEP_WIDTH]}", step.number, step.total)


def build(name: str, options: BuildOptions, given: Mapping[str, Supplied], as_json: bool) -> int:
    """Build one image, or every one that needs nothing of its own; print what came out."""
    everything = name == ALL
    if everything and options.stage:
        raise Refusal("--stage is a stage of one image.", "Name the image.")
    chosen = declared_images() if everything else (find_image(name),)
    buildable = [image for image in chosen if not everything or not (image.never_built or image.supplies)]
    engine = docker_engine.connect()
    built = [_build_one(engine, image, options, given, everything) for image in buildable]
    left_out = {image.name: what_is_missing(image) for image in chosen if image not in buildable}
    if as_json:
        print_json({"built": [{**asdict(image), "log": str(image.log)} for image in built], "left_out": left_out})
        return 0
    for image in built:
        size = f"{image.size_bytes / 1e6:.0f} MB"
        say(f"built {image.reference}  {image.id[:19]}  {size}  {clock(image.seconds)}  log {image.log}")
    for left, why in left_out.items():
        say(f"left out {left}: {why}")
    return 0


def _build_one(
    engine: Engine, image: DeclaredImage, options: BuildOptions, given: Mapping[str, Supplied], everything: bool
) -> BuiltImage:
    bases = {name: base for name, base in options.bases.items() if not everything or name in image.bases}
    log = log_folder() / f"{image.name}{'-' if options.stage else ''}{options.stage}.log"
    with StepLines(image.name) as lines:
        revision = git_commit(CHECKOUT)
        return build_image(
            engine, image, BuildOptions(bases, options.stage, options.fresh), given, revision, log, lines
        )


def lock(names: Sequence[str], path: Path, as_json: bool) -> int:
    """Write the lock of the named images, or of all that are here."""
    engine = docker_engine.connect()
    chosen = [find_image(name) for name in names] if names else _images_here(engine)
    if not chosen:
        raise Refusal("no image of the project is here.", "Build one first: python benchmark.py images build embedded")
    locked = [lock_image(engine, image) for image in chosen]
    write_lock(path, locked)
    if as_json:
        print_json({"lock": str(path), "images": [asdict(image) for image in locked]})
        return 0
    for image in locked:
        counts = ", ".join(f"{len(packages)} {manager}" for manager, packages in image.packages.items())
        say(f"locked {image.reference}  {image.id[:19]}  packages: {counts}")
    say(f"wrote {path}")
    return 0


def _images_here(engine: Engine) -> list[DeclaredImage]:
    here = []
    for image in declared_images():
        if image_state(engine, image, {}).state not in (ABSENT, NEVER_BUILT):
            here.append(image)
    return here


def show(path: Path, as_json: bool) -> int:
    """Print every declared image; works without an engine, and says so."""
    locked: dict[str, LockedImage] = read_lock(path) if path.exists() else {}
    engine, trouble = None, ""
    try:
        engine = docker_engine.connect()
    except Refusal as refusal:
        trouble = str(refusal)
    states = [image_state(engine, image, locked) for image in declared_images()]
    if as_json:
        print_json({"engine": trouble or "ok", "images": [asdict(state) for state in states]})
        return 0
    rows = [
        (s.name, s.kind, s.state, f"{s.size_bytes / 1e6:.0f} MB" if s.size_bytes else "", s.id[:19], s.locked, s.note)
        for s in states
    ]
    print_table("images", ("image", "kind", "state", "size", "id", "locked", "note"), rows)
    if trouble:
        note(f"engine: {trouble}")
    return 0


def pull(reference: str, as_json: bool) -> int:
    """Pull an image by digest and print its id."""
    wanted = require_digest(reference)
    identifier = pull_image(docker_engine.connect(), wanted, note)
    if as_json:
        print_json({"reference": str(wanted), "id": identifier})
    else:
        say(f"pulled {wanted}  {identifier}")
    return 0
