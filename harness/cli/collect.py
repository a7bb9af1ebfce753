"""`collect`: training data for world models, and the check of a data set."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from harness.cli.arguments import Json
from harness.cli.console import note, print_json, say
from harness.cli.live import SEPARATOR, clear_live, show_live
from harness.contracts.errors import Refusal
from harness.contracts.printing import counted
from harness.contracts.published_rigs import COLLECTION_FACE_PIXELS

if TYPE_CHECKING:
    from harness.collecting.plan import CollectPlan
    from harness.collecting.work import CollectProgress

MAX_PROCESSES = 64
INTERVAL_S = 5.0
SUITE_RIG, PUBLISHED_RIG = "suite", "published"
EXAMPLE = "For example: python benchmark.py collect demo data/ 2 --clips 50"


def collect_command(
    exp_id: Annotated[Optional[str], typer.Argument(help="Name of the data set: a folder of OUTPUT_DIR.")] = None,
    output_dir: Annotated[Optional[Path], typer.Argument(help="Where data sets are.")] = None,
    num_processes: Annotated[Optional[int], typer.Argument(help="Processes; never changes the data.")] = None,
    suite: Annotated[
        str, typer.Option("--suite", help="Suite whose cameras are recorded; rlbench: demonstrations of an arm.")
    ] = "embedded",
    scenes: Annotated[
        str,
        typer.Option(
            "--scenes", help="Homes: NAME,FIRST:LAST,... or how many. Licensed: hm3d-train, folders. RLBench: tasks."
        ),
    ] = "",
    clips: Annotated[int, typer.Option("--clips", help="How many clips in all.")] = 50,
    clip_frames: Annotated[
        Optional[int], typer.Option("--clip-frames", help="Frames of a clip, its first view included: 14.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of all draws.")] = 0,
    policy: Annotated[
        str,
        typer.Option("--policy", help="waypoints (the default), waypoints-upstream, random; several: dealt in turn."),
    ] = "",
    camera: Annotated[
        str,
        typer.Option(
            "--camera",
            help="Camera of the rig: front for perspective models, pano for panoramas. [front; published rig: pano]",
            show_default=False,
        ),
    ] = "",
    rig: Annotated[
        str, typer.Option("--rig", help="suite, or published: the published collection's panorama from 1.5 m.")
    ] = SUITE_RIG,
    depth: Annotated[bool, typer.Option("--depth", help="Keep depth too (with --layout folders).")] = False,
    keep_roofs: Annotated[bool, typer.Option("--keep-roofs", help="Habitat: walk on roofs too.")] = False,
    layout: Annotated[str, typer.Option("--layout", help="lerobot, or folders of pictures.")] = "lerobot",
    split: Annotated[str, typer.Option("--split", help="train, or validation for choosing; never test.")] = "train",
    fps: Annotated[
        Optional[int], typer.Option("--fps", help="Frames per second that videos and tables claim: 10; RLBench: 20.")
    ] = None,
    scenes_dir: Annotated[Optional[Path], typer.Option("--scenes-dir", help="Habitat: folder of the scenes.")] = None,
    env_python: Annotated[str, typer.Option("--env-python", help="Habitat, RLBench: the interpreter.")] = "",
    env_gpu: Annotated[str, typer.Option("--env-gpu", help="Habitat: GPU that all processes share.")] = "",
    runtime: Annotated[
        str, typer.Option("--runtime", help="Habitat, RLBench: process, or docker with the project's image.")
    ] = "process",
    check: Annotated[
        Optional[Path], typer.Option("--check", help="Check a data set and name its first bad clip.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Collect clips of walks or of a robot arm, or check a data set. The same command goes on after a kill."""
    if check is not None:
        return check_data(check, as_json)
    if exp_id is None or output_dir is None or num_processes is None:
        raise Refusal("collect needs EXP_ID, OUTPUT_DIR and NUM_PROCESSES.", EXAMPLE)
    if not 1 <= num_processes <= MAX_PROCESSES:
        raise Refusal(f"NUM_PROCESSES {num_processes} is not in 1..{MAX_PROCESSES}.", "One a core is a good choice.")
    from harness.cli.collect_sources import Given, choose_rig, default_camera, find_source, prepare
    from harness.collecting.asking import Question
    from harness.collecting.plan import Recorded
    from harness.collecting.starting import collect

    source = choose_rig(find_source(suite), rig)
    question = Question(
        name=exp_id,
        suite=source.suite,
        environment=source.environment,
        scenes_of=source.scenes_of,
        rig=source.rig,
        camera=camera or default_camera(source),
        split=split,
        scenes=scenes,
        policy=policy,
        clips=clips,
        clip_frames=clip_frames,
        fps=fps,
        seed=seed,
        layout=layout,
        recorded=Recorded(depth, COLLECTION_FACE_PIXELS if rig == PUBLISHED_RIG else 0, keep_roofs),
    )
    machine, plan = prepare(question, source, Given(scenes_dir, env_python, env_gpu, runtime))
    folder = output_dir / exp_id
    begun = time.monotonic()
    fresh = collect(folder, plan, machine, num_processes, CollectLine())
    return _told(folder, plan, fresh, time.monotonic() - begun, as_json)


