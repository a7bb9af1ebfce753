"""`collect`: training data for world models, and the check of a data set."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import CollectArguments, taking, words_of
from harness.cli.console import note, print_json, say
from harness.cli.live import SEPARATOR, LiveBar, clock
from harness.contracts.commands import command
from harness.contracts.errors import Refusal
from harness.contracts.printing import counted
from harness.contracts.published_rigs import COLLECTION_FACE_PIXELS
from harness.running.cluster import Cluster, choose_cluster

if TYPE_CHECKING:
    from harness.collecting.config import Question
    from harness.collecting.pipeline import CollectProgress
    from harness.collecting.plan import CollectPlan
    from harness.collecting.sources import Source

MAX_PROCESSES = 64
EXAMPLE = "For example: python benchmark.py collect demo data/ 2 --clips 50"


@taking(CollectArguments)
def collect_command(asked: CollectArguments) -> int:
    """Collect clips of walks or of a robot arm, or check a data set. The same command goes on after a kill."""
    if asked.check is not None:
        return check_data(asked.check, asked.as_json)
    if asked.exp_id is None or asked.output_dir is None or asked.num_processes is None:
        raise Refusal("collect needs EXP_ID, OUTPUT_DIR and NUM_PROCESSES.", EXAMPLE)
    cluster = choose_cluster(asked.executor, asked.address, asked.gpus)
    _check_processes(asked.num_processes, cluster)
    from harness.cli.failures import telling_how_on
    from harness.collecting.pipeline import collect
    from harness.collecting.sources import Given, choose_rig, find_source, prepare
    from harness.running.progress import PARTIAL_CODE

    source = choose_rig(find_source(asked.suite), asked.rig)
    given = Given(asked.scenes_dir, asked.env_python, asked.env_gpu, asked.runtime, cluster)
    machine, plan = prepare(_question(asked, asked.exp_id, source), source, given, note)
    folder = asked.output_dir / asked.exp_id
    begun = time.monotonic()
    again = command("collect", *words_of(asked))
    with telling_how_on(lambda ended: again), CollectLine() as line:
        outcome = collect(folder, plan, machine, asked.num_processes, line, cluster)
    if outcome.interrupted:
        note(f"PARTIAL: {outcome.clips}/{plan.clips} clips are recorded; continue with  {again}")
        return PARTIAL_CODE
    return _told(folder, plan, outcome.fresh, time.monotonic() - begun, asked.as_json)


def _check_processes(number: int, cluster: Cluster | None) -> None:
    """Raise Refusal for more processes than there may be; a cluster has as many workers as for a run."""
    from harness.running.run_options import MAX_WORKERS

    most = MAX_PROCESSES if cluster is None else MAX_WORKERS
    if not 1 <= number <= most:
        raise Refusal(f"NUM_PROCESSES {number} is not in 1..{most}.", "One a core is a good choice.")


def _question(asked: CollectArguments, name: str, source: Source) -> Question:
    """Return what is to be collected, by the name of the data set."""
    from harness.collecting.config import Question
    from harness.collecting.plan import Recorded
    from harness.collecting.sources import PUBLISHED_RIG, default_camera

    return Question(
        name=name,
        suite=source.suite,
        environment=source.environment,
        scenes_of=source.scenes_of,
        rig=source.rig,
        camera=asked.camera or default_camera(source),
        split=asked.split,
        scenes=asked.scenes,
        policy=asked.policy,
        clips=asked.clips,
        clip_frames=asked.clip_frames,
        fps=asked.fps,
        seed=asked.seed,
        layout=asked.layout,
        recorded=Recorded(asked.depth, COLLECTION_FACE_PIXELS if asked.rig == PUBLISHED_RIG else 0, asked.keep_roofs),
    )


def check_data(folder: Path, as_json: bool) -> int:
    """Check a data set; return 0 when it is right, 1 with the first bad clip otherwise."""
    from harness.collecting.validate import check_dataset

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
    from harness.collecting.dataset_reader import read_rows

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
    from harness.running.compatibility import tier_for
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


class CollectLine(LiveBar):
    """Called with every `CollectProgress`; shows how far a collection is."""

    def __call__(self, progress: CollectProgress) -> None:
        for sentence in progress.said:
            self.say(sentence)
        finished = progress.clips == progress.total
        self.show(describe(progress), progress.clips, progress.total, "stop" * progress.stopping, finished)


def describe(progress: CollectProgress) -> str:
    """Return one line: ``17/50 clips · 2 processes · 143 frames/s · 0:20 left``."""
    from harness.cli.progress import preparing

    parts = [f"{progress.clips}/{progress.total} clips", counted(progress.processes, "process", "processes")]
    if progress.stopping:
        parts.append("stopping; Ctrl-C again kills the processes")
    elif progress.frames_per_s is None:
        parts.append(preparing("compiling and opening scenes", 0, progress.scenes, progress.elapsed_s))
    else:
        parts.append(f"{progress.frames_per_s:.0f} frames/s")
    if progress.eta_s is not None and progress.clips < progress.total and not progress.stopping:
        parts.append(f"{clock(progress.eta_s)} left")
    return SEPARATOR.join(parts)
