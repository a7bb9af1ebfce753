"""The options of `collect`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.arguments import Json

SUITE_RIG, PUBLISHED_RIG = "suite", "published"


@dataclass(frozen=True)
class CollectArguments:
    """What stands on the command line, as it was given; "" and None where it was not."""

    exp_id: Annotated[Optional[str], typer.Argument(help="Name of the data set: a folder of OUTPUT_DIR.")] = None
    output_dir: Annotated[Optional[Path], typer.Argument(help="Where data sets are.")] = None
    num_processes: Annotated[Optional[int], typer.Argument(help="Processes; never changes the data.")] = None
    suite: Annotated[
        str, typer.Option("--suite", help="Suite whose cameras are recorded; rlbench: demonstrations of an arm.")
    ] = "embedded"
    scenes: Annotated[
        str,
        typer.Option(
            "--scenes", help="Homes: NAME,FIRST:LAST,... or how many. Licensed: hm3d-train, folders. RLBench: tasks."
        ),
    ] = ""
    clips: Annotated[int, typer.Option("--clips", help="How many clips in all.")] = 50
    clip_frames: Annotated[
        Optional[int], typer.Option("--clip-frames", help="Frames of a clip, its first view included: 14.")
    ] = None
    seed: Annotated[int, typer.Option("--seed", help="Seed of all draws.")] = 0
    policy: Annotated[
        str,
        typer.Option("--policy", help="waypoints (the default), waypoints-upstream, random; several: dealt in turn."),
    ] = ""
    camera: Annotated[
        str,
        typer.Option(
            "--camera",
            help="Camera of the rig: front for perspective models, pano for panoramas. [front; published rig: pano]",
            show_default=False,
        ),
    ] = ""
    rig: Annotated[
        str, typer.Option("--rig", help="suite, or published: the published collection's panorama from 1.5 m.")
    ] = SUITE_RIG
    depth: Annotated[bool, typer.Option("--depth", help="Keep depth too (with --layout folders).")] = False
    keep_roofs: Annotated[bool, typer.Option("--keep-roofs", help="Habitat: walk on roofs too.")] = False
    layout: Annotated[str, typer.Option("--layout", help="lerobot, or folders of pictures.")] = "lerobot"
    split: Annotated[str, typer.Option("--split", help="train, or validation for choosing; never test.")] = "train"
    fps: Annotated[
        Optional[int], typer.Option("--fps", help="Frames per second that videos and tables claim: 10; RLBench: 20.")
    ] = None
    scenes_dir: Annotated[Optional[Path], typer.Option("--scenes-dir", help="Habitat: folder of the scenes.")] = None
    env_python: Annotated[str, typer.Option("--env-python", help="Habitat, RLBench: the interpreter.")] = ""
    env_gpu: Annotated[str, typer.Option("--env-gpu", help="Habitat: GPU that all processes share.")] = ""
    runtime: Annotated[
        str, typer.Option("--runtime", help="Habitat, RLBench: process, or docker with the project's image.")
    ] = "process"
    check: Annotated[Optional[Path], typer.Option("--check", help="Check a data set and name its first bad clip.")] = (
        None
    )
    as_json: Json = False
