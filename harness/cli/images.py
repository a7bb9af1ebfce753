"""`images`: build, lock, list and pull the container images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.arguments import Json, PassingGroup

group = typer.Typer(cls=PassingGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

LOCK = Path("images.lock")

LockFile = Annotated[Path, typer.Option("--lock", help="The lock file.")]


@group.callback()
def images_command() -> None:
    """Build, lock, list and pull the container images of environments and world models."""


@group.command("build")
def build_command(
    name: Annotated[str, typer.Argument(help="An image (see: images list), or all.")],
    base: Annotated[
        Optional[list[str]],
        typer.Option("--base", help="Another base image: REFERENCE, or ARG=REFERENCE (repeatable)."),
    ] = None,
    stage: Annotated[str, typer.Option("--stage", help="Build one stage of the Dockerfile alone.")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Build every step anew.")] = False,
    coppeliasim: Annotated[
        Optional[Path], typer.Option("--coppeliasim", help="rlbench: your archive of CoppeliaSim 4.1.0.")
    ] = None,
    coppeliasim_sha256: Annotated[
        str, typer.Option("--coppeliasim-sha256", help="rlbench: the SHA-256 that the archive must have.")
    ] = "",
    accept_coppeliasim_licence: Annotated[
        bool, typer.Option("--accept-coppeliasim-licence", help="rlbench: you have read and accept its licence.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Build one image, or all that need nothing but base images, PyPI and Debian."""
    from harness.cli import image_actions
    from harness.runtimes.images.build import BuildOptions
    from harness.runtimes.images.context import Supplied

    given = {"coppeliasim": Supplied(coppeliasim, accept_coppeliasim_licence, coppeliasim_sha256)}
    options = BuildOptions(image_actions.read_bases(base or []), stage, fresh)
    return image_actions.build(name, options, given, as_json)


@group.command("lock")
def lock_command(
    names: Annotated[Optional[list[str]], typer.Argument(help="Images; default: all that are here.")] = None,
    path: LockFile = LOCK,
    as_json: Json = False,
) -> int:
    """Write what images consist of (ids, digests of bases, package versions) into images.lock."""
    from harness.cli import image_actions

    return image_actions.lock(names or [], path, as_json)


@group.command("list")
def list_command(path: LockFile = LOCK, as_json: Json = False) -> int:
    """List declared images: which are here, their size, whether they are locked, and what the others need."""
    from harness.cli import image_actions

    return image_actions.show(path, as_json)


@group.command("pull")
def pull_command(
    reference: Annotated[str, typer.Argument(help="NAME@sha256:... (a mere tag is refused).")], as_json: Json = False
) -> int:
    """Get an image from a registry by its digest."""
    from harness.cli import image_actions

    return image_actions.pull(reference, as_json)