def check_data(folder: Path, as_json: bool) -> int:
    """Check a data set; return 0 when it is right, 1 with the first bad clip otherwise."""
    from harness.collecting.checking import check_dataset

    report = check_dataset(folder)
    if as_json:
        print_json(report.to_plain())
    elif not report.faults:
        say(f"{folder}: {counted(report.clips, 'clip')}, {report.frames} frames: all right")
    else:
        say(f"{folder}: {counted(len(report.faults), 'fault')}; the first: {report.faults[0]}")
        for fault in report.faults[1:10]:
            say(f"  {fault}")
    return 1 if report.faults else 0


def _told(folder: Path, plan: CollectPlan, fresh: bool, seconds: float, as_json: bool) -> int:
    from harness.collecting.reading import read_rows

    frames = sum(row["length"] for row in read_rows(folder, plan))
    one, many = ("task or variation", "tasks or variations") if plan.whole else ("home", "homes")
    scenes = counted(len(plan.scenes), one, many)
    if as_json:
        facts = {"folder": str(folder), "clips": plan.clips, "frames": frames, "plan_digest": plan.digest()}
        print_json({**facts, "view": view_of(plan)})
    elif fresh:
        say(f"{folder}: {counted(plan.clips, 'clip')}, {frames} frames of {scenes} in {seconds:.0f} s")
    else:
        say(f"{folder} is complete already: {counted(plan.clips, 'clip')}, {frames} frames")
    if not as_json:
        say(meant_for(plan))
    return 0


def view_of(plan: CollectPlan) -> str:
    """Return the kind of view that was recorded, and that a model trained on it imagines."""
    from harness.contracts.cameras import EQUIRECT
    from tasks.suite import PANORAMA, PERSPECTIVE

    return PANORAMA if plan.camera.kind == EQUIRECT else PERSPECTIVE


def meant_for(plan: CollectPlan) -> str:
    """Return which models the data are for, and the tier of their suite that plays such models, if one does."""
    from harness.running.views import tier_for
    from tasks.suite import load_suite

    view = view_of(plan)
    told = f"for {view} models (camera {plan.camera.name})"
    if plan.whole:
        return told
    suite = load_suite(plan.suite)
    if plan.camera not in suite.rig.cameras:  # the published rig: no tier looks through it
        return told
    tier = tier_for(suite, view)
    return f"{told}: --suite {suite.name} --tier {tier}" if tier else f"{told}; no tier of {suite.name} plays them"


class CollectLine:
    """Called with every `CollectProgress`: one live line on a terminal, a line every few seconds elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._printed_at = 0.0

    def __call__(self, progress: CollectProgress) -> None:
        """Show how far a collection is."""
        now = time.monotonic()
        finished = progress.clips == progress.total
        for sentence in progress.said:
            if self._live:
                clear_live()
            note(sentence)
        if self._live:
            show_live(describe(progress), "\n" * finished)
        elif finished or now - self._printed_at >= INTERVAL_S:
            note(describe(progress))
            self._printed_at = now


def describe(progress: CollectProgress) -> str:
    """Return one line: ``17/50 clips · 2 processes · 143 frames/s · 0:20 left``."""
    from harness.cli.progress import clock, preparing

    parts = [f"{progress.clips}/{progress.total} clips", counted(progress.processes, "process", "processes")]
    if progress.frames_per_s is None:
        parts.append(preparing("compiling and opening scenes", 0, progress.scenes, progress.elapsed_s))
    else:
        parts.append(f"{progress.frames_per_s:.0f} frames/s")
    if progress.eta_s is not None and progress.clips < progress.total:
        parts.append(f"{clock(progress.eta_s)} left")
    return SEPARATOR.join(parts)
